"""The times that the tests measure, printed behind the results."""

_lines: list[tuple[str, str]] = []


def measured(what: str, value: str) -> None:
    """Keep a figure for the table at the end of the run."""
    _lines.append((what, value))


def lines() -> list[str]:
    """Return the table."""
    width = max((len(what) for what, _ in _lines), default=0)
    return [f"{what.ljust(width)}  {value}" for what, value in _lines]
