"""The page in a real browser, with a record of every picture that arrives and is drawn."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from playwright.sync_api import Browser, Page, sync_playwright

from tests.waiting import eventually

CHROMIUM: Final = shutil.which("chromium")
NO_CHROMIUM: Final = "chromium is not installed (apt install chromium)"
_FLAGS: Final = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
)  # fmt: skip

# Wraps what the page uses, before the page's own scripts run: the display's messages and the canvases.
_RECORD: Final = """
(() => {
  window.pictures = [];
  window.draws = [];
  const names = new Map();
  window.WebSocket = class extends WebSocket {
    constructor(...given) {
      super(...given);
      this.addEventListener("message", ({ data }) => {
        if (data instanceof ArrayBuffer) {
          const view = new DataView(data);
          const name = names.get(view.getUint16(2, true)) ?? "";
          window.pictures.push({ at: Date.now(), name, captured: view.getFloat64(8, true) });
        } else {
          for (const { number, name } of JSON.parse(data).tiles ?? []) if (number != null) names.set(number, name);
        }
      });
    }
  };
  const draw = CanvasRenderingContext2D.prototype.drawImage;
  CanvasRenderingContext2D.prototype.drawImage = function (...given) {
    draw.apply(this, given);
    const name = this.canvas.closest(".tile")?.querySelector(".name")?.textContent ?? "";
    window.draws.push({ at: Date.now(), name });
  };
})();
"""

# Sum of the picture's bytes by tile, and how many of its dots have the red of the display's boxes.
_LOOK: Final = """
() => [...document.querySelectorAll(".tile")].map((tile) => {
  const canvas = tile.querySelector("canvas");
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let sum = 0, red = 0;
  for (let i = 0; i < data.length; i += 4) {
    sum = (sum * 31 + data[i] + data[i + 1] + data[i + 2]) % 2147483647;
    red += data[i] > 180 && data[i + 1] < 90 && data[i + 2] < 90;
  }
  return { name: tile.querySelector(".name").textContent, width: canvas.width, height: canvas.height, sum, red };
})
"""


class Viewer:
    """One page in the browser."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.began = time.time()

    def chips(self) -> dict[str, str]:
        """Return what each tile says of itself, by its name: LIVE, wrong password, ..."""
        found: dict[str, str] = self.page.evaluate(
            """() => Object.fromEntries([...document.querySelectorAll(".tile")].map(
                 (tile) => [tile.querySelector(".name").textContent, tile.querySelector(".chip").textContent]))"""
        )
        return found

    def wait_for_chip(self, name: str, words: str, *, within_s: float = 40.0) -> None:
        """Wait until the tile called ``name`` says ``words``."""
        eventually(lambda: self.chips().get(name) == words, f"{name} says {words}: {self.chips()}", within_s=within_s)

    def look(self) -> dict[str, dict[str, Any]]:
        """Return what is on the canvases, by name of the tile: sum of the dots, number of red ones, size."""
        return {tile["name"]: tile for tile in self.page.evaluate(_LOOK)}

    def arrivals_since(self, unix_s: float, name: str) -> list[float]:
        """Return when (Unix time, s) the pictures of the tile ``name`` that were captured after ``unix_s`` came.

        Applications put old frames again while a camera has no new one: only the first of each capture counts.
        """
        found: list[dict[str, Any]] = self.page.evaluate(
            "([since, name]) => window.pictures.filter((p) => p.captured > since && p.name === name)",
            [unix_s * 1000, name],
        )
        firsts: dict[float, float] = {}
        for picture in found:
            firsts.setdefault(picture["captured"], picture["at"] / 1000)
        return list(firsts.values())

    def first_draw_since(self, unix_s: float, name: str) -> float:
        """Return when (Unix time, s) the tile ``name`` was drawn for the first time after ``unix_s``."""
        drawn: float = eventually(
            lambda: self.page.evaluate(
                "([since, name]) => window.draws.find((d) => d.at >= since && d.name === name)?.at ?? null",
                [unix_s * 1000, name],
            ),
            f"a picture is drawn on {name}",
        )
        return drawn / 1000

    def back_after(
        self, unix_s: float, name: str = "camera_node", *, within_s: float = 30.0, pictures: int = 5
    ) -> float:
        """Wait for ``pictures`` captured after ``unix_s``; return how many seconds after it the first was drawn.

        Captured, by the wall clock of the camera's worker: what was still on its way then does not count.
        """
        found = eventually(
            lambda: some if len(some := self.arrivals_since(unix_s, name)) >= pictures else None,
            f"{pictures} pictures captured after the fault",
            within_s=within_s,
            every_s=0.05,
        )
        return self.first_draw_since(found[0], name) - unix_s


@contextmanager
def browser() -> Iterator[Browser]:
    """Open a headless Chromium."""
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=list(_FLAGS))
        try:
            yield opened
        finally:
            opened.close()


@contextmanager
def viewing(opened: Browser, address: str) -> Iterator[Viewer]:
    """Look at the page at ``address``; it must end without an error of its own."""
    wrong: list[str] = []
    page = opened.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(40_000)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.add_init_script(_RECORD)
    try:
        page.goto(address)
        yield Viewer(page)
    finally:
        page.close()
    assert wrong == []
