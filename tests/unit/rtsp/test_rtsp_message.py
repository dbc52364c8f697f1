"""Responses as servers send them, in one piece and byte by byte."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vedette.rtsp import RtspError
from vedette.rtsp.message import MAX_BODY_BYTES, MAX_HEAD_BYTES, Response, ResponseReader, encode_request

PLAIN = (
    b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Length: 5\r\n\r\nv=0\r\n",
    Response(200, "OK", (("cseq", "1"), ("content-length", "5")), b"v=0\r\n"),
)
CASES = [
    PLAIN,
    (b"RTSP/1.0 200 OK\nCSeq: 1\n\n", Response(200, "OK", (("cseq", "1"),), b"")),
    (b"RTSP/1.0 401\r\n\r\n", Response(401, "", (), b"")),
    (b"RTSP/1.0 404 Stream Not Found\r\n\r\n", Response(404, "Stream Not Found", (), b"")),
    (b"\r\n\r\nRTSP/1.0 200 OK\r\n\r\n", Response(200, "OK", (), b"")),
    (
        b"RTSP/1.0 401 Unauthorized\r\nWWW-Authenticate: Digest realm=\"a\",\r\n nonce=\"b\"\r\n\r\n",
        Response(401, "Unauthorized", (("www-authenticate", 'Digest realm="a", nonce="b"'),), b""),
    ),
    (b"$\x00\x00\x04abcd$\x01\x00\x00RTSP/1.0 200 OK\r\n\r\n", Response(200, "OK", (), b"")),
    (b"RTSP/1.0 200 OK\r\nServer: K\xf6ln\r\nnonsense\r\n\r\n", Response(200, "OK", (("server", "K\ufffdln"),), b"")),
]  # fmt: skip


@pytest.mark.parametrize(("data", "expected"), CASES)
def test_response_in_one_piece_and_byte_by_byte(data: bytes, expected: Response) -> None:
    whole = ResponseReader()
    whole.receive_data(data)
    assert whole.next_response() == expected
    assert whole.next_response() is None
    dripping = ResponseReader()
    for index in range(len(data) - 1):
        dripping.receive_data(data[index : index + 1])
        assert dripping.next_response() is None
    dripping.receive_data(data[-1:])
    assert dripping.next_response() == expected


def test_two_responses_in_one_piece() -> None:
    reader = ResponseReader()
    reader.receive_data(PLAIN[0] + b"RTSP/1.0 404 X\r\n\r\n")
    assert reader.next_response() == PLAIN[1]
    second = reader.next_response()
    assert second is not None
    assert second.code == 404


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"RTSP/1.0 OK\r\n\r\n",
        b"RTSP/1.0 2000 OK\r\n\r\n",
        b"RTSP/1.0 200 OK\r\nContent-Length: many\r\n\r\n",
        b"RTSP/1.0 200 OK\r\nContent-Length: -5\r\n\r\n",
        f"RTSP/1.0 200 OK\r\nContent-Length: {MAX_BODY_BYTES + 1}\r\n\r\n".encode(),
        b"RTSP/1.0 200 OK\r\n" + b"X: " + b"a" * MAX_HEAD_BYTES,
    ],
)
def test_what_is_no_response_is_refused(data: bytes) -> None:
    reader = ResponseReader()
    reader.receive_data(data)
    with pytest.raises(RtspError):
        reader.next_response()


@given(st.binary(max_size=300))
def test_no_bytes_bring_the_reader_down(data: bytes) -> None:
    reader = ResponseReader()
    reader.receive_data(data)
    try:
        while reader.next_response() is not None:
            pass
    except RtspError:
        pass


def test_request_is_encoded() -> None:
    assert encode_request("DESCRIBE", "rtsp://c/s", 2, [("Accept", "application/sdp")]) == (
        b"DESCRIBE rtsp://c/s RTSP/1.0\r\nCSeq: 2\r\nAccept: application/sdp\r\n\r\n"
    )


@pytest.mark.parametrize(("url", "header"), [("rtsp://c/a\r\nX: y", "v"), ("rtsp://c/a b", "v"), ("rtsp://c/", "v\nw")])
def test_request_that_would_break_out_of_its_line_is_refused(url: str, header: str) -> None:
    with pytest.raises(RtspError):
        encode_request("DESCRIBE", url, 1, [("X", header)])
