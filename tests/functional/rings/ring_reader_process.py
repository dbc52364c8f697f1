"""A reader in a process of its own: checks that no frame is torn and reports what it saw.

usage: ring_reader_process.py SOCKET MODE   (check: until the writer closes; hold: take one lease and keep it)
"""

import sys

from vedette.rings import RingClosed, RingReader, connect


def main() -> None:
    reader = RingReader(connect(sys.argv[1], 5.0))
    seen = torn = 0
    last = 0
    try:
        while True:
            lease = reader.receive(10.0)
            if lease is None:
                break
            if sys.argv[2] == "hold":
                sys.stdout.write(f"holding {lease.header.sequence}\n")
                sys.stdout.flush()
                sys.stdin.read()
            marks = set(bytes(lease.buffer[:: max(1, len(lease.buffer) // 997)]))
            marks.add(lease.buffer[-1])
            expected = lease.header.sequence % 251
            torn += marks != {expected} or lease.header.sequence <= last
            last = lease.header.sequence
            seen += 1
            lease.release()
    except RingClosed:
        pass
    sys.stdout.write(f"seen {seen} torn {torn} last {last}\n")


main()
