"""What an application's processes report, checked: the application is not trusted to report what makes sense."""

from vedette_app_runtime import protocol


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
        and all(0 <= item < 2**53 for item in entry if isinstance(item, int))
    )
