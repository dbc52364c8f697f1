"""What players and recorders do that no text prescribes: each by its bytes, so that it is tried without the player."""

import base64
import contextlib
import socket

import pytest

from vedette.rtsp_server import StreamServer

from .test_rtsp_live_streams import OPTIONS, PATIENCE_S, Maker, ask, maker, pictures, play, until

__all__ = ["maker"]
TCP = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1"


def header(answer: bytes, name: str) -> str:
    lines = [line for line in answer.decode().split("\r\n") if line.lower().startswith(f"{name.lower()}:")]
    return lines[0].partition(":")[2].strip()


def session_of(answer: bytes) -> str:
    return f"Session: {header(answer, 'Session').partition(';')[0]}"


def answer_of(sock: socket.socket, line: str, *headers: str) -> bytes:
    """Ask while pictures may come between."""
    sock.settimeout(PATIENCE_S)
    sock.sendall("\r\n".join([line, "CSeq: 9", *headers, "", ""]).encode())
    return next_answer(sock)


def next_answer(sock: socket.socket) -> bytes:
    while True:
        first = exactly(sock, 1)
        if first == b"$":
            exactly(sock, int.from_bytes(exactly(sock, 3)[1:], "big"))
            continue
        answer = first
        while not answer.endswith(b"\r\n\r\n"):
            answer += exactly(sock, 1)
        return answer


def exactly(sock: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = sock.recv(count - len(data))
        assert more, "the connection has ended"
        data += more
    return data


def test_what_recorders_do_ends_their_connection(maker: Maker) -> None:
    with StreamServer(port=0) as server, socket.create_connection(("127.0.0.1", server.port)) as sock:
        server.add("door", maker.mount)
        url = server.url("door")
        assert "PAUSE" in header(ask(sock, "OPTIONS * RTSP/1.0"), "Public")
        refused = ask(sock, f"DESCRIBE {url} RTSP/1.0", "Require: www.onvif.org/ver20/backchannel")
        assert b" 551 " in refused
        assert header(refused, "Unsupported") == "www.onvif.org/ver20/backchannel"
        assert b" 200 " in ask(sock, f"DESCRIBE {url}/ RTSP/1.0", "accept: application/sdp", "x-what: ever")
        assert b" 461 " in ask(sock, f"SETUP {url}/trackID=0 RTSP/1.0", "transport: RTP/AVP;multicast")
        # A second thought before PLAY: UDP, then the connection itself.
        assert b" 200 " in ask(
            sock, f"SETUP {url}/trackID=0 RTSP/1.0", "TRANSPORT: RTP/AVP;unicast;client_port=5000-5001"
        )
        own = session_of(ask(sock, f"SETUP {url}/trackID=0 RTSP/1.0", TCP))
        assert b" 454 " in ask(sock, f"PLAY {url} RTSP/1.0", "Session: 0123456789ABCDEF")
        live = ask(sock, f"PLAY {url} RTSP/1.0", own, "Range: npt=3600-", "Scale: 2.0")
        assert header(live, "Range") == "npt=0.000-", "nobody can seek in what has not been yet"
        assert exactly(sock, 1) == b"$"
        exactly(sock, int.from_bytes(exactly(sock, 3)[1:], "big"))
        assert b" 200 " in answer_of(sock, f"GET_PARAMETER {url} RTSP/1.0", own)
        assert b" 200 " in answer_of(sock, f"OPTIONS {url} RTSP/1.0", own)
        assert b" 455 " in answer_of(sock, f"SETUP {url}/trackID=0 RTSP/1.0", own, TCP)
        assert b" 200 " in answer_of(sock, f"PAUSE {url} RTSP/1.0", own)
        again = answer_of(sock, f"PLAY {url}/trackID=0 RTSP/1.0", own, "Range: clock=20200101T000000Z-")
        assert header(again, "Range") == "npt=now-"
        assert "rtptime" not in header(again, "RTP-Info"), "GStreamer would wait for a time that has been"
        assert b" 501 " in answer_of(sock, f"RECORD {url} RTSP/1.0", own)
        assert b" 200 " in answer_of(sock, f"TEARDOWN {url} RTSP/1.0", own)
        assert b" 455 " in answer_of(sock, f"PLAY {url} RTSP/1.0", own)
        until(lambda: not maker.mount.viewers, "the stream to end")
        # The next stream in the same connection.
        play(sock, url)
        assert exactly(sock, 1) == b"$"


def test_viewer_behind_an_address_translator_gets_nothing(maker: Maker) -> None:
    with StreamServer(port=0) as server, contextlib.ExitStack() as stack:
        server.add("door", maker.mount)
        url = server.url("door")
        sock = stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
        ask(sock, f"DESCRIBE {url} RTSP/1.0")
        told, seen, stranger = (stack.enter_context(socket.socket(type=socket.SOCK_DGRAM)) for _ in range(3))
        told.bind(("127.0.0.1", 0))
        seen.bind(("127.0.0.1", 0))
        stranger.bind(("127.0.0.3", 0))
        inside = told.getsockname()[1]
        answer = ask(sock, f"SETUP {url}/trackID=0 RTSP/1.0", f"Transport: RTP/AVP;unicast;client_port={inside}")
        port = int(header(answer, "Transport").partition("server_port=")[2].partition("-")[0])
        ask(sock, f"PLAY {url} RTSP/1.0", session_of(answer))
        # What ffmpeg and live555 send to open the way: a packet of RTP without anything in it.
        seen.sendto(b"\x80\x00" + bytes(10), ("127.0.0.1", port))
        stranger.sendto(b"\x80\x00" + bytes(10), ("127.0.0.1", port))
        for each in (seen, stranger):
            each.settimeout(PATIENCE_S if each is seen else 0.5)
        assert seen.recv(2048)[0] == 0x80
        with pytest.raises(TimeoutError):
            stranger.recv(2048)


def test_viewer_that_reaches_nothing_but_http_gets_nothing(maker: Maker) -> None:
    with StreamServer(port=0) as server:
        server.add("door", maker.mount)
        assert len(list(pictures(server.url("door"), 5, {**OPTIONS, "rtsp_transport": "http"}))) == 5
        until(lambda: not server._visits and not server._tunnels._open, "both connections to be forgotten")


def test_half_a_tunnel_or_a_foreign_half_is_believed(maker: Maker) -> None:
    head = "x-sessioncookie: abc\r\nAccept: application/x-rtsp-tunnelled\r\n\r\n"
    request = b"DESCRIBE rtsp://x/door RTSP/1.0\r\nCSeq: 1\r\n\r\n"

    def connect(stack: contextlib.ExitStack, port: int, text: str, host: str = "127.0.0.1") -> socket.socket:
        sock = stack.enter_context(socket.socket())
        sock.bind((host, 0))
        sock.connect(("127.0.0.1", port))
        sock.sendall(text.encode())
        sock.settimeout(PATIENCE_S)
        return sock

    with StreamServer(port=0) as server, contextlib.ExitStack() as stack:
        server.add("door", maker.mount)
        assert connect(stack, server.port, f"POST / HTTP/1.0\r\n{head}").recv(99).startswith(b"RTSP/1.0 400")
        looks = connect(stack, server.port, f"GET / HTTP/1.0\r\n{head}")
        assert looks.recv(4096).startswith(b"HTTP/1.0 200 OK\r\n")
        assert connect(stack, server.port, f"GET / HTTP/1.0\r\n{head}").recv(99).startswith(b"RTSP/1.0 400")
        foreign = connect(stack, server.port, f"POST / HTTP/1.0\r\n{head}", "127.0.0.4")
        assert foreign.recv(99).startswith(b"RTSP/1.0 400")
        garbage = connect(stack, server.port, f"POST / HTTP/1.0\r\n{head}!!!!!!!!")
        assert garbage.recv(99).startswith(b"RTSP/1.0 400")
        asks = connect(stack, server.port, f"POST / HTTP/1.0\r\n{head}")
        asks.sendall(base64.b64encode(request))
        assert next_answer(looks).startswith(b"RTSP/1.0 200 OK")
        looks.close()
        until(lambda: not server._tunnels._open, "the tunnel to end with what is looked through")
