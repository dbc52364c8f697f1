"""What a GPU's libraries have to fit: L4T and its JetPack, and CUDA; of this machine, and of a container's root.

As a program it prints the CUDA that the driver knows, so that who asks need not keep the driver's library in memory.
"""

import ctypes
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

JETPACKS: Final = {
    "32.6": "4.6",
    "32.7": "4.6.1 or later",
    "35.1": "5.0.2",
    "35.2": "5.1",
    "35.3": "5.1.1",
    "35.4": "5.1.2",
    "35.5": "5.1.3",
    "35.6": "5.1.4",
    "36.3": "6.0",
    "36.4": "6.1 or later",
}
"""Releases of L4T, NVIDIA's Linux for Jetson, and the JetPack that each is the system of (NVIDIA's JetPack archive)."""

_RELEASE: Final = re.compile(r"# R(\d+) \(release\), REVISION: ([\d.]+)")
_PACKAGE: Final = re.compile(r"^Package: nvidia-l4t-[a-z0-9-]+$(?:\n.+)*?\nVersion: (\d+)\.([\d.]+)-", re.MULTILINE)
_SOURCE: Final = re.compile(r"^deb\s.*repo\.download\.nvidia\.com/jetson/\S+\s+r(\d+)\.([\d.]+)", re.MULTILINE)
_TOOLKIT: Final = re.compile(r"cuda-(\d+)\.(\d+)")
_MOST_BYTES: Final = 16 << 20
_DRIVER_S: Final = 10.0


@dataclass(frozen=True)
class L4T:
    """A release of L4T."""

    major: int
    revision: str
    """What follows the major number: ``7.1`` of 32.7.1; ``7`` where no more is known."""

    def words(self) -> str:
        """Return it with the JetPack that it is the system of, where that is known."""
        jetpack = JETPACKS.get(f"{self.major}.{self.revision.partition('.')[0]}")
        return f"L4T {self.major}.{self.revision}" + (f", JetPack {jetpack}" if jetpack else "")


def read_l4t(root: Path = Path("/")) -> L4T | None:
    """Return the L4T that a root file system is made for; None where nothing there says so.

    A Jetson has its release file. NVIDIA's images have the packages of L4T or, without a driver, the repository that
    their libraries come from.
    """
    places = (
        ("etc/nv_tegra_release", _RELEASE),
        ("var/lib/dpkg/status", _PACKAGE),
        ("etc/apt/sources.list.d/nvidia-l4t-apt-source.list", _SOURCE),
    )
    for name, pattern in places:
        if match := pattern.search(_text(root, name)):
            return L4T(int(match[1]), match[2])
    return None


def read_cuda(root: Path) -> tuple[int, int] | None:
    """Return the newest CUDA toolkit in a root file system, by its folders ``usr/local/cuda-X.Y``."""
    folder = root / "usr" / "local"
    try:
        names = [path.name for path in folder.iterdir()] if _inside(folder, root) else []
    except OSError:
        return None
    found = [(int(match[1]), int(match[2])) for name in names if (match := _TOOLKIT.fullmatch(name))]
    return max(found, default=None)


def misfit(container: Path, machine: Path = Path("/"), driver: tuple[int, int] | None = None) -> str | None:
    """Return why a container's GPU libraries will not work on this machine; None where they may.

    Libraries of L4T speak to the driver of their own major release; a CUDA toolkit needs a driver that knows a CUDA of
    its major number, or a later one (NVIDIA, CUDA compatibility).

    :param driver: the CUDA that the machine's driver knows
    """
    theirs, ours = read_l4t(container), read_l4t(machine)
    if theirs is not None and ours is not None and theirs.major != ours.major:
        return (
            f"its container asset is made for {theirs.words()}, this machine is {ours.words()}: its GPU libraries may "
            "not work; build it on NVIDIA's image for this JetPack, or run it from its sources"
        )
    cuda = read_cuda(container)
    if cuda is not None and driver is not None and cuda[0] > driver[0] and not _brings_driver(container, cuda):
        return (
            f"its container asset has CUDA {cuda[0]}.{cuda[1]}, this machine's driver knows CUDA {driver[0]}."
            f"{driver[1]}: its GPU libraries will not load; build it with an older CUDA, or update the driver"
        )
    return None


def driver_cuda(library: str = "libcuda.so.1") -> tuple[int, int] | None:
    """Return the CUDA that the machine's driver knows; None without a driver. Loads its library."""
    version = ctypes.c_int(0)
    try:
        answered = ctypes.CDLL(library).cuDriverGetVersion(ctypes.byref(version)) == 0
    except (OSError, AttributeError):
        return None
    return (version.value // 1000, version.value % 1000 // 10) if answered and version.value > 0 else None


def ask_driver_cuda() -> tuple[int, int] | None:
    """Return what :func:`driver_cuda` does, from a process of its own; None as well where a driver hangs or crashes."""
    try:
        answer = subprocess.run(
            [sys.executable, "-m", "vedette.gpu_software"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_DRIVER_S,
            check=True,
        )
        major, minor = map(int, answer.stdout.split("."))
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    return major, minor


def _brings_driver(root: Path, cuda: tuple[int, int]) -> bool:
    """Tell whether a container has the user's part of a newer driver (NVIDIA's package cuda-compat)."""
    return (root / "usr" / "local" / f"cuda-{cuda[0]}.{cuda[1]}" / "compat").is_dir()


def _text(root: Path, name: str) -> str:
    path = root / name
    try:
        if not _inside(path, root):
            return ""
        with path.open(encoding="utf-8", errors="replace") as opened:
            return opened.read(_MOST_BYTES)
    except OSError:
        return ""


def _inside(path: Path, root: Path) -> bool:
    """Tell whether a path of a container leads to a file of the container: its links are its author's."""
    return path.resolve().is_relative_to(root.resolve())


if __name__ == "__main__":
    if known := driver_cuda():
        sys.stdout.write(f"{known[0]}.{known[1]}")
