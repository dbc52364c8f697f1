"""Cameras that are not ours: GStreamer's RTSP server, with every login, transport and codec that it has."""

import json
from pathlib import Path

import pytest

from vedette.messages import CameraSource, CameraState

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
