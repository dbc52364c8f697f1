"""What the kernel says of the ports for screens, and what the display does with it."""

from pathlib import Path

import pytest
from vedette_display.screen import surface as surfaces
from vedette_display.screen.surface import Surface, SurfaceError

from vedette.screens import Card, Port, cards, drivers, examine


class Machine:
    """Folders as /dev/dri and /sys/class/drm are."""

    def __init__(self, folder: Path) -> None:
        self.dev, self.sys = folder / "dri", folder / "drm"
        self.dev.mkdir()
        for node in ("card0", "card1", "renderD128"):
            (self.dev / node).touch()
        self.put("HDMI-A-1", "connected", "1920x1080\n1280x720\n")
        self.put("DP-1", "disconnected", "")

    def put(self, port: str, status: str, modes: str) -> None:
        folder = self.sys / f"card1-{port}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "status").write_text(status + "\n")
        (folder / "modes").write_text(modes)

    def look(self) -> list[Card]:
        return cards(self.dev, self.sys)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_card_that_only_computes_is_taken_for_a_screen(machine: Machine) -> None:
    (card,) = machine.look()
    assert Path(card.node).name == "card1"
    assert card.ports == (Port("DP-1", False), Port("HDMI-A-1", True, "1920x1080"))


def test_a_missing_right_looks_like_a_missing_screen(machine: Machine) -> None:
    denied = cards(machine.dev, machine.sys, lambda _path, _mode: False)
    finding = examine(denied, "ggc_user")
    assert "ggc_user may not use" in finding.words
    assert "usermod -a -G" in finding.fix
    machine.put("HDMI-A-1", "disconnected", "")
    assert examine(machine.look()).words == "no screen is plugged in (DP-1, HDMI-A-1)"
    assert "no port for a screen" in examine([]).words


def test_drivers_without_their_desktop_are_tried() -> None:
    assert drivers({}) == ["KMSDRM"]
    assert drivers({"DISPLAY": ":0", "WAYLAND_DISPLAY": "wayland-0"}) == ["wayland", "x11"]
    assert drivers({"SDL_VIDEODRIVER": "dummy", "DISPLAY": ":0"}) == ["dummy"]


def test_a_screen_that_is_plugged_in_again_stays_dark(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER"):
        monkeypatch.delenv(name, raising=False)
    machine.put("HDMI-A-1", "disconnected", "")
    with pytest.raises(SurfaceError, match="no screen is plugged in"):
        Surface(look=machine.look)
    # SDL's dummy in the place of the graphics device: what is tried here is when it is given up and opened anew.
    monkeypatch.setattr(surfaces, "KMS", "dummy")
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    machine.put("HDMI-A-1", "connected", "1920x1080\n")
    surface = Surface(look=machine.look)
    try:
        assert not surface.replugged()
        machine.put("HDMI-A-1", "connected", "800x600\n")
        assert surface.replugged(), "another screen at the same port"
        machine.put("HDMI-A-1", "disconnected", "")
        assert surface.replugged()
    finally:
        surface.close()
