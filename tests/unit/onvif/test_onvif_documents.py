"""What strangers in the network answer is read without harm."""

from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vedette.onvif.envelope import Token, decode, encode, find, text_of
from vedette.onvif.errors import NotOnvif
from vedette.onvif.matches import decode_matches

MATCH = (
    '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body><ProbeMatches><ProbeMatch><XAddrs>{}</XAddrs>'
    "<Scopes>onvif://www.onvif.org/name/a%1Bb http://x</Scopes></ProbeMatch></ProbeMatches></s:Body></s:Envelope>"
)


@given(st.binary(max_size=400))
def test_garbage_ends_in_a_traceback(garbage: bytes) -> None:
    assert decode_matches(garbage, "10.0.0.9") == []


@pytest.mark.parametrize(
    ("addresses", "service"),
    [
        ("http://10.0.0.9/onvif/device_service", "http://10.0.0.9/onvif/device_service"),
        ("http://169.254.1.1/o http://10.0.0.9:8080/p", "http://10.0.0.9:8080/p"),
        ("http://127.0.0.1:9200/_all", "http://10.0.0.9:9200/_all"),
        ("https://[fe80::1]/x", "https://10.0.0.9/x"),
        ("file:///etc/passwd", None),
        ("http://a:b:c/", None),
        ("", None),
    ],
)
def test_address_elsewhere_is_asked(addresses: str, service: str | None) -> None:
    found = decode_matches(MATCH.format(addresses).encode(), "10.0.0.9")
    assert [camera.service for camera in found] == ([service] if service else [])
    assert all(camera.name == "ab" for camera in found), "no control characters on a terminal"


def test_password_stands_in_the_request() -> None:
    token = Token("view<er", "secret&", b"0123456789abcdef", datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc))
    document = encode("<Ask/>", token)
    assert b"secret" not in document
    assert "secret" not in repr(token)
    assert b"<u:Created>2026-01-02T03:04:05.000Z</u:Created>" in document
    assert b"view&lt;er" in document
    assert text_of(find(decode(document), "Ask")) == ""


@pytest.mark.parametrize(
    "document", [b"", b"<a/>", b"<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>", b"<a>" * 100, b"\x00", b" " * 2_000_000]
)
def test_document_that_is_no_envelope_is_read(document: bytes) -> None:
    with pytest.raises(NotOnvif):
        decode(document)
