"""The device's own screen on a real X server (Xvfb), looked at dot by dot."""

import ctypes.util
import os
import shutil
import signal
import struct
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.waiting import eventually
from vedette.messages import ApplicationState, CameraState

pytestmark = [
    pytest.mark.skipif(shutil.which("Xvfb") is None, reason="Xvfb is not installed (apt install xvfb)"),
    pytest.mark.skipif(
        ctypes.util.find_library("SDL2-2.0") is None, reason="SDL2 is not installed (apt install libsdl2-2.0-0)"
    ),
    pytest.mark.timeout(120),
]
SLOW_S = 40.0
WIDTH, HEIGHT = 960, 540
BLUE, GREEN, WHITE = (160, 60, 30), (40, 140, 40), (240, 240, 240)


class Screen:
    """An X server whose picture lies in a file; starts when it is told to, as a monitor that is plugged in late."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        folder.mkdir()
        # Far from what people use, and another in each worker.
        self.number = 1000 + os.getpid() % 50000
        self.process: subprocess.Popen[bytes] | None = None
        monkeypatch.setenv("DISPLAY", f":{self.number}")
        monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)

    def plug_in(self) -> None:
        size = f"{WIDTH}x{HEIGHT}x24"
        self.process = subprocess.Popen(
            ["Xvfb", f":{self.number}", "-screen", "0", size, "-fbdir", str(self.folder), "-nolisten", "tcp"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def pull_out(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(20)
            self.process = None

    def look(self) -> NDArray[np.uint8]:
        """Return (height, width, 3) BGR; black where there is no picture yet."""
        try:
            data = (self.folder / "Xvfb_screen0").read_bytes()
        except FileNotFoundError:
            return np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        head = struct.unpack(">25I", data[:100].ljust(100, b"\0"))
        if not head[5]:
            # The server has made the file and drawn nothing yet.
            return np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        start, width, height, line = head[0] + head[19] * 12, head[4], head[5], head[12]
        dots = np.frombuffer(data, np.uint8, line * height, start).reshape(height, line // 4, 4)
        return dots[:, :width, :3]


@pytest.fixture
def screen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Screen]:
    made = Screen(tmp_path / "screen", monkeypatch)
    yield made
    made.pull_out()


def near(dot: Any, color: tuple[int, int, int]) -> bool:
    return bool(np.abs(dot.astype(int) - color).max() < 25)


def painted(application: Any, color: tuple[int, int, int]) -> Any:
    application.base[:] = color
    return application


def told(display: Any) -> tuple[str, int, int]:
    """Return whose the screen is, and its size, as the display tells it: after it is shown."""
    screen = display.status().screen
    return screen.owner, screen.width, screen.height


def test_screen_shows_nothing_or_the_wrong_application(
    start_display: Callable[..., Any], start_application: Any, screen: Screen
) -> None:
    display = start_display(screen="on")
    eventually(lambda: display.status().screen.state == "no-screen", "nothing is connected yet", within_s=SLOW_S)
    screen.plug_in()
    # The test pattern: seven bars above, words in the middle.
    eventually(lambda: near(screen.look()[20, 20], (191, 191, 191)), "white bar of the test pattern", within_s=SLOW_S)
    assert near(screen.look()[20, WIDTH - 20], (191, 0, 0))
    assert (screen.look()[HEIGHT // 3 : 2 * HEIGHT // 3].min(axis=2) > 220).sum() > 200, "words"

    first = painted(start_application("first", "lobby"), BLUE)
    corner = (HEIGHT - 20, WIDTH - 20)
    eventually(lambda: near(screen.look()[corner], BLUE), "the first application", within_s=SLOW_S)
    picture = screen.look()
    rect = picture[HEIGHT // 2 - 40, WIDTH // 10 - 4 : WIDTH // 10 + 6]
    assert any(dot[2] > 220 and dot[1] < 90 for dot in rect), "left line of the rect"
    label = picture[int(HEIGHT * 0.2) - 18 : int(HEIGHT * 0.2), WIDTH // 10 : WIDTH // 10 + 100]
    assert (label.min(axis=2) > 200).sum() > 30, "letters of the label"
    eventually(lambda: told(display) == ("first", WIDTH, HEIGHT), "the screen is told", within_s=SLOW_S)

    second = painted(start_application("second", "gate"), GREEN)
    eventually(lambda: near(screen.look()[corner], GREEN), "the application started last", within_s=SLOW_S)
    eventually(lambda: told(display)[0] == "second", "it is told whose it is", within_s=SLOW_S)
    second.crash()
    eventually(lambda: screen.look()[corner].max() < 100, "dimmed while it is started again", within_s=SLOW_S)
    assert display.status().screen.owner == "second", "a crash does not pass the screen on"
    second.come_back()
    eventually(lambda: near(screen.look()[corner], GREEN), "back", within_s=SLOW_S)
    second.application = {"state": ApplicationState.STOPPED}
    second.tell_once()
    eventually(lambda: near(screen.look()[corner], BLUE), "passed on when it stops", within_s=SLOW_S)

    first.putting.clear()
    first.video = {"state": CameraState.WRONG_PASSWORD, "detail": "The camera answered 401"}
    eventually(lambda: screen.look()[corner].max() < 100, "the old picture does not look live", within_s=SLOW_S)
    words = screen.look()[HEIGHT // 3 : 2 * HEIGHT // 3, WIDTH // 4 : 3 * WIDTH // 4]
    assert (words.min(axis=2) > 220).sum() > 200, "says what is wrong"
    first.putting.set()
    first.video = {"state": CameraState.LIVE}
    eventually(lambda: near(screen.look()[corner], BLUE), "live again", within_s=SLOW_S)
    assert display.status().encoded == 0, "the screen takes frames as they are"

    screen.pull_out()
    screen.plug_in()
    eventually(lambda: near(screen.look()[corner], BLUE), "back after the screen was away", within_s=SLOW_S)


def test_streams_of_one_application_are_not_tiled_or_a_pin_is_passed_over(
    start_display: Callable[..., Any], start_application: Any, screen: Screen
) -> None:
    screen.plug_in()
    start_display(screen="on", screenApplication="wall")
    colors = {"a": BLUE, "b": GREEN, "c": WHITE}
    for name, color in colors.items():
        painted(start_application("wall", name, size=(320, 180)), color)
    painted(start_application("later", "x"), (0, 0, 90))
    left, right, middle = WIDTH // 4 + 100, 3 * WIDTH // 4 + 100, WIDTH // 2 + 100
    upper, lower = HEIGHT // 2 - 40, HEIGHT - 40

    def tiled() -> bool:
        picture = screen.look()
        return (
            near(picture[upper, left], BLUE)
            and near(picture[upper, right], GREEN)
            and near(picture[lower, middle], WHITE)
        )

    eventually(tiled, "three tiles, the last row in the middle", within_s=SLOW_S)
