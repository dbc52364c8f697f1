"""H.264 as Matroska holds it (ISO/IEC 14496-15): pictures with lengths, parameter sets apart. No I/O."""

from collections.abc import Iterable, Sequence
from typing import Final

from vedette.kinesis_video.matroska import Track
from vedette.kinesis_video.sps import SpsError, read_sps
from vedette.rtsp_server.access_unit import split_annex_b

_SPS, _PPS, _DELIMITER = 7, 8, 9
_HIGH: Final = frozenset({100, 110, 122, 144, 244})
"""Profiles whose record says chroma and depth once more (14496-15, 5.3.3.1.2)."""


def nals_of(data: bytes) -> tuple[bytes, ...]:
    """Return the NAL units of a byte stream with start codes."""
    return split_annex_b(data)


def sample(nals: Iterable[bytes]) -> bytes:
    """Return one picture as a sample: each NAL unit behind its length of four bytes.

    Parameter sets and delimiters are left out: they stand in the track's header, as ``avc1`` has it.
    """
    kept = (nal for nal in nals if nal and nal[0] & 0x1F not in (_SPS, _PPS, _DELIMITER))
    return b"".join(len(nal).to_bytes(4, "big") + nal for nal in kept)


def track_of(nals: Sequence[bytes]) -> Track | None:
    """Return what the parameter sets among ``nals`` say; None when they are not whole or cannot be read."""
    try:
        record = configuration_record(nals)
        if record is None:
            return None
        size = read_sps(next(nal for nal in nals if nal and nal[0] & 0x1F == _SPS and len(nal) > 3))
    except SpsError:
        return None
    return Track(record, size.width, size.height)


def configuration_record(nals: Iterable[bytes]) -> bytes | None:
    """Return the AVCDecoderConfigurationRecord of the parameter sets among ``nals``; None when a set is missing.

    :raises SpsError: when one cannot be read
    """
    found = tuple(nals)
    sps = _distinct(nal for nal in found if nal and nal[0] & 0x1F == _SPS and len(nal) > 3)
    pps = _distinct(nal for nal in found if nal and nal[0] & 0x1F == _PPS)
    if not sps or not pps:
        return None
    first = sps[0]
    record = bytes([1, first[1], first[2], first[3], 0xFC | 3, 0xE0 | len(sps)])
    record += b"".join(len(nal).to_bytes(2, "big") + nal for nal in sps)
    record += bytes([len(pps)]) + b"".join(len(nal).to_bytes(2, "big") + nal for nal in pps)
    if first[1] in _HIGH:
        facts = read_sps(first)
        record += bytes([0xFC | facts.chroma, 0xF8 | facts.luma_depth - 8, 0xF8 | facts.chroma_depth - 8, 0])
    return record


def _distinct(nals: Iterable[bytes]) -> Sequence[bytes]:
    return list(dict.fromkeys(nals))[:31]
