"""Streams that somebody publishes: who looks at them, what is kept for the slow, what becomes of the hostile."""

import contextlib
import logging
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from vedette.rtsp_server import H264, LiveMount, Login, RtspServer, StreamServer, access_unit

OPTIONS = {"rtsp_transport": "tcp", "fpsprobesize": "0", "analyzeduration": "300000"}
PATIENCE_S = 30.0


class Maker:
    """Encodes a grey that grows lighter, at 25 fps, and only while somebody looks."""

    def __init__(self) -> None:
        self.seen: list[bool] = []
        self.mount = LiveMount(H264, fps=25, watched=self._watched, key_wanted=self._begin_anew, linger_s=0.2)
        self.on = threading.Event()
        self._stop = threading.Event()
        self._key = threading.Event()
        self._thread = threading.Thread(target=self._make)
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._thread.join(PATIENCE_S)

    def _watched(self, watched: bool) -> None:
        self.seen.append(watched)
        (self.on.set if watched else self.on.clear)()

    def _begin_anew(self) -> None:
        self._key.set()

    def _make(self) -> None:
        encoder: Any = av.CodecContext.create("libx264", "w")
        encoder.width, encoder.height, encoder.pix_fmt = 320, 240, "yuv420p"
        encoder.time_base, encoder.framerate = Fraction(1, 25), Fraction(25)
        encoder.options = {"preset": "ultrafast", "tune": "zerolatency", "g": "1000", "forced-idr": "1"}
        number = 0
        while not self._stop.wait(0.04):
            if not self.on.is_set():
                continue
            frame = av.VideoFrame(320, 240, "yuv420p")
            for plane in frame.planes:
                plane.update(bytes([number % 256]) * plane.buffer_size)
            frame.pts, frame.time_base = number, Fraction(1, 25)
            if self._key.is_set():
                self._key.clear()
                frame.pict_type = av.video.frame.PictureType.I
            for packet in encoder.encode(frame):
                wall_ns = time.time_ns()
                self.mount.publish(
                    access_unit(H264, bytes(packet), pts_ns=number * 40_000_000, wall_ns=wall_ns - 5_000_000_000)
                )
            number += 1


@pytest.fixture
def maker() -> Iterator[Maker]:
    made = Maker()
    yield made
    made.close()


def until(test: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not test():
        assert time.monotonic() < deadline, f"waited for {what}"
        threading.Event().wait(0.02)


def pictures(url: str, count: int, options: dict[str, str] = OPTIONS) -> Iterator[Any]:
    with av.open(url, options=options, timeout=PATIENCE_S) as container:
        for packet in container.demux(video=0):
            for _ in packet.decode():
                yield packet
                count -= 1
            if count <= 0:
                return


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_it_is_made_for_nobody_or_not_made_for_somebody(maker: Maker, transport: str) -> None:
    with StreamServer(port=0) as server:
        server.add("/door", maker.mount)
        assert not maker.mount.is_watched
        packets = list(pictures(server.url("door"), 20, {**OPTIONS, "rtsp_transport": transport}))
        assert len(packets) >= 20
        # The time of capture travels in the sender reports.
        told = [packet for packet in packets if packet.has_sidedata("prft")]
        assert told, "no time of capture"
        captured_us = int.from_bytes(bytes(told[-1].get_sidedata("prft"))[:8], "little")
        assert 4 < time.time() - captured_us / 1e6 < 5 + PATIENCE_S
        until(lambda: maker.seen == [True, False], "the end of the last viewer to be told")
        assert maker.mount.viewers == server.viewers("door") == 0


def test_a_slow_viewer_holds_up_the_others_or_the_memory(maker: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vedette.rtsp_server.viewer.MOST_WAITING_BYTES", 20_000)
    # On a busy machine what follows may take longer than a viewer may be stuck.
    monkeypatch.setattr("vedette.rtsp_server.viewer.MOST_STUCK_S", 10 * PATIENCE_S)
    with StreamServer(port=0) as server, socket.create_connection(("127.0.0.1", server.port)) as slow:
        server.add("door", maker.mount)
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        play(slow, server.url("door"))
        # It never reads again; others do, and get a picture each time.
        until(lambda: maker.mount._viewers, "the viewer to be there")
        (viewer,) = maker.mount._viewers
        big = access_unit(H264, b"\x00\x00\x01\x65" + b"\x55" * 400_000, pts_ns=0, wall_ns=0)
        for _ in range(40):
            maker.mount.publish(big)
        until(lambda: viewer.left_out, "pictures to be left out")
        assert viewer._wire.waiting_bytes < 2_000_000
        assert len(list(pictures(server.url("door"), 5))) == 5


def test_path_is_removed_and_still_served(maker: Maker) -> None:
    with StreamServer(port=0) as server:
        server.add("door", maker.mount)
        stream = pictures(server.url("door"), 10_000)
        next(stream)
        server.remove("door")
        with contextlib.suppress(av.FFmpegError):
            for _ in stream:
                pass
        with pytest.raises(av.error.HTTPNotFoundError):
            next(pictures(server.url("door"), 1))


@pytest.mark.parametrize(
    "attack",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01" + bytes(200),
        b"DESCRIBE rtsp://x/door RTSP/1.0\r\nCSeq: x\r\n\r\n",
        b"DESCRIBE rtsp://x/door RTSP/1.0\r\nContent-Length: 99999999\r\n\r\n",
        b"PLAY " + b"A" * 20_000,
    ],
)
def test_garbage_ends_more_than_its_own_connection(
    maker: Maker, attack: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with StreamServer(port=0) as server, caplog.at_level(logging.WARNING):
        server.add("door", maker.mount)
        with socket.create_connection(("127.0.0.1", server.port)) as sock:
            sock.settimeout(PATIENCE_S)
            sock.sendall(attack)
            assert sock.recv(4096).startswith(b"RTSP/1.0 400")
            with contextlib.suppress(ConnectionError):
                assert sock.recv(4096) == b""
        assert len(list(pictures(server.url("door"), 1))) == 1
    assert "failed" not in caplog.text


def test_one_viewer_too_many_is_served_or_who_only_connects_keeps_viewers_out(
    maker: Maker, caplog: pytest.LogCaptureFixture
) -> None:
    with StreamServer(port=0, most_connections=2) as server, contextlib.ExitStack() as stack:
        server.add("door", maker.mount)

        def connect() -> socket.socket:
            return stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))

        idle = connect()
        ask(idle, f"OPTIONS {server.url('door')} RTSP/1.0")
        first = connect()
        play(first, server.url("door"))
        play(connect(), server.url("door"))
        assert closed(idle), "who plays comes before who waits"
        assert closed(connect()), "there is no room for a third"
        assert closed(connect())
        assert len([text for text in caplog.messages if "connections are refused" in text]) == 1
        first.close()
        until(lambda: server.viewers("door") == 1, "a place to be free again")
        assert len(list(pictures(server.url("door"), 1))) == 1


def test_hundreds_of_connections_of_one_host_keep_others_out(maker: Maker) -> None:
    with StreamServer(port=0) as server, contextlib.ExitStack() as stack:
        server.add("door", maker.mount)
        stream = pictures(server.url("door"), 10_000)
        next(stream)
        for number in range(300):
            sock = stack.enter_context(socket.socket())
            sock.bind(("127.0.0.2", 0))
            sock.connect(("127.0.0.1", server.port))
            if number % 3 == 0:
                with contextlib.suppress(ConnectionError):
                    sock.sendall(b"DESCRIBE rtsp://x/door RTSP/1.0\r\nCSeq: 1\r\n")
        assert len(list(pictures(server.url("door"), 1))) == 1, "somebody else comes in"
        assert len([next(stream) for _ in range(5)]) == 5, "who plays goes on"
        assert len(server._visits) <= 64


def test_wrong_logins_are_tried_without_end(maker: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vedette.rtsp_server.connection._REFUSED_LOGIN_S", 0.01)
    with StreamServer(port=0, login=Login("viewer", "right", "basic")) as server:
        server.add("door", maker.mount)
        with socket.create_connection(("127.0.0.1", server.port)) as sock:
            sock.settimeout(PATIENCE_S)
            answers = 0
            wrong = f"DESCRIBE {server.url('door')} RTSP/1.0\r\nCSeq: 1\r\nAuthorization: Basic eDp5\r\n\r\n"
            with contextlib.suppress(ConnectionError):
                sock.sendall(wrong.encode() * 20)
                while chunk := sock.recv(65536):
                    answers += chunk.count(b"401 Unauthorized")
            assert answers == 8


def test_over_tls(maker: Maker, tmp_path: Path) -> None:
    certificate, key = certificate_for(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with StreamServer(port=0, tls=context, login=Login("viewer", "right")) as server:
        server.add("door", maker.mount)
        assert server.url("door").startswith("rtsps://")
        url = server.url("door").replace("://", "://viewer:right@")
        options = {**OPTIONS, "tls_verify": "1", "ca_file": str(certificate)}
        assert len(list(pictures(url, 5, options))) == 5
        with pytest.raises(av.FFmpegError):
            # Its certificate is nobody's whom this machine trusts.
            next(pictures(url, 1, {**OPTIONS, "tls_verify": "1", "ca_file": "/etc/ssl/certs/ca-certificates.crt"}))


def test_files_over_tls_from_a_process(clip: Path, tmp_path: Path) -> None:
    certificate, key = certificate_for(tmp_path)
    with RtspServer({"cam": clip}, certificate=(certificate, key)) as server:
        options = {**OPTIONS, "tls_verify": "1", "ca_file": str(certificate)}
        assert len(list(pictures(server.url("cam"), 5, options))) == 5


def closed(sock: socket.socket) -> bool:
    sock.settimeout(PATIENCE_S)
    try:
        return sock.recv(100) == b""
    except ConnectionError:
        return True


def certificate_for(folder: Path) -> tuple[Path, Path]:
    """Make a certificate for 127.0.0.1, good for a day."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    names = ["-subj", "/CN=camera", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "1"]
    subprocess.run(
        [*command, *names, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True, timeout=30
    )
    return certificate, key


def ask(sock: socket.socket, line: str, *headers: str) -> bytes:
    sock.settimeout(PATIENCE_S)
    sock.sendall("\r\n".join([line, "CSeq: 1", *headers, "", ""]).encode())
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += sock.recv(1)
    length = [line for line in answer.split(b"\r\n") if line.startswith(b"Content-Length")]
    for _ in range(int(length[0].split(b":")[1]) if length else 0):
        answer += sock.recv(1)
    return answer


def play(sock: socket.socket, url: str) -> None:
    assert b" 200 " in ask(sock, f"DESCRIBE {url} RTSP/1.0")
    answer = ask(sock, f"SETUP {url}/trackID=0 RTSP/1.0", "Transport: RTP/AVP/TCP;unicast;interleaved=0-1")
    session = next(line for line in answer.decode().split("\r\n") if line.startswith("Session")).partition(";")[0]
    assert b" 200 " in ask(sock, f"PLAY {url} RTSP/1.0", session)
