"""Addresses as people write them (CAM-07)."""

import pytest

from vedette.rtsp import AddressError
from vedette.rtsp.address import parse


@pytest.mark.parametrize(
    ("url", "host", "port", "target", "again"),
    [
        ("rtsp://10.0.0.21/stream1", "10.0.0.21", 554, "/stream1", "rtsp://10.0.0.21/stream1"),
        ("rtsp://10.0.0.21:8554", "10.0.0.21", 8554, "", "rtsp://10.0.0.21:8554"),
        ("rtsps://cam/a", "cam", 322, "/a", "rtsps://cam/a"),
        (
            "rtsp://cam/cam/realmonitor?channel=1&subtype=0",
            "cam", 554, "/cam/realmonitor?channel=1&subtype=0",
            "rtsp://cam/cam/realmonitor?channel=1&subtype=0",
        ),
        ("rtsp://[fe80::1]:554/x", "fe80::1", 554, "/x", "rtsp://[fe80::1]/x"),
        ("rtsp://[::1]:8554/x", "::1", 8554, "/x", "rtsp://[::1]:8554/x"),
        ("  rtsp://cam/main stream ", "cam", 554, "/main%20stream", "rtsp://cam/main%20stream"),
        ("rtsp://cam/a%20b", "cam", 554, "/a%20b", "rtsp://cam/a%20b"),
    ],
)  # fmt: skip
def test_address_is_taken_apart(url: str, host: str, port: int, target: str, again: str) -> None:
    address, user, password = parse(url)
    assert (address.host, address.port, address.target, address.url) == (host, port, target, again)
    assert (user, password) == (None, None)


def test_login_in_the_address_is_separated_and_decoded() -> None:
    address, user, password = parse("rtsp://viewer:p%40ss@cam/s")
    assert (address.url, user, password) == ("rtsp://cam/s", "viewer", "p@ss")


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://cam/x", "starts with rtsp:// or rtsps://, got http://"),
        ("cam/x", "got no scheme"),
        ("rtsp:///x", "names no host"),
        ("rtsp://cam:99999/x", "malformed host or port"),
        ("rtsp://cam:0/x", "port 0"),
        ("rtsp://[::1/x", "malformed host or port"),
    ],
)
def test_what_is_no_address_is_said(url: str, says: str) -> None:
    with pytest.raises(AddressError, match=says.replace("[", r"\[")):
        parse(url)


def test_error_about_an_address_shows_no_password() -> None:
    with pytest.raises(AddressError) as raised:
        parse("rtsp://viewer:geheim@cam:99999/x")
    assert "geheim" not in str(raised.value)
