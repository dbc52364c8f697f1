"""A virtual machine: started, looked at, its plug pulled. QEMU with KVM; made of what ``image.sh`` leaves."""

import contextlib
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tests.ports import free_port

EMULATED: Final = os.environ.get("VEDETTE_VM_ACCELERATOR", "kvm") != "kvm"
"""``VEDETTE_VM_ACCELERATOR=tcg``: where /dev/kvm is missing, or is one that ordinary kernels do not start on."""
PATIENCE: Final = 12.0 if EMULATED else 1.0
"""Bounds are so many times longer on an emulated processor."""
BOOT_S: Final = 60.0 * PATIENCE
END_S: Final = 40.0 * PATIENCE
QEMU: Final = "qemu-system-x86_64"


class MachineError(Exception):
    """The machine did not do what was asked of it; says what it wrote."""


class Machine:
    """One virtual machine with a disk of its own over an image.

    ``disk`` is written; :meth:`fork` makes another over it. ``devices`` are arguments of QEMU: a screen, a USB drive.
    """

    def __init__(self, image: Path, disk: Path, *, devices: Sequence[str] = (), memory_mb: int = 2048) -> None:
        self.image, self.disk = image, disk
        self._devices = list(devices)
        self._memory_mb = memory_mb
        self._process: subprocess.Popen[bytes] | None = None
        self._port = 0
        disk.parent.mkdir(parents=True, exist_ok=True)
        self.console = disk.with_suffix(".console")
        self._said = disk.with_suffix(".said")
        self._monitor_path = disk.with_suffix(".qmp")
        if not disk.exists():
            overlay(image / "disk.ext4", disk, "raw")

    def start(self) -> "Machine":
        """Switch it on and wait until a login is possible.

        :raises MachineError: when it does not come up within ``BOOT_S``.
        """
        self._port = free_port()
        self._monitor_path.unlink(missing_ok=True)
        command = [
            *(QEMU, "-accel", "tcg,thread=multi" if EMULATED else "kvm", "-cpu", "max" if EMULATED else "host"),
            *("-smp", "2", "-m", str(self._memory_mb), "-nodefaults", "-no-user-config"),
            *("-kernel", str(self.image / "vmlinuz"), "-initrd", str(self.image / "initrd.img")),
            *("-append", "root=/dev/vda rw console=tty0 console=ttyS0 quiet"),
            *("-drive", f"file={self.disk},if=virtio,format=qcow2,cache=none,discard=unmap"),
            *("-nic", f"user,model=virtio-net-pci,hostfwd=tcp:127.0.0.1:{self._port}-:22"),
            *("-device", "virtio-rng-pci"),
            *("-display", "none", "-serial", f"file:{self.console}"),
            *("-qmp", f"unix:{self._monitor_path},server=on,wait=off"),
            *self._devices,
        ]
        with self._said.open("wb") as said:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=said)
        self.wait_up()
        return self

    def wait_up(self, within_s: float = BOOT_S) -> None:
        """Wait until a login is possible."""
        deadline = time.monotonic() + within_s
        while True:
            process = self._process
            if process is not None and process.poll() is not None:
                raise MachineError(f"QEMU ended with {process.returncode}: {self._said.read_text(errors='replace')}")
            with contextlib.suppress(MachineError, subprocess.TimeoutExpired):
                self.run("true", timeout_s=10)
                return
            if time.monotonic() > deadline:
                raise MachineError(
                    f"no login after {within_s:.0f} s: {self.console.read_text(errors='replace')[-2000:]}"
                )
            time.sleep(0.5)

    def run(
        self, command: str, *, user: str = "root", check: bool = True, timeout_s: float = 60.0, data: str | None = None
    ) -> str:
        """Run a shell command in it; return what it wrote, both streams together.

        :raises MachineError: when it ends with anything but 0, unless ``check`` is False.
        """
        if user != "root":
            command = f"runuser -u {user} -- sh -c {shlex.quote(command)}"
        done = subprocess.run(
            [*self._ssh("ssh", "-p"), "root@127.0.0.1", command],
            input=data, stdin=subprocess.DEVNULL if data is None else None,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout_s, check=False,
        )  # fmt: skip
        if check and done.returncode:
            raise MachineError(f"{command}: {done.returncode}: {done.stdout[-3000:]}")
        return done.stdout

    def put(self, *sources: Path, to: str) -> None:
        """Copy files and folders into it."""
        subprocess.run(
            [*self._ssh("scp", "-P"), "-q", "-r", *map(str, sources), f"root@127.0.0.1:{to}"],
            check=True, timeout=300, stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def _ssh(self, program: str, port: str) -> list[str]:
        return [
            program, port, str(self._port), "-i", str(self.image / "id_ed25519"), "-F", "none",
            "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR",
            "-o", "ConnectTimeout=5", "-o", "BatchMode=yes",
        ]  # fmt: skip

    def monitor(self, execute: str, **arguments: Any) -> Any:
        """Ask QEMU's monitor (QMP)."""
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(20)
            sock.connect(str(self._monitor_path))
            with sock.makefile("rw") as stream:
                stream.readline()
                for words in ({"execute": "qmp_capabilities"}, {"execute": execute, "arguments": arguments}):
                    stream.write(json.dumps(words) + "\n")
                    stream.flush()
                    answer: dict[str, Any] = {}
                    while not {"return", "error"} & answer.keys():
                        answer = json.loads(stream.readline())
                if "error" in answer:
                    raise MachineError(f"{execute}: {answer['error']['desc']}")
                return answer["return"]

    def look(self, device: str | None = None) -> NDArray[np.uint8]:
        """Return what is on its screen: (height, width, 3) RGB."""
        path = self.disk.with_suffix(".ppm")
        path.unlink(missing_ok=True)
        self.monitor("screendump", filename=str(path), **({"device": device} if device else {}))
        data = path.read_bytes()
        _, size, _, dots = data.split(b"\n", 3)
        width, height = map(int, size.split())
        return np.frombuffer(dots, np.uint8).reshape(height, width, 3)

    def pull_the_plug(self) -> None:
        """Off at once: nothing that was not written through is on its disk."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait(END_S)
            self._process = None

    def press_power(self, within_s: float = END_S) -> float:
        """Press the power button (ACPI); return the seconds until it was off."""
        began = time.monotonic()
        self.monitor("system_powerdown")
        assert self._process is not None
        self._process.wait(within_s)
        self._process = None
        return time.monotonic() - began

    def fork(self, disk: Path, **options: Any) -> "Machine":
        """Return another machine with this one's disk as it is; this one has to be off."""
        overlay(self.disk, disk, "qcow2")
        return Machine(self.image, disk, **options)

    @contextlib.contextmanager
    def on(self) -> Iterator["Machine"]:
        """Switched on inside the block."""
        try:
            yield self.start()
        finally:
            self.pull_the_plug()


def overlay(base: Path, disk: Path, form: str) -> None:
    """Make a disk that holds what differs from ``base``."""
    disk.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        ["qemu-img", "create", "-q", "-f", "qcow2", "-b", str(base.resolve()), "-F", form, str(disk)],
        check=True,
        timeout=60,
    )


def missing() -> str:
    """Return what this machine lacks for virtual ones; empty when nothing."""
    if not EMULATED and not os.access("/dev/kvm", os.W_OK):
        return "/dev/kvm is not there, or not for this user; VEDETTE_VM_ACCELERATOR=tcg does without, slowly"
    for program, package in ((QEMU, "qemu-system-x86"), ("qemu-img", "qemu-utils"), ("ssh", "openssh-client")):
        if shutil.which(program) is None:
            return f"{program} is not installed (apt install {package})"
    return ""
