"""One value of a metric, and a minute's worth of them. Codecs: no I/O."""

import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Datum:
    """A value, or several of one minute, of one metric."""

    name: str
    unit: str
    dimensions: tuple[tuple[str, str], ...]
    values: tuple[float, ...]
    counts: tuple[int, ...] = (1,)
    """How often each value was seen."""


def of_samples(name: str, unit: str, dimensions: tuple[tuple[str, str], ...], samples: Sequence[float]) -> Datum:
    """Return one datum for samples of a minute; equal ones (to three digits) are counted. CloudWatch takes 150."""
    counted: dict[float, int] = {}
    for sample in samples:
        value = float(f"{sample:.3g}")
        counted[value] = counted.get(value, 0) + 1
    return Datum(name, unit, dimensions, tuple(counted), tuple(counted.values()))


def pack(data: Sequence[Datum]) -> bytes:
    """Return the bytes of a batch for the disk."""
    rows = [[each.name, each.unit, each.dimensions, each.values, each.counts] for each in data]
    return zlib.compress(json.dumps(rows, separators=(",", ":")).encode(), 6)


def unpack(blob: bytes) -> list[Datum]:
    """Return the batch in ``blob``.

    :raises ValueError: when it is none
    """
    try:
        rows: Any = json.loads(zlib.decompress(blob))
        return [
            Datum(name, unit, tuple((key, value) for key, value in dimensions), tuple(values), tuple(counts))
            for name, unit, dimensions, values, counts in rows
        ]
    except (zlib.error, TypeError) as error:
        raise ValueError("not a batch of metrics") from error
