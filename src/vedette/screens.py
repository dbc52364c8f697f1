"""What a screen needs on this machine: graphics devices, the right to use them, something plugged in; and SDL2.

Asked by the display when nothing can be shown, and by ``vedette doctor``, so both say the same words.
"""

import grp
import os
import pwd
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

SYSTEM_LIBRARY: Final = "libSDL2-2.0.so.0"
INSTALL: Final = "sudo apt-get install libsdl2-2.0-0"
Access = Callable[[str, int], bool]


@dataclass(frozen=True)
class Port:
    """One connector of a graphics device."""

    name: str
    """As it is printed on many machines: ``HDMI-A-1``."""
    connected: bool
    mode: str = ""
    """The screen's own resolution, ``1920x1080``; empty when it is not known."""


@dataclass(frozen=True)
class Card:
    """A graphics device that can drive screens (KMS)."""

    node: str
    """``/dev/dri/card0``."""
    allowed: bool
    group: str
    """Whose members may use it."""
    ports: tuple[Port, ...]


@dataclass(frozen=True)
class Finding:
    """Whether pictures can be shown without a desktop; one sentence, and what to do."""

    works: bool
    words: str
    fix: str = ""


def cards(dev: Path = Path("/dev/dri"), sys: Path = Path("/sys/class/drm"), access: Access = os.access) -> list[Card]:
    """Return the graphics devices that have ports for screens; those that only compute are left out."""
    found = []
    for node in sorted(dev.glob("card[0-9]*")):
        ports = tuple(_port(each) for each in sorted(sys.glob(f"{node.name}-*")) if (each / "status").exists())
        if ports:
            found.append(Card(str(node), access(str(node), os.R_OK | os.W_OK), _group(node), ports))
    return found


def examine(found: list[Card], user: str = "") -> Finding:
    """Say whether a program of this user can show pictures on these, without a desktop."""
    if not found:
        return Finding(False, "this machine has no port for a screen (/dev/dri has no device with one)")
    allowed = [card for card in found if card.allowed]
    if not allowed:
        groups = ",".join(dict.fromkeys([*(card.group for card in found if card.group), "render"]))
        who = user or _user()
        return Finding(
            False,
            f"{who} may not use {found[0].node}",
            f"sudo usermod -a -G {groups} {who}, then start the nucleus, or log in, anew",
        )
    plugged = [port for card in allowed for port in card.ports if port.connected]
    if not plugged:
        names = ", ".join(port.name for card in allowed for port in card.ports)
        return Finding(False, f"no screen is plugged in ({names})")
    told = ", ".join(f"{port.name} {port.mode}".strip() for port in plugged)
    return Finding(True, f"a screen is plugged in: {told}")


def drivers(environ: Mapping[str, str]) -> list[str]:
    """Return SDL's video drivers to try, in their order.

    Only those whose desktop is named: Wayland's library writes a line at each try without one, and SDL's drivers for
    no screen at all would hide that there is none.
    """
    if chosen := environ.get("SDL_VIDEODRIVER"):
        return chosen.split(",")
    desktops = {"wayland": "WAYLAND_DISPLAY", "x11": "DISPLAY"}
    return [name for name, variable in desktops.items() if environ.get(variable)] or ["KMSDRM"]


def _port(folder: Path) -> Port:
    # The folder's name is card0-HDMI-A-1.
    name = folder.name.partition("-")[2]
    modes = _read(folder / "modes").split()
    return Port(name, _read(folder / "status") == "connected", modes[0] if modes else "")


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def _group(node: Path) -> str:
    try:
        return grp.getgrgid(node.stat().st_gid).gr_name
    except (OSError, KeyError):
        return "video"


def _user() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return "this user"
