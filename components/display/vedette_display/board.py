"""What the page is told: the health book under a lock, tiles and their numbers, as one JSON text."""

import json
import threading
import time
from collections.abc import Callable
from typing import Any

from vedette import __version__
from vedette.health import HealthBook, HealthDocument
from vedette.messages import CameraSource, CameraStatus
from vedette_display.gallery import Figures
from vedette_display.machine import Machine, device_name
from vedette_display.tiles import Tile, tiles_of, views_of


class Board:
    """Messages come in on the bus's thread, documents go out on the event loop.

    ``changed`` is called, on the bus's thread, when a state has changed: the page is told at once, not in a second.
    """

    def __init__(
        self,
        changed: Callable[[], None] = lambda: None,
        book: HealthBook | None = None,
        machine: Machine | None = None,
    ) -> None:
        self._changed = changed
        self._book = book or HealthBook()
        self._machine = machine or Machine()
        self._lock = threading.Lock()
        self._numbers: dict[str, int] = {}
        self._outputs: dict[int, str] = {}
        self.device = device_name()

    def heard(self, topic: str, payload: bytes) -> None:
        """Take in a message of the bus."""
        with self._lock:
            before = self._book.changes
            self._book.apply(topic, payload)
            changed = self._book.changes != before
        if changed:
            self._changed()

    def document(self) -> HealthDocument:
        """Return the present."""
        with self._lock:
            return self._book.document()

    def locate(self, output_id: str) -> str | None:
        """Return the socket of an output's ring, or None when nothing is known of it."""
        with self._lock:
            status = self._book.output(output_id)
        return None if status is None else status.socket

    def camera(self, camera_id: str) -> CameraStatus | None:
        """Return what was said last of a camera, or None when nothing is known of it."""
        with self._lock:
            return self._book.camera(camera_id)

    def source(self, camera_id: str) -> CameraSource | None:
        """Return where a camera's video comes from, or None when nobody wants it."""
        with self._lock:
            return self._book.source(camera_id)

    def locate_coded(self, camera_id: str) -> str | None:
        """Return the socket of a camera's coded pictures, or None when no worker of it runs."""
        with self._lock:
            status = self._book.camera(camera_id)
        return None if status is None else status.coded_socket

    def number(self, output_id: str) -> int:
        """Return the number that stands for an output on the wire; it stays the same."""
        if output_id not in self._numbers:
            number = self._numbers[output_id] = len(self._numbers) % 0x10000
            self._outputs[number] = output_id
        return self._numbers[output_id]

    def output(self, number: int) -> str | None:
        """Return the output that a number stands for."""
        return self._outputs.get(number)

    def state(self, figures: dict[str, Figures], viewers: int) -> str:
        """Return the page's ``state`` message."""
        document = self.document()
        machine = self._machine.read()
        return json.dumps(
            {
                "type": "state",
                "now_ms": round(time.time() * 1000),
                "device": {"name": self.device, "version": __version__, **machine._asdict()},
                "viewers": viewers,
                "health": document.model_dump(mode="json", by_alias=True, exclude_none=True),
                "tiles": [self._tile(tile) for tile in tiles_of(document)],
                "views": [self._tile(view) for view in views_of(document)],
                "shown": {self.number(key): _rounded(value) for key, value in figures.items()},
            },
            separators=(",", ":"),
        )

    def _tile(self, tile: Tile) -> dict[str, Any]:
        data = tile.model_dump(mode="json", exclude_none=True)
        if tile.output_id is not None:
            data["number"] = self.number(tile.output_id)
        return data


def _rounded(figures: Figures) -> dict[str, float | None]:
    return {name: None if value is None else round(value, 1) for name, value in figures._asdict().items()}
