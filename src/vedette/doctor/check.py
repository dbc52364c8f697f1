"""One finding about the machine, as data."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import Enum


class State(str, Enum):
    """How a check came out."""

    OK = "ok"
    WARNING = "warning"
    """Works, with something to know."""
    FAILED = "failed"
    """Something will not work until it is mended."""
    NOT_NEEDED = "not-needed"
    """Nothing here asks for it."""


@dataclass(frozen=True)
class Check:
    """One finding: what was looked at, how it is, and what to do about it."""

    name: str
    """Such as "sandbox"; stays the same between versions."""
    state: State
    finding: str
    """One sentence, with numbers where there are any."""
    fix: str = ""
    """A command or a sentence; empty when nothing is to be done."""


def checks_to_json(checks: Sequence[Check]) -> str:
    """Return the checks as one JSON document; ``ok`` says whether none failed."""
    return json.dumps(
        {
            "schema": "vedette.doctor/1",
            "ok": all(check.state is not State.FAILED for check in checks),
            "checks": [{**asdict(check), "state": check.state.value} for check in checks],
        },
        indent=2,
    )
