"""Pictures from a real ring to a real WebSocket: drawn, paced, measured, and not made while nobody looks."""

import json
import ssl
import struct
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.waiting import eventually
from vedette.messages import CameraState
from vedette.rings import BGR24, I420

HEAD = struct.Struct("<BBHIdHH")
NOBODY_VOUCHES = ssl.create_default_context()
NOBODY_VOUCHES.check_hostname = False
NOBODY_VOUCHES.verify_mode = ssl.CERT_NONE


class Page:
    """A page without a browser: looks, and confirms what it gets."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.state: dict[str, Any] = {}
        self.pictures: list[tuple[int, int, int, bytes]] = []

    def step(self, *, confirm: bool = True) -> str:
        """Take one message; return its type."""
        message = self.socket.recv(timeout=10)
        if isinstance(message, str):
            self.state = json.loads(message)
            return str(self.state["type"])
        _, flags, tile, number, *_ = HEAD.unpack(message[: HEAD.size])
        self.pictures.append((flags, tile, number, message[HEAD.size :]))
        if confirm:
            self.socket.send(struct.pack("<BxHI", 2, tile, number))
        return "picture"

    def until(self, condition: Callable[[], Any]) -> Any:
        """Take messages until the condition gives something."""
        for _ in range(600):
            if found := condition():
                return found
            self.step()
        pytest.fail("not within 600 messages")

    def tile(self, name: str) -> dict[str, Any] | None:
        return next((tile for tile in self.state.get("tiles", []) if tile["name"] == name), None)

    def now(self, name: str = "lobby") -> dict[str, Any]:
        """Return a tile that is there."""
        tile = self.tile(name)
        assert tile is not None
        return tile

    def number(self, name: str = "lobby") -> int:
        """Wait until there is a tile with pictures; return its number."""
        tile = self.until(lambda: (self.tile(name) or {}).get("output_id") and self.tile(name))
        return int(tile["number"])

    def look(self, *tiles: int, width: int = 640, overlays: bool = True) -> None:
        entries = [{"tile": tile, "width": width} for tile in tiles]
        self.socket.send(json.dumps({"type": "look", "overlays": overlays, "tiles": entries}))

    def image(self) -> Any:
        return cv2.imdecode(np.frombuffer(self.pictures[-1][3], np.uint8), cv2.IMREAD_COLOR)


@contextmanager
def open_page(display: Any, **headers: str) -> Iterator[Page]:
    url = display.address.replace("http", "ws") + "live"
    if query := headers.pop("query", ""):
        url += f"?{query}"
    origin = headers.pop("origin", display.address.rstrip("/"))
    tls = NOBODY_VOUCHES if url.startswith("wss") else None
    with connect(url, origin=origin, additional_headers=headers, compression=None, max_size=None, ssl=tls) as socket:
        yield Page(socket)


def fetch(display: Any, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    request = urllib.request.Request(f"{display.address.rstrip('/')}{path}", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10, context=NOBODY_VOUCHES) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, dict(error.headers), error.read()


@pytest.mark.parametrize("pixel_format", [BGR24, I420])
def test_picture_is_not_drawn_or_not_measured(display: Any, start_application: Any, pixel_format: int) -> None:
    start_application(size=(1280, 720), pixel_format=pixel_format)
    with open_page(display) as page:
        number = page.number()
        page.look(number)
        page.until(lambda: len(page.pictures) >= 20)
        image = page.image()
        assert image.shape == (360, 640, 3)
        assert image[72:288, 64][:, 2].min() > 150, "left line of the rect is red"
        latency = page.until(lambda: page.state["shown"].get(str(number), {}).get("latency_p95"))
        assert 0 < latency < 2000
        shown = page.state["shown"][str(number)]
        assert shown["ready"] + shown["encode"] + shown["delivery"] <= shown["latency_p95"] * 2
        numbers = [picture[2] for picture in page.pictures]
        assert numbers == sorted(set(numbers)), "no picture twice, none out of order"
        status = display.status()
        assert status.viewers == 1
        assert status.outputs[0].latency_ms is not None
        # Nothing is confirmed while this test waits for the status: of 15 a second some are missing.
        assert status.outputs[0].fps is not None
        assert 4 < status.outputs[0].fps < 20


def test_overlays_cannot_be_switched_off(display: Any, start_application: Any) -> None:
    start_application()
    with open_page(display) as page:
        number = page.number()
        page.look(number, overlays=False)
        page.until(lambda: len(page.pictures) >= 5)
        assert page.image()[72:170, 64][:, 2].max() < 150


def test_pictures_are_made_while_nobody_looks(display: Any, start_application: Any) -> None:
    application = start_application()
    with open_page(display) as page:
        number = page.number()
        page.until(lambda: len(page.state["health"]["outputs"]) == 1)
        assert display.status().encoded == 0, "an open page that looks at nothing"
        assert application.ring.readers == 0
        page.look(number)
        page.until(lambda: len(page.pictures) >= 5)
        page.look()
        before = display.status().encoded
        counted = [display.status().encoded for _ in range(2)]
        # One picture may be under way while the page looks away.
        assert counted[-1] == counted[0] <= before + 1
        assert application.ring.readers == 0, "the output is not even read"


def test_two_viewers_cost_two_encodings(display: Any, start_application: Any) -> None:
    start_application()
    with open_page(display) as one, open_page(display) as two:
        number = one.number()
        two.number()
        one.look(number)
        two.look(number)
        for _ in range(200):
            one.step()
            two.step()
            if len(one.pictures) >= 30 and len(two.pictures) >= 30:
                break
        got = {picture[2] for picture in one.pictures} | {picture[2] for picture in two.pictures}
        both = {picture[2] for picture in one.pictures} & {picture[2] for picture in two.pictures}
        assert len(both) > 0.6 * len(got)


def test_page_that_draws_nothing_is_sent_more_than_two(display: Any, start_application: Any) -> None:
    start_application()
    with open_page(display) as page:
        page.look(page.number())
        states = 0
        while states < 2:
            states += page.step(confirm=False) == "state"
        assert len(page.pictures) == 2


def test_newcomer_waits_for_the_next_picture_of_a_stream_that_stands(display: Any, start_application: Any) -> None:
    application = start_application()
    with open_page(display) as one:
        number = one.number()
        one.look(number)
        one.until(lambda: len(one.pictures) >= 3)
        application.putting.clear()
        one.until(lambda: one.now()["title"].startswith("No new picture"))
        with open_page(display) as two:
            two.number()
            two.look(number, width=1280)
            two.until(lambda: two.pictures)
            assert two.image().shape[1] == 640, "not blown up over the frame's own size"


def test_crash_or_return_of_the_application_is_not_told(display: Any, start_application: Any) -> None:
    application = start_application()
    with open_page(display) as page:
        page.look(page.number())
        page.until(lambda: len(page.pictures) >= 3)
        application.crash()
        page.until(lambda: page.now()["title"] == "people-counter crashed")
        assert page.now()["detail"].endswith("Restarting in 8 s")
        assert page.now()["output_id"], "the tile keeps its last picture"
        seen = len(page.pictures)
        application.come_back()
        page.until(lambda: len(page.pictures) > seen + 3)
        page.until(lambda: page.now()["severity"] == "ok")


def test_late_page_gets_no_last_picture(display: Any, start_application: Any) -> None:
    """The application is dead; who opens the page now still sees what was last seen."""
    application = start_application()
    with open_page(display) as page:
        page.look(page.number())
        page.until(lambda: len(page.pictures) >= 3)
    application.crash()
    with open_page(display) as page:
        page.until(lambda: page.tile("lobby") and page.now()["title"] == "people-counter crashed")
        page.look(page.now()["number"])
        page.until(lambda: page.pictures)
        assert page.pictures[0][0] == 1, "told as kept, not as new"


def test_hostile_page_stays(display: Any, start_application: Any) -> None:
    start_application()
    with open_page(display) as page:
        page.socket.send("nonsense")
        with pytest.raises(ConnectionClosed):
            for _ in range(10):
                page.socket.recv(timeout=10)
    with open_page(display) as page:
        page.number()


def test_still_or_stream_is_missing(display: Any, start_application: Any) -> None:
    application = start_application(size=(1280, 720))
    with open_page(display) as page:
        page.number()
    status, headers, body = fetch(display, f"/outputs/{application.output_id}.jpg?width=640")
    assert (status, headers["Content-Type"]) == (200, "image/jpeg")
    image = cv2.imdecode(np.frombuffer(body, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    assert image.shape == (360, 640, 3)
    connection = HTTPConnection("127.0.0.1", display.port, timeout=10)
    connection.request("GET", f"/outputs/{application.output_id}.mjpg")
    with connection.getresponse() as answer:
        assert answer.headers["Content-Type"] == "multipart/x-mixed-replace; boundary=vedette-picture"
        assert answer.read(200_000).count(b"\xff\xd8\xff") >= 2
    connection.close()
    application.putting.clear()
    application.crash()
    status, _, body = fetch(display, f"/outputs/{application.output_id}.jpg")
    assert status == 503
    assert b"No new picture" in body
    status, _, body = fetch(display, "/outputs/nothing.jpg")
    assert status == 404
    assert application.output_id.encode() in body, "says what there is"


def test_health_document_is_not_served(display: Any, start_application: Any) -> None:
    application = start_application()
    application.video = {"state": CameraState.WRONG_PASSWORD, "next_try_s": 58.0}
    application.tell_once()

    def heard() -> bool:
        status, headers, body = fetch(display, "/api/health")
        document = json.loads(body)
        assert (status, headers["Content-Type"]) == (200, "application/json")
        assert document["schema"] == "vedette.health/1"
        return bool(document["summary"]["words"] == "1 problem: lobby, wrong password")

    eventually(heard, "the camera's wrong password in the health document")


def test_foreign_origin_or_host_is_let_in(display: Any) -> None:
    with pytest.raises(InvalidStatus) as caught, open_page(display, origin="http://evil.example"):
        pass
    assert caught.value.response.status_code == 403
    with pytest.raises(InvalidStatus) as caught, open_page(display, Host="evil.example"):
        pass
    assert caught.value.response.status_code == 400, "two Host headers"
    assert fetch(display, "/", Host="evil.example")[0] == 421
    assert fetch(display, "/", Origin="http://evil.example")[0] == 403
    assert fetch(display, "/")[0] == 200


def test_page_beyond_loopback_needs_no_key(
    start_display: Any, start_application: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    display = start_display(bind="0.0.0.0")
    _, _, key = display.page.partition("?key=")
    assert len(key) >= 32
    assert (tmp_path / "vedette.Display" / "access-key").stat().st_mode & 0o777 == 0o600
    display.page = f"https://127.0.0.1:{display.port}/"
    assert fetch(display, "/")[0] == 403
    assert fetch(display, "/api/health")[0] == 403
    assert fetch(display, "/?key=wrong")[0] == 403
    with pytest.raises(InvalidStatus) as caught, open_page(display):
        pass
    assert caught.value.response.status_code == 403
    assert fetch(display, f"/api/health?key={key}")[0] == 200
    connection = HTTPSConnection("127.0.0.1", display.port, timeout=10, context=NOBODY_VOUCHES)
    connection.request("GET", f"/?key={key}")
    with connection.getresponse() as answer:
        assert (answer.status, answer.headers["Location"]) == (303, "/"), "the key leaves the address"
        assert "Secure" in answer.headers["Set-Cookie"]
        cookie = answer.headers["Set-Cookie"].split(";")[0]
    connection.close()
    plain = HTTPConnection("127.0.0.1", display.port, timeout=10)
    plain.request("GET", "/api/health")
    with plain.getresponse() as answer:
        assert (answer.status, answer.headers["Location"]) == (308, f"https://127.0.0.1:{display.port}/api/health")
    plain.close()
    assert (tmp_path / "vedette.Display" / "certificate-key.pem").stat().st_mode & 0o777 == 0o600
    assert fetch(display, "/", Cookie=cookie)[0] == 200
    with open_page(display, Cookie=cookie) as page:
        page.until(lambda: page.state)
        assert key not in json.dumps(page.state)
    assert key not in caplog.text


def test_busy_port_ends_the_display(start_display: Any) -> None:
    first = start_display()
    second = start_display(port=first.port)
    assert second.port != first.port
    assert fetch(second, "/")[0] == 200


def test_junk_on_the_port_ends_the_display(display: Any) -> None:
    import socket

    for junk in (b"\x16\x03\x01junk\r\n\r\n", b"GET / HTTP/1.1\r\n" + b"x" * 40_000, b""):
        with socket.create_connection(("127.0.0.1", display.port), timeout=10) as sock:
            sock.sendall(junk)
            sock.shutdown(socket.SHUT_WR)
            while sock.recv(4096):
                pass
    assert fetch(display, "/")[0] == 200
