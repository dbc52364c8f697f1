"""The player over real sockets, against servers that do as some cameras do."""

import struct
import subprocess
import threading
from pathlib import Path

import av
import pytest

from vedette import rtsp
from vedette.rtsp import player as playing
from vedette.rtsp_server import RtspServer

from .scripted_server import Scripted, scripted

SDP = "v=0\r\ns=cam\r\na=control:*\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:track1\r\n"
SETUP = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nSession: 5;timeout=1\r\n"
IDR = b"\x65\x88\x01"


def reply(code: int, headers: str = "", body: str = "") -> bytes:
    return f"RTSP/1.0 {code} Reason\r\n{headers}Content-Length: {len(body)}\r\n\r\n{body}".encode()


def media(sequence: int, stamp: int = 0) -> bytes:
    packet = struct.pack(">BBHII", 0x80, 0xE0, sequence, stamp, 9) + IDR
    return b"$\x00" + struct.pack(">H", len(packet)) + packet


DESCRIBED = reply(200, "Content-Base: rtsp://127.0.0.1:PORT/s/\r\n", SDP)


def first(server: Scripted, count: int = 1, **options: str) -> list[rtsp.CodedPicture]:
    player = rtsp.play(server.url(), timeout_s=5.0, **options)  # type: ignore[arg-type]
    pictures = player.pictures()
    taken = [next(pictures) for _ in range(count)]
    player.close()
    return taken


def methods(server: Scripted) -> list[str]:
    return [request.partition(" RTSP")[0].replace(str(server.port), "PORT") for request in server.requests]


def test_pictures_before_the_answer_are_lost_or_the_wrong_addresses_asked() -> None:
    with scripted([DESCRIBED, reply(200, SETUP), media(1) + reply(200) + media(2, 3000)]) as server:
        pictures = first(server, 2)
    assert [picture.ticks for picture in pictures] == [0, 3000]
    assert pictures[1].pts_ns - pictures[0].pts_ns == 33_333_333
    assert methods(server) == [
        "DESCRIBE rtsp://127.0.0.1:PORT/s",
        "SETUP rtsp://127.0.0.1:PORT/s/track1",
        "PLAY rtsp://127.0.0.1:PORT/s/",
    ]
    assert "Session: 5\r\n" in server.requests[2]


def test_transport_that_the_server_has_not_got_is_the_end() -> None:
    with scripted([DESCRIBED, reply(461), reply(200, SETUP), reply(200) + media(1)]) as server:
        (picture,) = first(server, transport="udp")
    assert picture.key
    assert "client_port=" in server.requests[1]
    assert "interleaved=0-1" in server.requests[2]


def test_server_that_answers_with_another_transport_is_waited_for() -> None:
    datagrams = SETUP.replace("RTP/AVP/TCP;unicast;interleaved=0-1", "RTP/AVP;unicast;server_port=6000-6001")
    with (
        scripted([DESCRIBED, reply(200, datagrams), reply(200, SETUP), reply(461)]) as server,
        pytest.raises(rtsp.TransportRefused),
    ):
        first(server)


def test_stream_is_not_kept_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some servers know no GET_PARAMETER, and some have a new nonce by then."""
    monkeypatch.setattr(playing, "_SHORTEST_SESSION_S", 0.4)
    digest = 'WWW-Authenticate: Digest realm="cam", nonce="{}"{}\r\n'
    replies = [
        reply(401, digest.format("old", "")),
        DESCRIBED,
        reply(200, SETUP),
        reply(200) + media(1),
        reply(401, digest.format("new", ", stale=true")),
        reply(501),
        reply(200) + media(2),
    ]
    with scripted(replies) as server:
        player = rtsp.play(server.url(), "viewer", "pass", timeout_s=5.0)
        pictures = player.pictures()
        assert [next(pictures).key for _ in range(2)] == [True, True]
        player.close()
    asked = [request.split(" ", 1)[0] for request in server.requests]
    assert asked[4:7] == ["GET_PARAMETER", "GET_PARAMETER", "OPTIONS"]
    assert 'nonce="new"' in server.requests[5]


@pytest.mark.parametrize("end", ["hang-up", "bye"])
def test_end_of_the_stream_is_waited_out(end: str) -> None:
    bye = b"$\x01\x00\x08" + struct.pack(">BBHI", 0x81, 203, 1, 9)
    with scripted([DESCRIBED, reply(200, SETUP), reply(200) + media(1) + bye * (end == "bye")]) as server:
        player = rtsp.play(server.url())
        pictures = player.pictures()
        next(pictures)
        with pytest.raises(rtsp.ConnectionClosed, match="has ended the stream" if end == "bye" else "closed"):
            next(pictures)
        player.close()


def test_player_does_not_end_when_it_is_told_to() -> None:
    closing = threading.Event()
    with scripted([DESCRIBED, reply(200, SETUP), reply(200) + media(1), b""]) as server:
        player = rtsp.play(server.url(), closing=closing)
        pictures = player.pictures()
        next(pictures)
        closing.set()
        assert next(pictures, None) is None
        player.close()
    assert methods(server)[-1].startswith("TEARDOWN")


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    made, key = folder / f"{name}.pem", folder / f"{name}.key"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    files = ["-keyout", str(key), "-out", str(made), "-subj", f"/CN={name}", "-days", "1"]
    subprocess.run([*command, *files], check=True, capture_output=True, timeout=30)
    return made, key


def signed(folder: Path, authority: tuple[Path, Path], names: str) -> tuple[Path, Path]:
    made, key = folder / "signed.pem", folder / "signed.key"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    files = ["-keyout", str(key), "-out", str(made), "-subj", "/CN=camera", "-days", "1", "-addext"]
    by = ["-CA", str(authority[0]), "-CAkey", str(authority[1])]
    subprocess.run(
        [*command, *files, f"subjectAltName={names}", "-addext", "basicConstraints=critical,CA:FALSE", *by],
        check=True,
        capture_output=True,
        timeout=30,
    )
    return made, key


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(25):
            frame = av.VideoFrame(64, 48, "yuv420p")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def test_pinned_certificate_is_not_asked_for(clip: Path, tmp_path: Path) -> None:
    """The camera's own certificate, which bears no address, is good when it was given; another one is not."""
    own, other = certificate(tmp_path, "camera"), certificate(tmp_path, "other")
    with RtspServer({"cam": clip}, certificate=own) as server:
        for pinned in (None, other[0].read_text(), "no certificate"):
            with pytest.raises(rtsp.TlsFailed):
                rtsp.play(server.url("cam"), authority=pinned)
        player = rtsp.play(server.url("cam"), authority=own[0].read_text())
        assert next(player.pictures()).key
        player.close()


@pytest.mark.parametrize(("names", "good"), [("IP:127.0.0.1", True), ("DNS:another-camera,IP:127.0.0.2", False)])
def test_certificate_of_a_pinned_authority_is_good_for_another_camera(
    clip: Path, tmp_path: Path, names: str, good: bool
) -> None:
    authority = certificate(tmp_path, "authority")
    with RtspServer({"cam": clip}, certificate=signed(tmp_path, authority, names)) as server:
        if good:
            rtsp.play(server.url("cam"), authority=authority[0].read_text()).close()
            return
        with pytest.raises(rtsp.TlsFailed, match="another-camera"):
            rtsp.play(server.url("cam"), authority=authority[0].read_text())
