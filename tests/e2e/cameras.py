"""Cameras for the tests: servers that play clips, and a clip slower than the others."""

import secrets
from fractions import Fraction
from pathlib import Path
from typing import Final
from urllib.parse import quote

import av

from vedette.rtsp_server import RtspServer

USER: Final = "viewer"


class Camera:
    """One RTSP server with digest login. Its password is a new one each time and found nowhere else."""

    def __init__(self, streams: dict[str, Path], *, port: int = 0, password: str | None = None) -> None:
        # Letters only: looked for in files, it must not depend on how a file quotes it.
        self.password = password or "plantedsecret" + secrets.token_hex(12)
        self.server = RtspServer(streams, USER, self.password, auth="digest", port=port)

    def url(self, path: str, *, password: str | None = None) -> str:
        """Return the address with credentials, as people type it."""
        scheme, _, rest = self.server.url(path).partition("://")
        return f"{scheme}://{USER}:{quote(password or self.password)}@{rest}"


def slow_clip(source: Path, target: Path, *, fps: int, seconds: int) -> Path:
    """Write the first pictures of ``source`` as H.264 at ``fps``, with a key frame every second."""
    with av.open(str(source)) as given, av.open(str(target), "w") as made:
        out = made.add_stream("libx264", rate=fps, options={"preset": "ultrafast", "bf": "0"})
        out.width, out.height, out.pix_fmt = 640, 480, "yuv420p"
        out.codec_context.gop_size = fps
        for number, frame in enumerate(given.decode(video=0)):
            if number == fps * seconds:
                break
            picture = frame.reformat(640, 480, "yuv420p")
            picture.pts, picture.time_base = number, Fraction(1, fps)
            made.mux(out.encode(picture))
        made.mux(out.encode())
    return target
