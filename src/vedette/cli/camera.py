"""``vedette camera test``: what a camera answers, step by step, or the exact reason why it does not."""

import io
import json
import sys
import threading
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing
from dataclasses import asdict, dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import quote

from vedette.cli.arguments import read_cameras, read_known_cameras
from vedette.cli.credentials import Credentials
from vedette.cli.failure import EXIT_FAILED, Failure
from vedette.cli.running import running_cameras
from vedette.cli.tables import table
from vedette.cli.terminal import Terminal
from vedette.messages import CameraSource
from vedette.picture_decoding import DECODERS, NAMES
from vedette.redaction import split_credentials
from vedette.rtsp import CodedPicture, Media, Player, ProbeError, ProbeResult, RtspError, play, probe
from vedette.video_devices import DeviceAddressError, choose, is_device, libav_options, modes_of, parse_address

_OPEN_TIMEOUT_S: Final = 8.0
_FOLDER_FPS: Final = 1.0  # of vedette.CameraIngest, too
_READ_TIMEOUT_S: Final = 5.0
_LONG_KEY_INTERVAL_S: Final = 4.0
_IMAGE_SUFFIXES: Final = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")
_AT_ONCE: Final = 8
"""Cameras that are played at the same time: decoding takes the processor, and what is measured is theirs."""


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


@dataclass(frozen=True)
class TrialOptions:
    """How cameras are tried."""

    cameras_file: Path | None = None
    transport: str = "tcp"
    seconds: float = 5.0
    as_json: bool = False


def test_camera(target: str, credentials: Credentials, terminal: Terminal, options: TrialOptions) -> int:
    """Ask the camera and play it for a while; 0 when pictures came.

    ``target`` is a URL, a video file, a folder of images, or the name of a known camera.
    """
    report = _examined(target, credentials, terminal, options)
    if options.as_json:
        sys.stdout.write(json.dumps(report, indent=2) + "\n")
    return 0 if report["ok"] else EXIT_FAILED


def test_cameras(
    targets: Sequence[str], credentials: Credentials, terminal: Terminal, options: TrialOptions, *, every: bool
) -> int:
    """Try many cameras side by side and report on each; 0 when pictures came from all.

    :param every: all cameras known on this machine in addition
    :raises Failure: if there is none
    """
    known = sorted({**running_cameras(), **read_known_cameras(options.cameras_file)}) if every else []
    wanted = list(dict.fromkeys([*targets, *known]))
    if not wanted:
        raise Failure("no camera is known on this machine", hint="vedette camera fetch, or name them")
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        waiting = {pool.submit(_quietly, target, credentials, options): target for target in wanted}
        for number, done in enumerate(as_completed(waiting), 1):
            report = done.result()
            say = terminal.done if report["ok"] else terminal.failed
            say(f"{number}/{len(wanted)}", f"{_shown(waiting[done])}   {_verdict(report)}")
        reports = {target: future.result() for future, target in waiting.items()}
    ordered = [{"camera": _shown(target), **reports[target]} for target in wanted]
    if options.as_json:
        good = sum(1 for report in ordered if report["ok"])
        whole = {"schema": "vedette.camera-tests/1", "ok": good == len(ordered), "good": good, "cameras": ordered}
        sys.stdout.write(json.dumps(whole, indent=2) + "\n")
    else:
        rows = [(str(each["camera"]), "ok" if each["ok"] else "FAILED", _verdict(each)) for each in ordered]
        sys.stdout.write("\n".join(table(("CAMERA", "RESULT", "WHAT IT ANSWERS"), rows)) + "\n")
    return 0 if all(report["ok"] for report in ordered) else EXIT_FAILED


def _quietly(target: str, credentials: Credentials, options: TrialOptions) -> dict[str, Any]:
    try:
        report = _examined(target, credentials, Terminal(io.StringIO()), options)
        # The process's time is that of all cameras together.
        report.get("playing", {}).pop("cpu_ms_a_frame", None)
        return report
    except Failure as failure:  # of one that cannot even be asked; the others are
        return {"ok": False, "error": failure.message, **({"hint": failure.hint} if failure.hint else {})}


def _verdict(report: Mapping[str, Any]) -> str:
    if not report["ok"]:
        return str(report["error"])
    playing = report["playing"]
    login = f", {report['authentication']}" if report.get("authentication") else ""
    picture = f"{report.get('codec') or _codec(playing['codec'])} {playing['width']}x{playing['height']}"
    if "sub" in report:
        small = report["sub"]["playing"]
        picture += f" and {small['width']}x{small['height']}"
    return f"{picture}, {playing['fps']:.1f} fps{login}"


def _shown(target: str) -> str:
    return split_credentials(target)[0] if "://" in target else target


def _examined(target: str, credentials: Credentials, terminal: Terminal, options: TrialOptions) -> dict[str, Any]:
    known = {**running_cameras(), **read_known_cameras(options.cameras_file)}
    cameras = read_cameras(
        [f"camera={target}"], credentials, known=known, transport="udp" if options.transport == "udp" else "tcp"
    )
    source = cameras.sources["camera"][0]
    secret = cameras.secrets.get(source.secret or "", {})
    url = source.url or secret.get("StreamUrl", "")
    way = _Way(url, secret.get("Username") or None, secret.get("Password"), secret.get("Certificate"))
    report: dict[str, Any] = {"schema": "vedette.camera-test/1", "ok": False, "url": url}
    _examine(source, way, options, report, terminal)
    if source.sub:
        terminal.line("small stream, which applications get:")
        small: dict[str, Any] = {"ok": False, "url": source.sub}
        _examine(source, way._replace(url=source.sub), options, small, terminal)
        report["sub"] = small
        if report["ok"] and not small["ok"]:
            report |= {"ok": False, "error": f"the small stream: {small['error']}"}
    return report


def _examine(
    source: CameraSource, way: "_Way", options: TrialOptions, report: dict[str, Any], terminal: Terminal
) -> None:
    """Ask and play one stream, and write into ``report`` what came of it."""
    try:
        if way.url.startswith(("rtsp://", "rtsps://")):
            _say_probe(_probed(way), way.user, report, terminal)
        playing = _play(source, way, options.seconds)
        _say_playing(playing, terminal)
        report |= {"ok": True, "playing": asdict(playing)}
    except Failure as failure:
        report["error"] = failure.message
        terminal.failed("camera", failure.message)
        if failure.hint:
            terminal.line(f"hint: {failure.hint}")


def _probed(way: "_Way") -> ProbeResult:
    try:
        return probe(way.url, way.user, way.password, authority=way.certificate)
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
        f"{_codec(playing.codec)} {playing.width}x{playing.height},"
        f" first picture after {playing.first_picture_s:.1f} s",
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


def _codec(libav_name: str) -> str:
    return NAMES.get(libav_name, libav_name.upper())


class _Way(NamedTuple):
    """How a camera is reached: its address, the login, and the certificate it is known by."""

    url: str
    user: str | None
    password: str | None
    certificate: str | None


class _Seen(NamedTuple):
    """One picture: libav's frame and the name of its codec; ``rate`` is the stream's own, where it has one."""

    frame: Any
    codec: str
    rate: float | None = None


def _stream(source: CameraSource, way: _Way) -> Generator[_Seen, None, None]:
    """Yield the pictures of an RTSP stream."""
    player = play(
        way.url, way.user, way.password, transport=source.transport, playable=_check, authority=way.certificate
    )
    try:
        from vedette.picture_decoding import decoder_for, packet_of

        decoder, base = decoder_for(player.media), Fraction(1, player.media.clock_hz)
        for picture in _bounded(player):
            for frame in decoder.decode(packet_of(picture, base)):
                yield _Seen(frame, decoder.name)
    finally:
        player.close()


def _bounded(player: Player) -> Iterator[CodedPicture]:
    """Yield pictures until none has come for too long."""
    silent = threading.Timer(_READ_TIMEOUT_S, player.closing.set)
    silent.start()
    try:
        for picture in player.pictures():
            silent.cancel()
            yield picture
            silent = threading.Timer(_READ_TIMEOUT_S, player.closing.set)
            silent.start()
    finally:
        silent.cancel()


def _check(media: Media) -> None:
    if media.codec not in DECODERS:
        raise Failure(f"the camera sends {media.codec_name}", hint="set it to H.264, H.265 or MJPEG")


def _pictures(location: str) -> Generator[_Seen, None, None]:
    """Yield the pictures of what libav opens."""
    import av

    with av.open(location, timeout=(_OPEN_TIMEOUT_S, _READ_TIMEOUT_S)) as container:
        if not container.streams.video:
            raise Failure("there is no video in this stream")
        stream = container.streams.video[0]
        for frame in container.decode(stream):
            yield _Seen(frame, stream.codec_context.name, float(stream.average_rate or 0))


def _device(address: str) -> Generator[_Seen, None, None]:
    """Yield the pictures of a camera that is plugged in, in the mode that vedette.CameraIngest takes."""
    import av

    try:
        wanted = parse_address(address)
        options = libav_options(choose(modes_of(wanted.path), wanted))
        container = av.open(str(wanted.path), format="v4l2", options=options)
    except DeviceAddressError as error:
        raise Failure(str(error)) from error
    except (av.FFmpegError, OSError) as error:
        raise Failure(
            f"{address.partition('?')[0]} cannot be opened: {error.strerror}",
            hint="vedette camera discover lists the cameras that are plugged in; to use them takes the group video",
        ) from error
    with container:
        stream = container.streams.video[0]
        for frame in container.decode(stream):
            yield _Seen(frame, stream.codec_context.name)


def _folder(path: Path, rate: float) -> Generator[_Seen, None, None]:
    """Yield the images of a folder, in the order of their names; they are played at ``rate``, whatever libav thinks."""
    for each in sorted(path.iterdir()):
        if each.suffix.lower() in _IMAGE_SUFFIXES and not each.name.startswith("."):
            for seen in _pictures(str(each)):
                yield seen._replace(rate=rate)


def _seen(source: CameraSource, way: _Way) -> Generator[_Seen, None, None]:
    if way.url.startswith(("rtsp://", "rtsps://")):
        return _stream(source, way)
    if way.url.startswith(("http://", "https://")):
        scheme, _, rest = way.url.partition("://")
        login = f"{quote(way.user, safe='')}:{quote(way.password or '', safe='')}@" if way.user else ""
        return _pictures(f"{scheme}://{login}{rest}")
    if is_device(way.url):
        return _device(way.url)
    if Path(way.url).is_dir():
        return _folder(Path(way.url), source.max_fps or _FOLDER_FPS)
    return _pictures(way.url)


def _play(source: CameraSource, way: _Way, seconds: float) -> Playing:
    import av

    began, cpu = time.monotonic(), time.process_time()
    first: float | None = None
    last: _Seen | None = None
    frames = 0
    keys: list[float] = []
    try:
        with closing(_seen(source, way)) as pictures:
            for last in pictures:
                now = time.monotonic()
                first = now if first is None else first
                frames += 1
                if last.frame.key_frame and last.frame.time is not None:
                    keys.append(float(last.frame.time))
                if now - first >= seconds:
                    break
    except (ProbeError, RtspError) as error:
        raise Failure(str(error)) from error
    except (av.FFmpegError, OSError) as error:
        # Never the text of the error: libav puts the whole address with its password into it.
        raise Failure(
            f"the stream cannot be played ({type(error).__name__})", hint="try the other --transport, tcp or udp"
        ) from None
    if first is None or last is None:
        raise Failure("the stream opened, but not one picture came out of it")
    elapsed = max(time.monotonic() - first, 1e-6)
    return Playing(
        codec=last.codec,
        width=last.frame.width,
        height=last.frame.height,
        first_picture_s=first - began,
        frames=frames,
        # A file is read as fast as it goes; what counts is the rate it was made for.
        fps=(frames - 1) / elapsed if last.rate is None or "://" in way.url else last.rate,
        seconds=elapsed,
        key_interval_s=max((after - before for before, after in pairwise(keys)), default=None),
        cpu_ms_a_frame=(time.process_time() - cpu) / frames * 1000,
    )
