"""Recordings that were being made when the power went or the process ended: what is whole of them is kept.

A recording is a fragmented MP4, written and synchronised fragment by fragment, with its facts beside it from the start:
``.<name>.mp4`` and ``.<name>.json``. It is playable up to its last whole fragment.
"""

import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final

from vedette.whole_files import write_whole

logger = logging.getLogger(__name__)

_HEAD_BYTES: Final = 8
_LARGE: Final = 1


def whole_bytes(file: BinaryIO, size: int) -> int:
    """Return how many of a file's bytes are a movie: up to its last whole fragment; 0 where there is none."""
    position, whole, kinds = 0, 0, set[bytes]()
    while position + _HEAD_BYTES <= size:
        file.seek(position)
        head = file.read(2 * _HEAD_BYTES)
        length, kind = int.from_bytes(head[:4], "big"), head[4:8]
        if length == _LARGE:
            length = int.from_bytes(head[8:16], "big")
        if length < _HEAD_BYTES or position + length > size:
            break
        position += length
        kinds.add(kind)
        if kind == b"mdat" and {b"moov", b"moof"} <= kinds:
            whole = position
    return whole


def salvage(folder: Path) -> list[str]:
    """Put what is whole of interrupted recordings on the shelf, remove the rest; return the names that were saved."""
    saved = []
    for facts in sorted(folder.glob(".*.json")):
        name = facts.stem.removeprefix(".")
        half, movie = folder / f".{name}.mp4", folder / f"{name}.mp4"
        try:
            document = _mended(half if half.exists() else movie, json.loads(facts.read_text()))
        except (OSError, ValueError):
            document = None
        if document is None:
            for path in (half, facts):
                path.unlink(missing_ok=True)
            continue
        # First what is told of the movie: should the power go now, too, the next start finds both.
        write_whole(facts, facts_text(document), synced=True)
        if half.exists():
            half.replace(movie)
        facts.replace(folder / f"{name}.json")
        saved.append(name)
        logger.warning("recording %s was interrupted: %.1f s of it are kept", name, document["seconds"])
    return saved


def facts_text(facts: Mapping[str, Any]) -> bytes:
    """Return what the JSON beside a recording holds."""
    return (json.dumps(facts, indent=2) + "\n").encode()


def _mended(path: Path, facts: dict[str, Any]) -> dict[str, Any] | None:
    """Cut a movie to what is whole; return its facts, None where nothing can be played.

    :raises OSError: when it cannot be read.
    """
    if "seconds" in facts and not path.name.startswith("."):
        return facts  # whole, but for its facts' last step
    with path.open("r+b") as file:
        whole = whole_bytes(file, os.fstat(file.fileno()).st_size)
        file.truncate(whole)
    if not whole:
        return None
    import av

    try:
        with av.open(str(path)) as container:
            [stream] = container.streams.video
            times = [packet.pts for packet in container.demux(stream) if packet.pts is not None]
            seconds = float((times[-1] - times[0]) * (stream.time_base or 0)) if times else 0.0
    except (av.FFmpegError, ValueError):
        return None
    return {**facts, "seconds": round(seconds, 2), "frames": len(times), "interrupted": True} if times else None
