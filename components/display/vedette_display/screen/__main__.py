"""``python -m vedette_display.screen FD [--window]``: started by the display; scenes in, reports out over one socket.

One JSON a line, both ways. The end of the socket is the order to stop.
"""

import argparse
import logging
import os
import select
import signal
import socket
import time
from typing import Final

from pydantic import ValidationError

from vedette import logs
from vedette.parent_process import end_with_parent
from vedette_display.screen.painter import Painter
from vedette_display.screen.player import Player
from vedette_display.screen.scene import Report, Scene
from vedette_display.screen.surface import Picture, Surface, SurfaceError

logger = logging.getLogger(__name__)

TRY_S: Final = 1.0
WAIT_S: Final = 0.25
REPORT_S: Final = 1.0
_MOST_LINE: Final = 1 << 20


class _Display:
    """The display at the other end of the socket."""

    def __init__(self, sock: socket.socket) -> None:
        self.ended = False
        self._sock = sock
        self._rest = b""

    def fileno(self) -> int:
        """Descriptor that is readable when a scene comes."""
        return self._sock.fileno()

    def tell(self, report: Report) -> None:
        """Send a report; a display that does not read misses it."""
        try:
            self._sock.send(report.model_dump_json().encode() + b"\n", socket.MSG_DONTWAIT)
        except OSError:
            return

    def read(self) -> Scene | None:
        """Return the newest scene that has come whole, or None."""
        try:
            data = self._sock.recv(65536)
        except OSError:
            data = b""
        if not data:
            self.ended = True
            return None
        *lines, self._rest = (self._rest + data).split(b"\n")
        self._rest = self._rest[-_MOST_LINE:]
        for line in reversed(lines):
            try:
                return Scene.model_validate_json(line)
            except ValidationError as error:
                logger.warning("a scene was left out: %d of its fields are wrong", error.error_count())
        return None


class _Show:
    """What is on the screen now."""

    def __init__(self, surface: Surface) -> None:
        self._surface = surface
        self._painter = Painter(surface)
        self._scene: Scene | None = None
        self._players: dict[str, Player] = {}
        self._pictures: dict[str, Picture] = {}
        self._painted_at = 0.0
        self._changed = True
        self.shown = 0

    @property
    def descriptors(self) -> list[int]:
        """What becomes readable with the next frame."""
        return [fd for player in self._players.values() if (fd := player.fileno()) is not None]

    def stage(self, scene: Scene) -> None:
        """Show another scene."""
        self._changed = self._changed or scene != self._scene
        self._scene = scene
        wanted = {tile.socket for tile in scene.tiles if tile.socket}
        for path in self._players.keys() - wanted:
            self._players.pop(path).close()
            self._pictures.pop(path).close()
        for path in wanted - self._players.keys():
            self._players[path] = Player(path)
            self._pictures[path] = self._surface.new_picture()

    def step(self) -> None:
        """Take in new frames; draw when something is new, and once in a while because a picture may have got old."""
        now = time.monotonic()
        for path, player in self._players.items():
            lease = player.take(now)
            if lease is not None:
                with lease:
                    self._changed = self._pictures[path].put(lease.header, lease.buffer) or self._changed
                self.shown += 1
        if self._scene is not None and (self._changed or now - self._painted_at >= WAIT_S):
            self._painter.paint(self._scene, self._players, self._pictures, now)
            self._painted_at, self._changed = now, False

    def close(self) -> None:
        for player in self._players.values():
            player.close()
        for picture in self._pictures.values():
            picture.close()


def _run(orders: _Display, *, fullscreen: bool) -> int:
    scene: Scene | None = None
    said = ""
    while not orders.ended:
        try:
            surface = Surface(fullscreen=fullscreen)
        except SurfaceError as error:
            if str(error) != said:
                said = str(error)
                logger.info("%s", said)
            orders.tell(Report(state="no-screen", detail=said))
            deadline = time.monotonic() + TRY_S
            while not orders.ended and (left_s := deadline - time.monotonic()) > 0:
                if _readable([orders.fileno()], left_s):
                    scene = orders.read() or scene
            continue
        said = ""
        try:
            scene = _show(surface, orders, scene)
        finally:
            surface.close()
    return 0


def _show(surface: Surface, orders: _Display, scene: Scene | None) -> Scene | None:
    show = _Show(surface)
    if scene is not None:
        show.stage(scene)
    width, height = surface.size
    logger.info("the screen is %dx%d (%s)", width, height, surface.driver)
    counted, reported_at = 0, time.monotonic()
    try:
        while not orders.ended and surface.pump():
            ready = _readable([orders.fileno(), *show.descriptors], WAIT_S / 2)
            if orders.fileno() in ready and (newer := orders.read()) is not None:
                scene = newer
                show.stage(scene)
            show.step()
            now = time.monotonic()
            if now - reported_at >= REPORT_S:
                if surface.replugged():
                    logger.info("screens were plugged in or pulled out")
                    break
                width, height = surface.size
                fps = round((show.shown - counted) / (now - reported_at), 1)
                orders.tell(Report(state="showing", driver=surface.driver, width=width, height=height, fps=fps))
                counted, reported_at = show.shown, now
    finally:
        show.close()
    return scene


def _readable(descriptors: list[int], timeout_s: float) -> list[int]:
    poller = select.poll()
    for descriptor in descriptors:
        poller.register(descriptor, select.POLLIN)
    return [descriptor for descriptor, _ in poller.poll(timeout_s * 1000)]


def main() -> int:
    """Run until the socket ends."""
    parser = argparse.ArgumentParser(description="Shows scenes on the screen; started by vedette.Display.")
    parser.add_argument("descriptor", type=int, help="of the inherited socket")
    parser.add_argument("--window", action="store_true", help="in a window instead of the whole screen")
    arguments = parser.parse_args()
    end_with_parent()
    # Signals for the whole group are the display's to act on.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    logs.configure(os.environ.get("VEDETTE_LOG_LEVEL", "INFO"))
    with socket.socket(fileno=arguments.descriptor) as sock:
        return _run(_Display(sock), fullscreen=not arguments.window)


if __name__ == "__main__":
    raise SystemExit(main())
