"""Cameras that are not ours: GStreamer's RTSP server, with every login, transport and codec that it has."""

import json
from pathlib import Path

import pytest

from vedette.messages import CameraSource, CameraState

from .camera_clips import write_clip
from .conftest import PASSWORD, USER, Stand, take
from .gstreamer_peer import PACKAGES, GStreamerServer, installed

pytestmark = pytest.mark.skipif(not installed(), reason=f"needs the packages {PACKAGES}")


@pytest.mark.parametrize(
    ("codec", "transport", "auth"),
    [("h264", "tcp", "digest"), ("h264", "udp", "basic"), ("h265", "udp", "digest"), ("h265", "tcp", None)],
)
def test_gstreamers_server(stand: Stand, clips: dict[str, Path], codec: str, transport: str, auth: str | None) -> None:
    stand.bus.secrets["vedette/dock"] = json.dumps({"Username": USER, "Password": PASSWORD})
    streams = {codec: clips[codec]}
    with GStreamerServer(streams, USER if auth else None, PASSWORD, auth=auth) as server:  # type: ignore[arg-type]
        secret = "vedette/dock" if auth else None
        stand.want(
            CameraSource.model_validate(
                {"name": "dock", "url": server.url(codec), "secret": secret, "transport": transport}
            )
        )
        reader = stand.reader()
        # Longer than the clip: over its seam, too.
        take(reader, 40, 30.0)
        assert stand.wait_for_state(CameraState.LIVE, 30.0).codec == {"h264": "H.264", "h265": "H.265"}[codec]
        reader.close()


@pytest.mark.parametrize(
    ("size", "delivered", "transport"), [((640, 480), (640, 480), "udp"), ((2560, 1440), (1920, 1080), "tcp")]
)
def test_motion_jpeg_of_gstreamers_server(
    stand: Stand, tmp_path: Path, size: tuple[int, int], delivered: tuple[int, int], transport: str
) -> None:
    """Over 2040 pixels too, which RFC 2435's header has no room for: the description says how large."""
    width, height = size
    luma = 140
    clip = write_clip(
        tmp_path / "j.mov", width=width, height=height, codec="mjpeg", pixel_format="yuvj420p", frames=5, luma=luma
    )
    with GStreamerServer({"jpeg": clip}) as server:
        stand.want(CameraSource.model_validate({"name": "dock", "url": server.url("jpeg"), "transport": transport}))
        reader = stand.reader()
        (lease,) = take(reader, 1, 30.0)
        pixel = lease.buffer[lease.header.width * lease.header.height // 2]
        take(reader, 10, 30.0)
        status = stand.wait_for_state(CameraState.LIVE, 30.0)
        assert (status.codec, status.source_width, status.width, status.height) == ("MJPEG", width, *delivered)
        # Full range becomes video range: 16 + 140 * 219 / 255.
        assert abs(pixel - 136) <= 2
        reader.close()
