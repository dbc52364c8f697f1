"""No memory is lost per call: a component that publishes ten times a second does so for months."""

from pathlib import Path
from typing import Any

from vedette.bus import Bus

WARM_UP = 1000
CALLS = 4000
ALLOWED_KB = 4000
"""A stream that is left open costs 5.5 kB a call: 22,000 kB for these calls."""


def resident_kb() -> int:
    return int(Path("/proc/self/status").read_text().partition("VmRSS:")[2].split()[0])


def test_publishing_leaks(buses: dict[str, Bus], nucleus_process: Any) -> None:
    bus = buses["one"]
    buses["two"].subscribe("t", lambda _topic, _payload: None)
    for _ in range(WARM_UP):
        bus.publish("t", b"x" * 200)
    client, nucleus = resident_kb(), int(nucleus_process.ask("memory"))
    for _ in range(CALLS):
        bus.publish("t", b"x" * 200)
    assert resident_kb() - client < ALLOWED_KB
    nucleus_now = int(nucleus_process.ask("memory"))
    assert nucleus_now - nucleus < ALLOWED_KB
    assert nucleus_now < 60_000
