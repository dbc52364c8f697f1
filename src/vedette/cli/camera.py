"""``vedette camera test``: what a camera answers, step by step, or the exact reason why it does not."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from vedette.cli.arguments import read_cameras, read_known_cameras
from vedette.cli.credentials import Credentials
from vedette.cli.failure import EXIT_FAILED, Failure
from vedette.cli.running import running_cameras
from vedette.cli.terminal import Terminal
from vedette.messages import CameraSource
from vedette.rtsp import ProbeError, ProbeResult, RtspError, probe

_OPEN_TIMEOUT_S: Final = 8.0
_READ_TIMEOUT_S: Final = 5.0
_LONG_KEY_INTERVAL_S: Final = 4.0


@dataclass(frozen=True)
class Playing:
    """What a few seconds of playing showed."""

    codec: str
    width: int
    height: int
    first_picture_s: float
    frames: int
    fps: float
    seconds: float
    key_interval_s: float | None
    """Longest distance of two key frames; None when there was one at most."""
    cpu_ms_a_frame: float


def test_camera(
    target: str,
    credentials: Credentials,
    terminal: Terminal,
    *,
    cameras_file: Path | None,
    transport: str,
    seconds: float,
    as_json: bool,
) -> int:
    """Ask the camera and play it for a while; 0 when pictures came.

    ``target`` is an RTSP URL, a video file, or the name of a known camera.
    """
    known = {**running_cameras(), **read_known_cameras(cameras_file)}
    cameras = read_cameras(
        [f"camera={target}"], credentials, known=known, transport="udp" if transport == "udp" else "tcp"
    )
    source = cameras.sources["camera"][0]
    secret = cameras.secrets.get(source.secret or "", {})
    url = source.url or secret.get("StreamUrl", "")
    user, password = secret.get("Username") or None, secret.get("Password")
    report: dict[str, Any] = {"schema": "vedette.camera-test/1", "ok": False, "url": url}
    try:
        if url.startswith(("rtsp://", "rtsps://")):
            _say_probe(_probed(url, user, password), user, report, terminal)
        playing = _play(source, url, user, password, seconds)
        _say_playing(playing, terminal)
        report |= {"ok": True, "playing": asdict(playing)}
    except Failure as failure:
        report["error"] = failure.message
        terminal.failed("camera", failure.message)
        if failure.hint:
            terminal.line(f"hint: {failure.hint}")
    if as_json:
        sys.stdout.write(json.dumps(report, indent=2) + "\n")
    return 0 if report["ok"] else EXIT_FAILED


def _probed(url: str, user: str | None, password: str | None) -> ProbeResult:
    try:
        return probe(url, user, password)
    except (ProbeError, RtspError) as error:
        raise Failure(str(error)) from error


def _say_probe(result: ProbeResult, user: str | None, report: dict[str, Any], terminal: Terminal) -> None:
    login = f"login accepted ({result.authentication}, user {user})" if result.authentication else "no login asked for"
    terminal.done("camera", f"{result.address.host} port {result.address.port} open · RTSP answers · {login}")
    report |= {
        "host": result.address.host,
        "port": result.address.port,
        "authentication": result.authentication,
        "server": result.server,
        "codec": result.video.codec_name,
    }


def _say_playing(playing: Playing, terminal: Terminal) -> None:
    terminal.done(
        "picture",
        f"{playing.codec} {playing.width}x{playing.height}, first picture after {playing.first_picture_s:.1f} s",
    )
    if playing.key_interval_s is not None and playing.key_interval_s > _LONG_KEY_INTERVAL_S:
        terminal.warn(
            "key frames", f"one every {playing.key_interval_s:.1f} s: a restart waits that long for a picture"
        )
        terminal.line("hint: set the I-frame interval to 1-2 s in the camera and switch off H.264+ (smart codec)")
    terminal.done(
        "rate",
        f"{playing.seconds:.0f} s: {playing.frames} frames, {playing.fps:.1f} fps, "
        f"{playing.cpu_ms_a_frame:.1f} ms CPU a frame",
    )


@contextmanager
def _opened(source: CameraSource, url: str, user: str | None, password: str | None) -> Iterator[Any]:
    import av

    from vedette.rtsp.address import parse

    if url.startswith(("http://", "https://")):
        scheme, _, rest = url.partition("://")
        login = f"{quote(user, safe='')}:{quote(password or '', safe='')}@" if user else ""
        location, options = f"{scheme}://{login}{rest}", {}
    elif "://" in url:
        location = parse(url)[0].with_login(user, password)
        options = {"rtsp_transport": source.transport, "analyzeduration": "200000"}
    else:
        location, options = url, {}
    try:
        with av.open(location, options=options, timeout=(_OPEN_TIMEOUT_S, _READ_TIMEOUT_S)) as container:
            if not container.streams.video:
                raise Failure("there is no video in this stream")
            yield container
    except (av.FFmpegError, OSError) as error:
        # Never the text of the error: libav puts the whole address with its password into it.
        raise Failure(
            f"the stream cannot be played ({type(error).__name__})", hint="try the other --transport, tcp or udp"
        ) from None


def _play(source: CameraSource, url: str, user: str | None, password: str | None, seconds: float) -> Playing:
    began, cpu = time.monotonic(), time.process_time()
    first: float | None = None
    frames = 0
    keys: list[float] = []
    with _opened(source, url, user, password) as container:
        stream = container.streams.video[0]
        for frame in container.decode(stream):
            now = time.monotonic()
            first = now if first is None else first
            frames += 1
            if frame.key_frame and frame.time is not None:
                keys.append(float(frame.time))
            if now - first >= seconds:
                break
        codec = stream.codec_context
        if first is None:
            raise Failure("the stream opened, but not one picture came out of it")
        elapsed = max(time.monotonic() - first, 1e-6)
        return Playing(
            codec=codec.name,
            width=codec.width,
            height=codec.height,
            first_picture_s=first - began,
            frames=frames,
            # A file is read as fast as it goes; what counts is the rate it was made for.
            fps=(frames - 1) / elapsed if "://" in url else float(stream.average_rate or 0),
            seconds=elapsed,
            key_interval_s=max((after - before for before, after in pairwise(keys)), default=None),
            cpu_ms_a_frame=(time.process_time() - cpu) / frames * 1000,
        )
