"""What comes out of an encoder's process, however it is cut, and what the device seems to have."""

import struct
from pathlib import Path
from typing import get_args

import pytest
from vedette_display.configuration import DisplayConfiguration

from vedette.hardware_encoding import WAYS, Carrier, Coded, candidates, way_of
from vedette.hardware_encoding.coded import ParameterSets
from vedette.hardware_encoding.gstreamer import FramedRtp, command
from vedette.hardware_encoding.libav import Messages
from vedette.rtsp_server import H264
from vedette.rtsp_server.access_unit import AccessUnit
from vedette.rtsp_server.rtp import Packer

SPS, PPS, IDR, SLICE = b"\x67sps", b"\x68pps", b"\x65\x88idr", b"\x41\x9aslice"
START = b"\0\0\0\1"


def joined(*units: bytes) -> bytes:
    return b"".join(START + unit for unit in units)


@pytest.mark.parametrize("step", [1, 3, 1000])
def test_pictures_of_a_process_depend_on_how_the_pipe_is_read(step: int) -> None:
    pictures = [Coded(joined(SPS, PPS, IDR), key=True), Coded(joined(SLICE) * 300, key=False)]
    messages = Messages()
    wire = Messages.encode(None) + b"".join(map(Messages.encode, pictures))
    assert not messages.ready
    found = [each for i in range(0, len(wire), step) for each in messages.receive_data(wire[i : i + step])]
    assert found == pictures
    assert messages.ready


@pytest.mark.parametrize("step", [1, 7, 100_000])
def test_pictures_of_a_pipeline_depend_on_how_the_pipe_is_read(step: int) -> None:
    packer = Packer(H264, ssrc=1, sequence=65530, offset=0, name="x")
    units = [
        AccessUnit((SPS, PPS, IDR * 900), 0, 0, key=True),
        AccessUnit((SLICE,), 66_000_000, 0, key=False),
    ]
    packets = [bytes(packet) for unit in units for packet in packer.packets(unit)]
    assert len(packets) > 3, "one picture is in several packets"
    wire = b"".join(struct.pack(">H", len(packet)) + packet for packet in packets)
    framed = FramedRtp()
    found = [each for i in range(0, len(wire), step) for each in framed.receive_data(wire[i : i + step])]
    assert found == [Coded(joined(SPS, PPS, IDR * 900), key=True), Coded(joined(SLICE), key=False)]


def test_key_frame_of_a_driver_that_sends_its_sets_once_cannot_be_begun_with() -> None:
    sets = ParameterSets()
    assert sets.complete(Coded(joined(SPS, PPS), key=False)) is None, "no picture of its own"
    assert sets.complete(Coded(joined(IDR), key=True)) == Coded(joined(SPS, PPS, IDR), key=True)
    assert sets.complete(Coded(joined(SLICE), key=False)) == Coded(joined(SLICE), key=False)
    again = Coded(joined(b"\x09\xf0", SPS, PPS, IDR, SPS, PPS, IDR), key=True)
    assert sets.complete(again) == Coded(joined(b"\x09\xf0", SPS, PPS, IDR, IDR), key=True), "one picture of two slices"
    whole = Coded(joined(SPS, PPS, IDR), key=True)
    assert sets.complete(whole) is whole


def test_encoder_is_looked_for_where_the_device_has_none_or_missed_where_it_has_one(tmp_path: Path) -> None:
    def seem(*, built_in: bool = True, gstreamer: str | None = "/usr/bin/gst-launch-1.0") -> list[str]:
        found = candidates(dev=tmp_path, built_in=lambda _: built_in, which=lambda _: gstreamer)
        return [way.key for way in found]

    assert seem() == []
    (tmp_path / "nvhost-msenc").touch()
    assert seem() == ["jetson"]
    assert seem(gstreamer=None) == []
    (tmp_path / "dri").mkdir()
    (tmp_path / "dri" / "renderD128").touch()
    assert seem() == ["jetson", "qsv", "va", "valp", "vaapi", "amf"]
    assert seem(built_in=False) == ["jetson", "va", "valp", "vaapi"], "PyAV's wheel for aarch64 has neither"
    (tmp_path / "nvidia0").touch()
    assert seem()[0] == "nvenc"


def test_configuration_knows_other_encoders_than_there_are() -> None:
    named = get_args(DisplayConfiguration.model_fields["encoder"].annotation)
    assert set(named) == {"auto", "software", *(way.key for way in WAYS)}
    assert way_of("nvenc") is WAYS[0]
    for way in WAYS:
        if way.carrier is Carrier.GSTREAMER:
            pipeline = command(way.element, 1920, 1080, 15, 15, 4_000_000)
            assert not [part for part in pipeline if "{" in part]
