"""The times that the tests measure, printed behind the results."""

_lines: list[tuple[str, str]] = []


def measured(what: str, value: str) -> None:
    """Keep a figure for the table at the end of the run."""
    _lines.append((what, value))


def kept() -> list[tuple[str, str]]:
    """Return what this process has measured."""
    return list(_lines)


def add(measured_elsewhere: list[tuple[str, str]]) -> None:
    """Take what another process has measured into the table."""
    _lines.extend((what, value) for what, value in measured_elsewhere)


def lines() -> list[str]:
    """Return the table."""
    width = max((len(what) for what, _ in _lines), default=0)
    return [f"{what.ljust(width)}  {value}" for what, value in _lines]
