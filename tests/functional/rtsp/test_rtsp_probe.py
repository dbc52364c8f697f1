"""The probe over real sockets: logins, redirects, and every way a server can fail."""

import shutil
import socket
import ssl
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tests.ports import closed_port
from vedette import rtsp
from vedette.rtsp.resolution import resolve

from .scripted_server import scripted

SDP = "v=0\r\ns=cam\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
DIGEST = 'WWW-Authenticate: Digest realm="cam", nonce="abc"\r\nWWW-Authenticate: Basic realm="cam"\r\n'


def reply(code: int, headers: str = "", body: str = "") -> bytes:
    return f"RTSP/1.0 {code} Reason\r\n{headers}Content-Length: {len(body)}\r\n\r\n{body}".encode()


OK = reply(200, "Server: Dock/1.0\r\n", SDP)


def test_open_stream() -> None:
    with scripted([OK]) as server:
        result = rtsp.probe(server.url())
    assert (result.authentication, result.server, result.peer) == (None, "Dock/1.0", "127.0.0.1")
    assert (result.video.codec_name, result.session.name) == ("H.264", "cam")
    assert server.requests[0].startswith(f"DESCRIBE {server.url()} RTSP/1.0\r\n")
    assert "Authorization" not in server.requests[0]


def test_strongest_login_is_used_and_the_login_of_the_arguments_comes_first() -> None:
    with scripted([reply(401, DIGEST), OK]) as server:
        url = server.url().replace("rtsp://", "rtsp://other:word@")
        result = rtsp.probe(url, "viewer", "pa:ss")
    assert result.authentication == "digest (MD5)"
    assert 'username="viewer"' in server.requests[1]
    assert f'uri="{server.url()}"' in server.requests[1]
    assert "pa:ss" not in "".join(server.requests)


def test_basic_login() -> None:
    with scripted([reply(401, 'WWW-Authenticate: Basic realm="x"\r\n'), OK]) as server:
        assert rtsp.probe(server.url(), "Aladdin", "open sesame").authentication == "basic"
    assert "Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==" in server.requests[1]


def test_server_that_closes_after_asking_for_the_login() -> None:
    with scripted([reply(401, DIGEST)], [OK]) as server:
        assert rtsp.probe(server.url(), "viewer", "x").authentication == "digest (MD5)"


def test_stale_nonce_is_answered_again() -> None:
    stale = reply(401, 'WWW-Authenticate: Digest realm="cam", nonce="new", stale=true\r\n')
    with scripted([reply(401, DIGEST), stale, OK]) as server:
        rtsp.probe(server.url(), "viewer", "x")
    assert 'nonce="new"' in server.requests[2]


def test_wrong_password_is_tried_once() -> None:
    with scripted([reply(401, DIGEST), reply(401, DIGEST)]) as server, pytest.raises(rtsp.LoginRefused) as raised:
        rtsp.probe(server.url(), "viewer", "x")
    assert raised.value.detail == "127.0.0.1 answered 401 to user viewer"
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("code", "user", "kind"),
    [
        (401, None, rtsp.PasswordNeeded),
        (403, None, rtsp.PasswordNeeded),
        (403, "viewer", rtsp.LoginRefused),
        (404, None, rtsp.StreamNotFound),
        (453, None, rtsp.Busy),
        (503, None, rtsp.Busy),
        (500, None, rtsp.AnswerRefused),
        (461, None, rtsp.TransportRefused),
    ],
)
def test_answers_by_code(code: int, user: str | None, kind: type[rtsp.ProbeError]) -> None:
    with scripted([reply(code)]) as server, pytest.raises(kind) as raised:
        rtsp.probe(server.url(), user, "x" if user else None)
    assert type(raised.value) is kind
    assert raised.value.code == code


def test_login_of_an_unknown_kind() -> None:
    challenge = reply(401, "WWW-Authenticate: Negotiate\r\n")
    with scripted([challenge]) as server, pytest.raises(rtsp.AnswerRefused, match="kind that is not known"):
        rtsp.probe(server.url(), "viewer", "x")


def test_redirect_on_the_same_host_is_followed() -> None:
    moved = reply(302, "Location: rtsp://127.0.0.1:PORT/new\r\n")
    with scripted([moved], [OK]) as server:
        assert rtsp.probe(server.url()).address.target == "/new"


def test_redirect_elsewhere_is_not_followed_with_the_password() -> None:
    moved = reply(302, "Location: rtsp://10.9.9.9/new\r\n")
    with scripted([moved]) as server, pytest.raises(rtsp.AnswerRefused, match=r"redirects to rtsp://10\.9\.9\.9/new"):
        rtsp.probe(server.url(), "viewer", "x")


def test_redirect_in_a_circle_ends() -> None:
    moved = [reply(302, "Location: rtsp://127.0.0.1:PORT/s\r\n")]
    with scripted(moved, moved, moved, moved) as server, pytest.raises(rtsp.AnswerRefused, match="circle"):
        rtsp.probe(server.url())


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"SSH-2.0-OpenSSH_9.2\r\n"])
def test_other_servers(answer: bytes) -> None:
    with scripted([answer]) as server, pytest.raises(rtsp.NotRtsp):
        rtsp.probe(server.url())


def test_hang_up() -> None:
    with scripted([]) as server, pytest.raises(rtsp.ConnectionClosed, match="closed the connection"):
        rtsp.probe(server.url())


def test_silence_has_a_bound() -> None:
    started = time.monotonic()
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(rtsp.Unreachable, match="has not answered"):
        rtsp.probe(f"rtsp://127.0.0.1:{silent.getsockname()[1]}/s", timeout_s=0.3)
    assert time.monotonic() - started < 10


def test_drip_of_bytes_has_a_bound() -> None:
    """A server that sends a byte now and then must not hold the probe for longer than its limit."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        stop = threading.Event()

        def drip() -> None:
            sock, _ = listener.accept()
            with sock:
                for byte in b"RTSP/1.0 200 OK\r\nServer: " + b"x" * 1000:
                    if stop.wait(0.05):
                        return
                    sock.sendall(bytes([byte]))

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        started = time.monotonic()
        try:
            with pytest.raises(rtsp.Unreachable):
                rtsp.probe(f"rtsp://127.0.0.1:{listener.getsockname()[1]}/s", timeout_s=0.5)
            assert time.monotonic() - started < 20
        finally:
            stop.set()
            thread.join(2)


def test_port_refused() -> None:
    with closed_port() as port:
        with pytest.raises(rtsp.PortRefused, match=f"127.0.0.1 refused port {port}: is RTSP switched on"):
            rtsp.probe(f"rtsp://127.0.0.1:{port}/s")


def test_name_unknown_and_a_resolver_that_never_answers() -> None:
    def unknown(host: str, port: int) -> list[Any]:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    released = threading.Event()

    def never(host: str, port: int) -> list[Any]:
        released.wait(60)
        return []

    with pytest.raises(rtsp.NameNotFound, match="Name dock-cam not found"):
        resolve("dock-cam", 554, 1.0, unknown)
    started = time.monotonic()
    with pytest.raises(rtsp.Unreachable, match="look-up"):
        resolve("dock-cam", 554, 0.2, never)
    assert time.monotonic() - started < 30
    released.set()


def test_tls_to_a_plain_port() -> None:
    with scripted([b"RTSP/1.0 400 Bad Request\r\n\r\n"]) as server, pytest.raises(rtsp.TlsFailed, match="TLS"):
        rtsp.probe(server.url(scheme="rtsps"), timeout_s=1.0)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl to make a certificate")
def test_certificate_that_is_not_trusted_and_one_that_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=dock",
            "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate),
        ],
        check=True, capture_output=True, timeout=30,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with scripted([OK], tls=context) as server, pytest.raises(rtsp.TlsFailed, match="not trusted"):
        rtsp.probe(server.url(scheme="rtsps"))
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with scripted([OK], tls=context) as server:
        assert rtsp.probe(server.url(scheme="rtsps")).address.tls
