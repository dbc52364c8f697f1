"""Pictures into RTP packets and back: nothing lost, nothing too long, the last packet marked."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vedette.rtsp_server import H264, H265, AccessUnit, Codec, access_unit, split_annex_b
from vedette.rtsp_server.access_unit import join_annex_b
from vedette.rtsp_server.jpeg import JpegError, payloads
from vedette.rtsp_server.rtp import MOST_PAYLOAD_BYTES, Packer

SPS, PPS = b"\x67\x64\x00\x1f\xac", b"\x68\xee\x3c\x80"
SECOND = 1_000_000_000


def unit(*nals: bytes, pts_ns: int = 0, wall_ns: int = 0, key: bool = True) -> AccessUnit:
    return AccessUnit(nals, pts_ns, wall_ns, key)


def packer(codec: Codec = H264, **numbers: int) -> Packer:
    return Packer(codec, **{"ssrc": 7, "sequence": 65_534, "offset": 0xFFFF_FF00, **numbers}, name="test")


def reassembled(packets: list[bytes], header: int) -> list[bytes]:
    """Return the NAL units in the packets, as RFC 6184 (header of 1 byte) and RFC 7798 (of 2) say."""
    nals: list[bytes] = []
    for packet in packets:
        payload = packet[12:]
        kind = payload[0] & 0x1F if header == 1 else payload[0] >> 1 & 0x3F
        if kind != (28 if header == 1 else 49):
            nals.append(payload)
            continue
        start, original = payload[header] & 0x80, payload[header] & 0x3F
        first = payload[0] & 0xE0 | original & 0x1F if header == 1 else payload[0] & 0x81 | original << 1
        if start:
            nals.append(bytes([first]) + payload[1:header] + payload[header + 1 :])
        else:
            nals[-1] += payload[header + 1 :]
    return nals


@given(st.lists(st.binary(min_size=1, max_size=5000), min_size=1, max_size=4), st.sampled_from(["H264", "H265"]))
def test_a_nal_unit_is_torn_or_a_packet_is_too_long(bodies: list[bytes], name: str) -> None:
    codec, head = (H264, b"\x65") if name == "H264" else (H265, b"\x26\x01")
    nals = [head + body for body in bodies]
    packets = list(packer(codec).packets(unit(*nals)))
    assert reassembled(packets, len(head)) == nals
    assert max(map(len, packets)) <= 12 + MOST_PAYLOAD_BYTES
    numbers = [struct.unpack(">H", packet[2:4])[0] for packet in packets]
    assert numbers == [(65_534 + index) & 0xFFFF for index in range(len(packets))]
    assert [packet[1] >> 7 for packet in packets] == [0] * (len(packets) - 1) + [1]


@given(st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=5))
def test_start_codes_are_taken_for_pictures(bodies: list[bytes]) -> None:
    # An encoder never lets three zeros or a start code stand inside a unit, nor a zero at its end.
    nals = tuple(b"\x41" + body.replace(b"\x00", b"\x80") for body in bodies)
    assert split_annex_b(join_annex_b(nals)) == nals
    assert split_annex_b(b"".join(b"\x00\x00\x01" + nal for nal in nals)) == nals


def test_report_and_pictures_tell_different_times() -> None:
    sender = packer(offset=1000)
    wall_ns = 1_800_000_000 * SECOND
    assert sender.next_stamp == 1000
    (packet,) = sender.packets(unit(b"\x65abc", pts_ns=50 * SECOND, wall_ns=wall_ns))
    assert struct.unpack(">I", packet[4:8])[0] == 1000
    assert [sender.next_stamp] == [None], "nobody knows when the next picture comes"
    report = sender.report(wall_ns + SECOND // 2)
    assert report is not None
    seconds, fraction, stamp, packets, octets = struct.unpack(">IIIII", report[8:28])
    assert (seconds, fraction) == (1_800_000_000 + 2_208_988_800, 1 << 31)
    assert stamp == 1000 + 45_000
    assert (packets, octets) == (1, 4)
    assert len(report) % 4 == len(sender.bye()) % 4 == 0


def test_parameter_sets_are_described_wrongly() -> None:
    picture = access_unit(H264, join_annex_b([b"\x09\xf0", SPS, PPS, b"\x65xyz"]), pts_ns=0, wall_ns=0)
    assert picture.key
    sets = H264.parameter_sets(picture.nals)
    assert sets == (SPS, PPS)
    assert H264.format_parameters(sets) == (
        "packetization-mode=1;profile-level-id=64001F;sprop-parameter-sets=Z2QAH6w=,aO48gA=="
    )
    assert H264.parameter_sets((SPS, b"\x65xyz")) == ()
    assert not access_unit(H264, join_annex_b([b"\x41xyz"]), pts_ns=0, wall_ns=0).key


@pytest.mark.parametrize("image", [b"", b"\xff\xd8", b"\xff\xd8\xff\xd9", b"GIF89a", b"\xff\xd8" + bytes(40)])
def test_a_broken_jpeg_ends_in_another_error(image: bytes) -> None:
    with pytest.raises(JpegError):
        list(payloads(image, 1400))
