"""H.264 as Matroska holds it (ISO/IEC 14496-15): pictures with lengths, parameter sets apart. No I/O."""

from collections.abc import Iterable, Sequence

from vedette.rtsp_server.access_unit import split_annex_b

_SPS, _PPS, _DELIMITER = 7, 8, 9


def nals_of(data: bytes) -> tuple[bytes, ...]:
    """Return the NAL units of a byte stream with start codes."""
    return split_annex_b(data)


def sample(nals: Iterable[bytes]) -> bytes:
    """Return one picture as a sample: each NAL unit behind its length of four bytes.

    Parameter sets and delimiters are left out: they stand in the track's header, as ``avc1`` has it.
    """
    kept = (nal for nal in nals if nal and nal[0] & 0x1F not in (_SPS, _PPS, _DELIMITER))
    return b"".join(len(nal).to_bytes(4, "big") + nal for nal in kept)


def configuration_record(nals: Iterable[bytes]) -> bytes | None:
    """Return the AVCDecoderConfigurationRecord of the parameter sets among ``nals``; None when a set is missing."""
    found = tuple(nals)
    sps = _distinct(nal for nal in found if nal and nal[0] & 0x1F == _SPS and len(nal) > 3)
    pps = _distinct(nal for nal in found if nal and nal[0] & 0x1F == _PPS)
    if not sps or not pps:
        return None
    first = sps[0]
    record = bytes([1, first[1], first[2], first[3], 0xFC | 3, 0xE0 | len(sps)])
    record += b"".join(len(nal).to_bytes(2, "big") + nal for nal in sps)
    record += bytes([len(pps)]) + b"".join(len(nal).to_bytes(2, "big") + nal for nal in pps)
    if first[1] in (100, 110, 122, 144, 244):
        # High profiles say chroma and depth once more: 4:2:0 of 8 bits, what cameras and our encoder make.
        record += bytes([0xFC | 1, 0xF8, 0xF8, 0])
    return record


def _distinct(nals: Iterable[bytes]) -> Sequence[bytes]:
    return list(dict.fromkeys(nals))[:31]
