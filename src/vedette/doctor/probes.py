"""How the checks look at the machine: every look in one place, so that a test can put another machine in its stead."""

import ctypes
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from vedette.doctor.bubblewrap import Bubblewrap, probe_bubblewrap, run_bounded
from vedette.gpu_software import driver_cuda, read_l4t
from vedette.screens import SYSTEM_LIBRARY, Card, cards

PROBED_BYTES: Final = 8_000_000
"""More than one 1080p frame, 3,110,400 bytes, and a second one."""


def decoders() -> frozenset[str]:
    """Return the names of the video decoders in PyAV.

    :raises ImportError: if PyAV is missing or its libraries do not load.
    """
    import av

    return frozenset(name for name in ("h264", "hevc", "mjpeg") if name in av.codecs_available)


def hardware_decoders() -> dict[str, list[str]]:
    """Return which hardware decodes H.264 (``h264``) and H.265 (``hevc``) here; tried, in a process of its own.

    :raises OSError: if that process does not answer: a driver that hangs or crashes.
    """
    try:
        answer = run_bounded([sys.executable, "-m", "vedette.hardware_decoding"])
        found: dict[str, list[str]] = json.loads(answer.stdout)
    except (subprocess.SubprocessError, ValueError) as error:
        raise OSError("a driver of a video decoder hangs or crashes") from error
    return found


def hardware_encoders() -> dict[str, str]:
    """Return the video encoders in hardware that this device seems to have, each with why it cannot be used.

    The reason is empty for the first that works, which is the last that is tried, as vedette.Display does: each in a
    process of its own and within bounds of time.
    """
    from vedette.hardware_encoding import candidates, find

    return {finding.way.name: finding.refusal for finding in find(candidates())[1]}


def shared_memory() -> None:
    """Make a memory as a camera's ring does, map and write it.

    :raises OSError: if the kernel refuses.
    """
    import mmap

    descriptor = os.memfd_create("vedette-doctor", os.MFD_CLOEXEC)
    try:
        os.ftruncate(descriptor, PROBED_BYTES)
        with mmap.mmap(descriptor, PROBED_BYTES) as memory:
            memory[-1] = 1
    finally:
        os.close(descriptor)


def shm_free_bytes() -> int | None:
    """Return what is free in /dev/shm, or None where it is not mounted."""
    try:
        return shutil.disk_usage("/dev/shm").free  # noqa: S108 - a mount point, not a file of ours
    except OSError:
        return None


def memory_available_bytes() -> int | None:
    """Return what the kernel calls available, or None when it does not say."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return None


def disk_free_bytes(folder: Path) -> int | None:
    """Return what an ordinary user may still write in ``folder`` or the nearest folder above that exists."""
    for candidate in (folder, *folder.parents):
        try:
            return shutil.disk_usage(candidate).free
        except FileNotFoundError:
            continue
        except OSError:
            return None
    return None


def port_free(port: int) -> bool:
    """Return whether a server could listen on this port of the loopback now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def uv_version() -> str:
    """Return what uv says of itself.

    :raises OSError: if there is none, or it cannot be run.
    """
    try:
        import uv

        program = uv.find_uv_bin()
    except ImportError as error:
        raise FileNotFoundError("the Python package uv is not installed") from error
    try:
        answer = run_bounded([program, "--version"])
    except subprocess.SubprocessError as error:
        raise OSError(f"{program} does not answer") from error
    if answer.returncode != 0:
        raise OSError(f"{program} ended with {answer.returncode}")
    return answer.stdout.split("(")[0].strip()


def gpus() -> Sequence[str]:
    """Return the GPUs that the drivers show: names from nvidia-smi, or the kinds of their device nodes."""
    if shutil.which("nvidia-smi") is not None:
        try:
            answer = run_bounded(["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"])
            if answer.returncode == 0:
                return [line.strip() for line in answer.stdout.splitlines() if line.strip()]
        except (OSError, subprocess.SubprocessError):
            return []
    nodes = {"/dev/nvhost-gpu": "NVIDIA Jetson", "/dev/nvidia0": "NVIDIA, without nvidia-smi"}
    return [name for node, name in nodes.items() if Path(node).exists()]


def gpu_software(root: Path = Path("/"), library: str = "libcuda.so.1") -> Sequence[str]:
    """Return what a GPU's libraries have to fit: the JetPack of a Jetson, and the CUDA that the driver knows."""
    l4t, cuda = read_l4t(root), driver_cuda(library)
    return [*([l4t.words()] if l4t else []), *([f"CUDA {cuda[0]}.{cuda[1]}"] if cuda else [])]


def sdl_version() -> str:
    """Return the version of the system's SDL2, which shows pictures on the device's own screen.

    :raises OSError: if it is not installed.
    """
    library = ctypes.CDLL(SYSTEM_LIBRARY)
    version = (ctypes.c_uint8 * 3)()
    library.SDL_GetVersion(version)
    return ".".join(map(str, version))


@dataclass(frozen=True)
class Probes:
    """The looks at the machine that :func:`vedette.doctor.run_checks` takes. Those that fail raise OSError."""

    python: tuple[int, int, int] = field(
        default_factory=lambda: (sys.version_info[0], sys.version_info[1], sys.version_info[2])
    )
    bubblewrap: Callable[[], Bubblewrap] = probe_bubblewrap
    decoders: Callable[[], frozenset[str]] = decoders
    hardware_decoders: Callable[[], dict[str, list[str]]] = hardware_decoders
    hardware_encoders: Callable[[], dict[str, str]] = hardware_encoders
    shared_memory: Callable[[], None] = shared_memory
    shm_free_bytes: Callable[[], int | None] = shm_free_bytes
    memory_available_bytes: Callable[[], int | None] = memory_available_bytes
    disk_free_bytes: Callable[[Path], int | None] = disk_free_bytes
    port_free: Callable[[int], bool] = port_free
    uv_version: Callable[[], str] = uv_version
    wall_time_s: Callable[[], float] = time.time
    gpus: Callable[[], Sequence[str]] = gpus
    gpu_software: Callable[[], Sequence[str]] = gpu_software
    cpus: Callable[[], int | None] = os.cpu_count
    screens: Callable[[], list[Card]] = cards
    sdl_version: Callable[[], str] = sdl_version
