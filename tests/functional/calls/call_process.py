# ruff: noqa: UP006, UP032, UP035, UP045 (it runs on Python 3.7)
"""One side of the call channel in a process of its own, under any Python from 3.7 on.

usage: call_process.py serve SOCKET           negates every byte of every input; a call with an input "block" says
                                              "running" and never ends
       call_process.py check SOCKET N THREADS calls N times from each thread and checks every answer
       call_process.py call SOCKET NAME       makes one call with an input of that name and says what came
"""

import os
import sys
import threading
import time
from typing import Dict, List, Optional, Sequence, Tuple

from vedette.rings import connect, listen
from vedette.rings.calls import (
    CallClient,
    CallFailure,
    CallHandler,
    CallServer,
    Description,
    RepeatedCall,
    TensorBuffer,
    TensorSpec,
    TensorView,
)
from vedette.rings.calls.repetition import BoundRun

KINDS: Dict[Tuple[str, int], RepeatedCall] = {}
NEGATED = bytes(255 - value for value in range(256))


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


class Negate(CallHandler):
    """Gives back every input with its bytes negated."""

    @property
    def description(self) -> Description:
        return Description((TensorSpec("x", "uint8", (-1,)),), (TensorSpec("x", "uint8", (-1,)),))

    @property
    def output_bytes(self) -> int:
        return 4096

    def run(self, inputs: Sequence[TensorView]) -> List[TensorBuffer]:
        outputs = []
        for name, dtype, shape, buffer in inputs:
            if name == "block":
                say("running")
                threading.Event().wait()
            outputs.append(TensorBuffer(name, dtype, shape, bytes(buffer).translate(NEGATED)))
        return outputs

    def bind(self, inputs: Sequence[TensorView], outputs: Sequence[TensorView]) -> Optional[BoundRun]:
        def run() -> None:
            for given, output in zip(inputs, outputs):  # noqa: B905 - Python 3.7
                output.buffer[:] = bytes(given.buffer).translate(NEGATED)

        return run if inputs[0].name != "block" else None


def repeated(client: CallClient, name: str, size: int, mark: int) -> bytes:
    kind = KINDS.get((name, size))
    if kind is None:
        kind = KINDS[name, size] = RepeatedCall(client, [(name, "uint8", (size,))], lambda view: view.buffer)
    turn = kind.turn(time.monotonic() + 30.0)
    try:
        turn.inputs[0][:] = bytes([mark]) * size
        return bytes(turn.run(time.monotonic() + 30.0)[0])
    finally:
        turn.free()


def check(client: CallClient, rounds: int, seed: int, faults: List[str]) -> None:
    for number in range(rounds):
        mark = (seed * 31 + number) % 256
        size = 1 + (number * 7919 + seed * 104729) % 60_000
        name = "x{}".format(seed)
        try:
            if number % 3:
                size = (1, 50_000)[number % 2]
                if repeated(client, name, size, mark) != bytes([255 - mark]) * size:
                    faults.append("thread {} round {}: torn or another call's, repeated".format(seed, number))
                continue
            with client.call([TensorBuffer(name, "uint8", (size,), bytes([mark]) * size)], 30.0) as result:
                (output,) = result.outputs
                if (output.name, output.shape, set(bytes(output.buffer))) != (name, (size,), {255 - mark}):
                    faults.append("thread {} round {}: torn or another call's".format(seed, number))
        except CallFailure as error:
            faults.append(repr(error))
            return


def main() -> None:
    mode, path = sys.argv[1:3]
    if mode == "serve":
        server = CallServer(listen(path), Negate())
        say("ready")
        server.serve()
        return
    client = CallClient(connect(path, 5.0))
    if mode == "check":
        rounds, count = int(sys.argv[3]), int(sys.argv[4])
        faults: List[str] = []
        threads = [threading.Thread(target=check, args=(client, rounds, os.getpid() + n, faults)) for n in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        say("inputs {} faults {}".format([spec.name for spec in client.description.inputs], faults))
    else:
        say("calling")
        try:
            with client.call([TensorBuffer(sys.argv[3], "uint8", (3,), b"abc")]) as result:
                say("outputs {}".format([bytes(output.buffer) for output in result.outputs]))
        except CallFailure as error:
            say(type(error).__name__)


main()
