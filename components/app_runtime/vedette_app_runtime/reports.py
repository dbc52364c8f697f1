"""What an application's processes report, checked: the application is not trusted to report what makes sense."""

from typing import Final

from vedette_app_runtime import protocol

_MOST: Final = 2**53
"""Whatever counts more has not counted; sums and rates of less fit into every number format."""
_MOST_READS: Final = 1_000


def makes_sense(report: protocol.Report) -> bool:
    """Tell whether the numbers of a report can be added up; lists are looked at entry by entry, below."""
    counts = [report.gets, report.puts, report.calls, report.waiting, *report.reads.values()]
    return (
        len(report.reads) <= _MOST_READS
        and all(isinstance(each, int) and not isinstance(each, bool) and 0 <= each < _MOST for each in counts)
        and -1 <= report.call_ms < _MOST
        and 0 <= report.last_activity < _MOST
    )


def output_entries(report: protocol.Report) -> list[tuple[str, str, int, int, int, int]]:
    """Return (port, stream, frames, width, height, annotations left out) per stream, summed over processes."""
    sums: dict[tuple[str, str], list[int]] = {}
    for entry in report.outputs:
        if not _is(entry, str, str, int, int, int, int):
            continue
        port, stream, frames, width, height, left_out = entry
        before = sums.get((port, stream), [0, 0, 0, 0])
        sums[(port, stream)] = [before[0] + frames, width or before[1], height or before[2], before[3] + left_out]
    return [(port, stream, n[0], n[1], n[2], n[3]) for (port, stream), n in sums.items()]


def frames_got(report: protocol.Report) -> dict[int, int]:
    """Return how many frames of each camera were got, summed over processes."""
    frames: dict[int, int] = {}
    for entry in report.inputs:
        if _is(entry, int, int):
            frames[entry[0]] = frames.get(entry[0], 0) + entry[1]
    return frames


def _is(entry: object, *types: type) -> bool:
    return (
        isinstance(entry, list)
        and len(entry) == len(types)
        and all(isinstance(item, kind) and not isinstance(item, bool) for item, kind in zip(entry, types, strict=True))
        and all(0 <= item < _MOST for item in entry if isinstance(item, int))
    )
