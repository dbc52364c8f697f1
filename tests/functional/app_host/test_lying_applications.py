"""Applications that speak to their host by themselves, and not as panoramasdk does: the host goes on all the same."""

import json

import pytest

from vedette.messages import ApplicationState, ApplicationStatus

from .conftest import Rig

BEFORE = """
import array, json, os, select, socket, time
point = socket.socket(fileno=os.dup(int(os.environ["VEDETTE_HOST_FD"])))
def attach(fd, version=4):
    packet = json.dumps({"packet": "attach", "version": version, "pid": 1}).encode()
    point.sendmsg([packet], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))])
def session():
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    attach(theirs.fileno())
    theirs.close()
    ours.settimeout(20)
    assert ours.recv(1 << 18)
    return ours
def send(to, packet, **fields):
    to.send(json.dumps({"packet": packet, **fields}).encode())
NOTHING = {"gets": 0, "puts": 0, "calls": 0, "call_ms": -1.0, "last_activity": 0.0, "waiting": 0, "inputs": [],
           "outputs": [], "reads": {}}
def report(to, **fields):
    send(to, "report", **{**NOTHING, **fields})
def tell(**facts):
    print(json.dumps(facts), flush=True)
"""
AFTER = """
honest = session()
report(honest, gets=7)
tell(attached=True)
time.sleep(100)
"""

LIES = {
    "lists in lists": 'session().send(b"[" * 100_000)',
    "objects in objects": "session().send(b'{\"a\":' * 15_000)",
    "a file": 'attach(os.open("/dev/null", os.O_RDWR))',
    "no socket at all": "it = select.epoll(); attach(it.fileno())",
    "a socket that listens": "it = socket.create_server(('127.0.0.1', 0)); attach(it.fileno())",
    "the host's own socket": "attach(point.fileno())",
    "another version": "\nfor _ in range(500):\n    attach(point.fileno(), 3)",
    "words for numbers": 'report(session(), reads={"a": "x"}); report(session(), reads={"a": [1]})',
    "numbers beyond all": "report(session(), gets=10**3000, puts=10**3000); report(session(), waiting=-(10**300))",
    "no numbers": 'report(session(), call_ms=float("nan")); report(session(), last_activity=float("inf"))',
    "lists of anything": 'report(session(), inputs=[[[], {}], "x", [0, 10**50]], outputs=[[1], ["a"] * 6])',
    "cameras without end": 'send(session(), "main-wanted", camera=10**300); send(session(), "camera-lost", camera=-1)',
    "an output of its own": 'send(session(), "output-wanted", port="\\ud800\\n[ERROR] x", stream="\\x1b[2J")',
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES.keys())
def test_a_lie_ends_the_host(rig: Rig, lie: str, caplog: pytest.LogCaptureFixture) -> None:
    rig.camera("door")
    rig.output()
    rig.source(f"{BEFORE}\n{lie}\n{AFTER}")
    rig.start()
    # THEN another process of the application is served, and what it says is heard
    rig.said("attached", 40)
    rig.status(lambda status: status.state == ApplicationState.WAITING and status.last_activity_at is None, 40)
    # AND the log has each kind of lie once, on a line of its own
    said = [record.getMessage() for record in caplog.records]
    assert len([text for text in said if "attach" in text or "does not have" in text]) <= 1
    assert not [text for text in said if "\n" in text or "\x1b" in text]


FLOODS = {
    "reports": "it = session(); it.send(packet := json.dumps({'packet': 'report', **NOTHING}).encode())\n"
    "while True: it.send(packet)",
    "wishes": "it = session()\nwhile True: send(it, 'output-wanted', port='video_out', stream='door')",
    "attaching": "while True:\n    a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET); attach(b.fileno())",
    "connecting": "while True:\n    it = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)\n"
    "    it.connect(os.environ['VEDETTE_HOST_SOCKET'])",
}


@pytest.mark.parametrize("flood", FLOODS.values(), ids=FLOODS.keys())
def test_an_application_that_goes_on_talking_keeps_its_host_from_its_limits(rig: Rig, flood: str) -> None:
    # GIVEN one that keeps its host busy, and by and by takes more memory than it may
    rig.configuration["limits"] = {"memoryMB": 120}
    rig.camera("door")
    rig.output()
    eats = (
        "import threading\nheld = []\ndef eat():\n    for _ in range(400):\n"
        "        held.append(bytearray(b'x') * (1 << 20)); time.sleep(0.005)\n"
        "threading.Timer(1, eat).start()\ntell(begins=True)\n"
    )
    rig.source(BEFORE + eats + flood)
    rig.start()

    def ended(status: ApplicationStatus) -> bool:
        return status.errors > 0

    # THEN it is ended for that
    assert "limits.memoryMB" in rig.status(ended, 60).last_error
    # AND the host ends when it is told to (the rig's end asserts it)


def test_half_a_character_ends_a_recording(rig: Rig) -> None:
    rig.configuration["record"] = True
    rig.source(
        BEFORE + 'it = session()\nsend(it, "record", fields={"labels": "\\udc80"})\n'
        'send(it, "record", fields={"labels": "whole"})\n' + AFTER
    )
    rig.start()
    rig.said("attached", 40)
    lines = (rig.work / "recording.jsonl").read_text().splitlines()
    assert [json.loads(line)["labels"] for line in lines] == ["\udc80", "whole"]


def test_what_an_application_prints_commands_the_terminal_of_who_reads_why_it_ended(rig: Rig) -> None:
    # GIVEN a log file whose name is not UTF-8, with an exception that clears the screen and adds a line
    rig.source(
        "open(b'/opt/aws/panorama/logs/\\xff\\x1b[2J.log', 'w').write("
        '\'Traceback (most recent call last):\\n  File "/panorama/a.py", line 1, in b\\n'
        "ValueError: \\x1b]0;title\\x07\\x1b[31mred\\x1b[0m\\n')\n"
    )
    rig.start()
    ended = rig.status(lambda status: status.errors > 0, 40)
    assert ended.last_error.startswith("ValueError:  ]0;title red at a.py:1 (says its   [2J.log)")
    assert ended.last_error.isprintable()
