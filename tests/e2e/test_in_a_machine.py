"""What needs a kernel of its own, in a virtual machine: the screen without a desktop, a camera that is plugged in.

Needs root, QEMU, mmdebstrap, and 3 GB in the folder that the variable names; a quarter of an hour and more where the
processor is emulated (``VEDETTE_VM_ACCELERATOR=tcg``)::

    VEDETTE_VM=/var/tmp/machines .venv/bin/pytest -s tests/e2e/test_in_a_machine.py
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest

from tests import waiting

from .machine.machine import EMULATED, PATIENCE, Machine, missing, overlay

FOLDER: Final = os.environ.get("VEDETTE_VM", "")
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not FOLDER, reason="takes root, QEMU and minutes: VEDETTE_VM=FOLDER"),
    pytest.mark.timeout(1800),
]
HERE: Final = Path(__file__).parent / "machine"
ROOT: Final = Path(__file__).parents[2]
PORT: Final = "/sys/class/drm/card0-Virtual-1/status"
WHITE, RED, BLUE = (191, 191, 191), (191, 0, 0), (0, 0, 191)
# Mesa compiles shaders for a processor that QEMU does not emulate to the letter; this one interprets them.
RENDERER: Final = "GALLIUM_DRIVER=softpipe " if EMULATED else ""


def made(*command: str | Path) -> None:
    subprocess.run(list(map(str, command)), check=True, timeout=900)


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    """Return a machine that runs, with Vedette as pip installs it, and a screen."""
    if lack := missing():
        pytest.skip(lack)
    folder = Path(FOLDER)
    made(HERE / "image.sh", folder, "trixie")
    made(Path(sys.executable).with_name("uv"), "build", "-q", "--wheel", "--out-dir", folder / "wheel", ROOT)
    wheel = max((folder / "wheel").glob("*.whl"), key=lambda path: path.stat().st_mtime)
    installed = folder / "installed.ext4"
    made(HERE / "install.sh", folder / "trixie", wheel, installed)
    disk = folder / "machine.qcow2"
    disk.unlink(missing_ok=True)
    overlay(installed, disk, "raw")
    with Machine(folder / "trixie", disk, devices=("-device", "virtio-vga")).on() as running:
        running.run("useradd -m device && chmod 755 /root")
        running.put(HERE / "on_screen.py", to="/tmp/on_screen.py")
        yield running


eventually = partial(waiting.eventually, within_s=40.0 * PATIENCE, every_s=1.0)


def near(dot: Any, color: tuple[int, int, int]) -> bool:
    return bool(np.abs(dot.astype(int) - color).max() < 12)


def show(machine: Machine, line: str) -> None:
    machine.run(f"echo '{line}' >/run/orders", timeout_s=60 * PATIENCE)


def told(machine: Machine) -> str:
    return machine.run("journalctl -u screen --no-pager -o cat", timeout_s=60 * PATIENCE)


def test_a_screen_without_a_desktop_is_not_used_or_not_given_back(machine: Machine) -> None:
    console = machine.look().mean()
    unit = "systemd-run -q --unit=screen --uid=device -p StandardInput=file:/run/orders"
    command = f"{unit} env {RENDERER} HOME=/home/device /opt/vedette/bin/python -u /tmp/on_screen.py"
    machine.run("mkfifo -m 666 /run/orders && systemd-run -q --unit=orders sh -c 'exec sleep 3600 >/run/orders'")
    machine.run(command)
    eventually(lambda: "device may not use /dev/dri/card0" in told(machine), "says which right is missing")
    assert "usermod -a -G video,render device" in told(machine)
    assert "XDG_RUNTIME_DIR" not in told(machine), "Wayland's library complains"

    machine.run("systemctl stop screen; usermod -a -G video,render device")
    machine.run(command)
    show(machine, "nothing")
    eventually(lambda: near(machine.look()[10, 10], WHITE), "the test pattern's first bar")
    picture = machine.look()
    assert near(picture[10, -10], BLUE)
    assert (picture[300:500].min(axis=2) > 200).sum() > 100, "words"

    show(machine, "pictures 1")
    eventually(lambda: not near(machine.look()[100, 10], WHITE), "one picture")
    # Drawn at the screen's resolution: the box's left line is red from one dot to the next.
    eventually(lambda: bool((machine.look()[400, 250:265, 0] > 200).any()), "the box")
    show(machine, "pictures 3")
    eventually(
        lambda: len({tuple(machine.look()[y, x]) for y, x in ((200, 200), (200, 1000), (600, 640))}) == 3, "tiles"
    )

    machine.run(f"echo off >{PORT}")
    eventually(lambda: "no screen is plugged in (Virtual-1)" in told(machine), "says that it is unplugged")
    machine.run(f"echo detect >{PORT}")
    eventually(lambda: machine.look().mean() > 10 * (console + 1), "back when it is plugged in again")

    machine.run("systemctl stop screen orders")
    eventually(lambda: machine.look().mean() < 2 * (console + 1), "the console is back")


def test_a_camera_that_is_plugged_in_is_not_found_or_not_played(machine: Machine) -> None:
    vedette = "/opt/vedette/bin/vedette camera"
    machine.run("modprobe vivid n_devs=1 node_types=0x1 input_types=0x0 && udevadm settle")
    found = machine.run(f"{vedette} discover --timeout 0.5", timeout_s=60 * PATIENCE)
    assert "vivid" in found
    assert "size=3840x2160&format=yuyv" in found
    tried = f"{vedette} test '/dev/video0?size=640x360&fps=5' --seconds 2"
    assert "640x360" in machine.run(tried, timeout_s=60 * PATIENCE)
    other = machine.run(f"{vedette} test '/dev/video0?size=331x177'", check=False, timeout_s=60 * PATIENCE)
    assert "it offers:" in other
