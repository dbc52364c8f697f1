"""``vedette doctor``: the checks of this machine, for a person or as JSON."""

import sys

from vedette.cli.failure import EXIT_FAILED
from vedette.cli.terminal import Terminal
from vedette.doctor import State, checks_to_json, run_checks


def show_checks(terminal: Terminal, *, as_json: bool) -> int:
    """Run every check and show it; 1 when one failed, else 0."""
    checks = run_checks()
    if as_json:
        sys.stdout.write(checks_to_json(checks) + "\n")
    else:
        marks = {
            State.OK: terminal.done,
            State.WARNING: terminal.warn,
            State.FAILED: terminal.failed,
            State.NOT_NEEDED: terminal.skipped,
        }
        for check in checks:
            marks[check.state](check.name, check.finding)
            if check.fix:
                terminal.line(f"      fix: {terminal.paint(check.fix, 'cyan')}")
        counts = ", ".join(
            f"{sum(check.state is state for check in checks)} {state.value.replace('-', ' ')}" for state in State
        )
        terminal.line(f"{len(checks)} checks: {counts}")
    return EXIT_FAILED if any(check.state is State.FAILED for check in checks) else 0
