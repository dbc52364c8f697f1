"""Packets between main process and worker."""

import pytest
from vedette_camera_ingest import channel
from vedette_camera_ingest.credentials import Credentials
from vedette_camera_ingest.failure import CaptureError
from vedette_camera_ingest.source import document_of

from vedette.messages import CameraSource, CameraState


def test_start_and_login_arrive_as_they_were_sent() -> None:
    source = CameraSource(name="dock", url="rtsp://10.0.0.21/s", secret="x", transport="udp")
    document = channel.decode(channel.encode(channel.start(source, "/w/s.sock", hardware=False)))
    received, path, hardware = channel.read_start(document)
    assert not hardware
    assert (document_of(received), path) == (document_of(source), "/w/s.sock")
    assert received.camera_id == source.camera_id
    login = Credentials("rtsp://10.0.0.21/s", "viewer", 'p"@\\ü')
    assert channel.read_answer(channel.decode(channel.encode(channel.credentials(login)))) == login


def test_denial_is_raised_with_its_state() -> None:
    packet = channel.encode(channel.denied(CaptureError(CameraState.SECRET_UNAVAILABLE, "missing")))
    with pytest.raises(CaptureError, match="missing") as raised:
        channel.read_answer(channel.decode(packet))
    assert raised.value.state is CameraState.SECRET_UNAVAILABLE


@pytest.mark.parametrize("packet", [b"", b"x", b"[]", b"{}", b'{"kind": 3}'])
def test_bad_packets_are_refused(packet: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - JSON's own error is one too
        channel.decode(packet)
