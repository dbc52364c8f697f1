"""Who may see the page: names, origins, key and cookie; and requests that are none."""

from http import HTTPStatus
from pathlib import Path

import pytest
from vedette_display.access import Access, load_key
from vedette_display.configuration import ConfigurationError, read
from vedette_display.request import HttpError, Request, encode_head, parse_head
from vedette_display.site import Site

KEY = "k" * 43


def request(path: str = "/", query: dict[str, str] | None = None, **headers: str) -> Request:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request("GET", path, query or {}, {"host": "127.0.0.1:8790", **named})


def refused(status: HTTPStatus, access: Access, asked: Request, *checks: str) -> str:
    with pytest.raises(HttpError) as caught:
        for check in checks:
            getattr(access, check)(asked)
    assert caught.value.status is status
    return caught.value.words


@pytest.mark.parametrize("host", ["127.0.0.1:8790", "localhost:8790", "LOCALHOST", "[::1]:8790", "localhost:9999"])
def test_own_name_is_refused(host: str) -> None:
    Access(KEY, 8790).check_source(request(host=host))


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8790", "127.0.0.1.evil.example", "192.168.1.5:8790", ""]
)
def test_rebound_name_is_let_in(host: str) -> None:
    assert "hosts" in refused(HTTPStatus.MISDIRECTED_REQUEST, Access(KEY, 8790), request(host=host), "check_source")


def test_configured_name_is_refused() -> None:
    Access(KEY, 8790, ["shop.example"]).check_source(request(host="shop.example:8790"))


def test_address_of_the_device_is_refused_beyond_loopback() -> None:
    Access(KEY, 8790, loopback=False).check_source(request(host="192.168.1.5:8790"))
    Access(KEY, 8790, loopback=False).check_source(request(host="[fd00::1]:8790"))


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:9999", "https://"])
def test_foreign_page_is_let_in(origin: str) -> None:
    refused(HTTPStatus.FORBIDDEN, Access(KEY, 8790), request(origin=origin), "check_source")


def test_own_page_is_refused() -> None:
    own = request("/live", origin="http://127.0.0.1:8790", sec_fetch_site="same-origin")
    Access(KEY, 8790).check_source(own)
    Access(KEY, 8790).check_page(own)


def test_socket_without_origin_is_let_in() -> None:
    refused(HTTPStatus.FORBIDDEN, Access(KEY, 8790), request("/live"), "check_page")


def test_foreign_page_may_embed_pictures() -> None:
    embedded = request("/outputs/x.jpg", sec_fetch_site="cross-site", sec_fetch_mode="no-cors")
    refused(HTTPStatus.FORBIDDEN, Access(KEY, 8790), embedded, "check_source")
    Access(KEY, 8790).check_source(request("/", sec_fetch_site="cross-site", sec_fetch_mode="navigate"))


@pytest.mark.parametrize(
    ("query", "cookie"),
    [
        ({}, ""),
        ({"key": ""}, ""),
        ({"key": KEY[:-1]}, ""),
        ({"key": "ü"}, ""),
        ({}, f"vedette_8790={KEY}"),
        ({}, "a;;=b,\x01"),
    ],
)
def test_wrong_key_is_let_in(query: dict[str, str], cookie: str) -> None:
    beyond = Access(KEY, 8790, loopback=False)
    words = refused(HTTPStatus.FORBIDDEN, beyond, request(query=query, cookie=cookie), "check_look")
    words = refused(HTTPStatus.FORBIDDEN, Access(KEY, 8790), request(query=query, cookie=cookie), "check_control")
    assert "vedette status" in words
    assert KEY not in words


def test_right_key_or_its_cookie_is_refused() -> None:
    access = Access(KEY, 8790, loopback=False)
    access.check_look(request(query={"key": KEY}))
    name, value = access.cookie_header()
    assert name == "Set-Cookie"
    assert KEY not in value, "the cookie is not the key"
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(value.split("; "))
    access.check_control(request(cookie=f"other=1; {value.split(';')[0]}"))


def test_loopback_wants_a_key_for_looking_or_none_for_changing() -> None:
    Access(KEY, 8790).check_look(request())
    assert not Access(KEY, 8790).brings_key(request(query={"key": ""}))
    assert not Access(KEY, 8790).may_control(request())


def test_cookie_travels_without_tls_where_there_is_tls() -> None:
    assert "Secure" in Access(KEY, 8790, secure=True).cookie_header()[1].split("; ")
    assert "Secure" not in Access(KEY, 8790).cookie_header()[1]


def test_key_file_is_readable_by_others_or_changes(tmp_path: Path) -> None:
    path = tmp_path / "access-key"
    key = load_key(path)
    assert len(key) >= 32
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o644)
    assert load_key(path) == key
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_text("short\n")
    assert len(load_key(path)) >= 32


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"nonsense\r\n\r\n", HTTPStatus.BAD_REQUEST),
        (b"GET / HTTP/2\r\n\r\n", HTTPStatus.BAD_REQUEST),
        (b"GET http://x/ HTTP/1.1\r\n\r\n", HTTPStatus.BAD_REQUEST),
        (b"GET / HTTP/1.1\r\nHost : x\r\n\r\n", HTTPStatus.BAD_REQUEST),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n", HTTPStatus.BAD_REQUEST),
        (b"GET / HTTP/1.1\r\nnocolon\r\n\r\n", HTTPStatus.BAD_REQUEST),
        (b"POST / HTTP/1.1\r\n\r\n", HTTPStatus.METHOD_NOT_ALLOWED),
        (b"GET / HTTP/1.1\r\nContent-Length: 5\r\n\r\n", HTTPStatus.METHOD_NOT_ALLOWED),
        (b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", HTTPStatus.METHOD_NOT_ALLOWED),
    ],
)
def test_what_is_no_request_is_answered(head: bytes, status: HTTPStatus) -> None:
    with pytest.raises(HttpError) as caught:
        parse_head(head)
    assert caught.value.status is status


def test_request_is_misread() -> None:
    asked = parse_head(b"GET /outputs/a%20b.jpg?width=640&key=x HTTP/1.1\r\nHost: h:1\r\n\r\n")
    assert asked == Request("GET", "/outputs/a b.jpg", {"width": "640", "key": "x"}, {"host": "h:1"})


def test_host_header_writes_headers_of_its_own() -> None:
    answer = Site().respond(request("/"))
    head = encode_head(answer, "127.0.0.1:8790", 5).decode()
    assert "default-src 'self'" in head
    assert "ws://127.0.0.1:8790" in head
    assert "unsafe" not in head


@pytest.mark.parametrize("path", ["/../main.py", "/..%2fmain.py", "/page/index.html", "/index.htm", "//", "/.."])
def test_site_gives_out_other_files(path: str) -> None:
    with pytest.raises(HttpError) as caught:
        Site().respond(request(path))
    assert caught.value.status is HTTPStatus.NOT_FOUND


def test_unchanged_file_is_sent_again() -> None:
    site = Site()
    etag = dict(site.respond(request("/page.js")).headers)["ETag"]
    assert site.respond(request("/page.js", if_none_match=etag)).status is HTTPStatus.NOT_MODIFIED


def test_page_needs_other_hosts() -> None:
    """A site without internet: nothing in the page points elsewhere."""
    for path in ("/", "/style.css", "/page.js", "/tile.js", "/panel.js", "/link.js", "/words.js", "/keys.js"):
        text = Site().respond(request(path)).body.decode().replace("http://www.w3.org/2000/svg", "")
        assert "http://" not in text
        assert "https://" not in text
        assert "<script>" not in text
        assert "style=" not in text


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ({"prot": 1}, "`prot`"),
        ({"port": 70000}, "`port` of vedette.Display holds 70000"),
        ({"bind": "elsewhere"}, "`bind` of vedette.Display holds 'elsewhere'"),
        ({"port": "x"}, "`port`"),
    ],
)
def test_wrong_configuration_is_not_named(raw: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        read(raw)


def test_numbers_as_nuclei_give_them_are_refused() -> None:
    assert read({"port": 8790.0, "logLevel": "DEBUG"}).port == 8790
    assert read({"port": "8791"}).port == 8791
    assert read({}).loopback
    assert not read({"bind": "0.0.0.0"}).loopback
    assert read({"bind": "::1"}).loopback
