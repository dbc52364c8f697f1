"""What viewers send: requests, transports, logins; nonsense never ends in another error than the named one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vedette.rtsp.authentication import authorize, parse_challenges
from vedette.rtsp.errors import RtspError
from vedette.rtsp_server import Login
from vedette.rtsp_server.requests import RequestReader, encode_answer
from vedette.rtsp_server.transport import Datagrams, Interleaved, parse

REQUEST = b"PLAY rtsp://host/a RTSP/1.0\r\nCSeq: 4\r\nSession: x\r\nContent-Length: 3\r\n\r\nabc"


@given(st.lists(st.integers(1, len(REQUEST) * 2), max_size=8))
def test_a_request_in_pieces_is_not_found(cuts: list[int]) -> None:
    stream = b"\r\n" + REQUEST + b"$\x01\x00\x04RTCP" + REQUEST
    reader, found, position = RequestReader(), [], 0
    for end in [*sorted(cuts), len(stream)]:
        reader.receive_data(stream[position:end])
        position = max(position, end)
        while (request := reader.next_request()) is not None:
            found.append(request)
    assert [(request.method, request.url, request.sequence) for request in found] == [
        ("PLAY", "rtsp://host/a", "4")
    ] * 2
    assert not reader.partial


@given(st.binary(max_size=300))
def test_garbage_ends_in_a_traceback(garbage: bytes) -> None:
    reader = RequestReader()
    reader.receive_data(garbage + b"\r\n\r\n")
    try:
        while reader.next_request() is not None:
            pass
    except RtspError:
        pass


def test_a_head_without_an_end_is_kept_for_ever() -> None:
    reader = RequestReader()
    reader.receive_data(b"PLAY rtsp://host/a RTSP/1.0\r\n" + b"X: y\r\n" * 4000)
    with pytest.raises(RtspError, match="over 16384 bytes"):
        reader.next_request()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("RTP/AVP/TCP;unicast;interleaved=2-3", [Interleaved(2, 3)]),
        ("RTP/AVP/TCP;unicast", [Interleaved(0, 1)]),
        ("RTP/AVP;unicast;client_port=5000-5001", [Datagrams(5000, 5001)]),
        ("RTP/AVP/UDP;unicast;client_port=5000", [Datagrams(5000, 5001)]),
        ("RTP/AVP;multicast,RTP/AVP/TCP;interleaved=0-1", [Interleaved(0, 1)]),
        ("RTP/AVP;unicast;client_port=22-23", []),
        ("RTP/AVP;unicast;client_port=5000-99999", []),
        ("RTP/AVP/TCP;interleaved=x-y", []),
        ("RTP/SAVP;unicast;client_port=5000-5001", []),
        ("", []),
    ],
)
def test_transport_is_misread(value: str, expected: list[object]) -> None:
    assert parse(value) == expected


@pytest.mark.parametrize("method", ["digest", "basic"])
def test_login_that_is_wrong_is_let_in(method: str) -> None:
    login = Login("viewer", "p:ss", method)  # type: ignore[arg-type]
    (challenge,) = parse_challenges([login.challenge("n1")])

    def answer(user: str, password: str, verb: str = "PLAY") -> str:
        return authorize(challenge, method=verb, uri="rtsp://h/a", user=user, password=password, client_nonce="c")

    assert login.accepts(answer("viewer", "p:ss"), "PLAY", "n1")
    for wrong in (answer("viewer", "p"), answer("other", "p:ss"), "", "Digest", "Basic !", "Basic eA==", None):
        assert not login.accepts(wrong, "PLAY", "n1")
    if method == "digest":
        assert not login.accepts(answer("viewer", "p:ss"), "PLAY", "n2"), "an answer to another challenge"
        assert not login.accepts(answer("viewer", "p:ss", "DESCRIBE"), "PLAY", "n1")
    assert "p:ss" not in repr(login)


def test_answer_repeats_no_number() -> None:
    reader = RequestReader()
    reader.receive_data(REQUEST)
    request = reader.next_request()
    assert encode_answer(request, 200, [("A", "b")], b"xy") == (
        b"RTSP/1.0 200 OK\r\nCSeq: 4\r\nServer: Vedette\r\nA: b\r\nContent-Length: 2\r\n\r\nxy"
    )
