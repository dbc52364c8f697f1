"""The checks themselves: from what the probes found to a finding and its fix."""

from datetime import datetime, timezone
from pathlib import Path
from typing import Final

from vedette.doctor.check import Check, State
from vedette.doctor.probes import Probes
from vedette.picture_decoding import NAMES
from vedette.screens import INSTALL, examine

PAGE_PORT: Final = 8790
"""Where the page listens unless configured otherwise; callers give the one in use."""
OLDEST_PYTHON: Final = (3, 10)
NEWEST_TRIED_PYTHON: Final = (3, 13)

# A camera of 1080p needs about 110 MB (decoder and ring of four frames of 3.1 MB), an application with OpenCV 150 MB.
MEMORY_LOW_BYTES: Final = 500_000_000
MEMORY_NEEDED_BYTES: Final = 150_000_000
# The environment of an application with OpenCV takes 250 MB, its wheels in the cache 100 MB.
DISK_LOW_BYTES: Final = 2_000_000_000
DISK_NEEDED_BYTES: Final = 400_000_000
# When these lines were written. A device without a battery for its clock wakes up in 1970 or at its image's date, and
# every certificate is then "not yet valid".
_WRITTEN: Final = datetime(2026, 6, 1, tzinfo=timezone.utc)
_DISTANT: Final = datetime(2046, 1, 1, tzinfo=timezone.utc)


def run_checks(folder: Path | None = None, *, page_port: int = PAGE_PORT, probes: Probes | None = None) -> list[Check]:
    """Look at the machine and return every finding, in the order in which they matter; raises nothing.

    :param folder: where Vedette keeps its work, for the free disk; the present folder if not given.
    """
    used = probes or Probes()
    return [
        _python(used),
        _sandbox(used),
        _codecs(used),
        _decoding(used),
        _encoding(used),
        _shared_memory(used),
        _memory(used),
        _disk(used, folder or Path.cwd()),
        _page_port(used, page_port),
        _uv(used),
        _clock(used),
        _gpu(used),
        _screen(used),
    ]


def _python(probes: Probes) -> Check:
    version = ".".join(map(str, probes.python))
    if probes.python[:2] < OLDEST_PYTHON:
        return Check(
            "python",
            State.FAILED,
            f"Python {version}; Vedette needs 3.10 or later",
            "install a newer Python: sudo apt-get install python3.10, or uv python install 3.11",
        )
    if probes.python[:2] > NEWEST_TRIED_PYTHON:
        return Check(
            "python", State.WARNING, f"Python {version} is newer than any that Vedette was tried with (3.10 to 3.13)"
        )
    if probes.python[:2] >= (3, 13):
        return Check(
            "python",
            State.WARNING,
            f"Python {version}; libraries that old applications pin have no wheels for it, so their pins are relaxed",
            "for applications from before 2024, run Vedette on Python 3.10 or 3.11",
        )
    return Check("python", State.OK, f"Python {version}")


def _sandbox(probes: Probes) -> Check:
    found = probes.bubblewrap()
    if found.works:
        return Check("sandbox", State.OK, f"bubblewrap {'.'.join(map(str, found.version))} works")
    return Check(
        "sandbox", State.FAILED, f'{found.reason}; applications start only with "sandbox": "off"', found.remedy
    )


def _codecs(probes: Probes) -> Check:
    try:
        found = probes.decoders()
    except (ImportError, OSError) as error:
        return Check(
            "codecs",
            State.FAILED,
            f"PyAV, which decodes cameras, does not load: {type(error).__name__}",
            "install it again: pip install --force-reinstall av",
        )
    missing = [words for name, words in NAMES.items() if name not in found]
    if missing:
        fix = "install PyAV's own wheel, which has them: pip install --force-reinstall --only-binary av av"
        return Check("codecs", State.FAILED, f"PyAV cannot decode {', '.join(missing)}", fix)
    return Check("codecs", State.OK, f"PyAV decodes {', '.join(NAMES.values())}")


def _decoding(probes: Probes) -> Check:
    try:
        found = probes.hardware_decoders()
    except OSError as error:
        return Check(
            "decoding",
            State.WARNING,
            f"hardware decoding: {error}",
            "mend the driver, or set hardwareDecoding of vedette.CameraIngest to off",
        )
    told = [f"{ways[0]} decodes {NAMES[codec]}" for codec, ways in found.items() if ways]
    if told:
        return Check("decoding", State.OK, "; ".join(told))
    return Check("decoding", State.NOT_NEEDED, "no video decoder in hardware that PyAV can use: software decodes")


def _encoding(probes: Probes) -> Check:
    found = probes.hardware_encoders()
    works = next((name for name, refusal in found.items() if not refusal), None)
    refused = "; ".join(f"{name} cannot: {refusal}" for name, refusal in found.items() if refusal)
    if works is not None:
        return Check("encoding", State.OK, f"{works} encodes H.264" + (f"; {refused}" if refused else ""))
    if refused:
        # Most graphics have some encoder that lacks its driver; software is no fault.
        return Check("encoding", State.NOT_NEEDED, f"software encodes streams, clips and recordings: {refused}")
    return Check("encoding", State.NOT_NEEDED, "no video encoder in hardware: software encodes")


def _shared_memory(probes: Probes) -> Check:
    try:
        probes.shared_memory()
    except OSError as error:
        return Check(
            "shared-memory",
            State.FAILED,
            f"frames cannot be shared between processes: memfd_create or mmap failed ({error.strerror})",
            "allow memfd_create and 8 MB of memory; in a container, its seccomp profile may forbid it",
        )
    free = probes.shm_free_bytes()
    if free is None or free < 64_000_000:
        have = "is not mounted" if free is None else f"has {_size(free)} free"
        return Check(
            "shared-memory",
            State.WARNING,
            f"frames can be shared; /dev/shm {have}, which applications that use multiprocessing need",
            "mount it larger: sudo mount -o remount,size=25% /dev/shm, or docker run --shm-size=256m",
        )
    return Check("shared-memory", State.OK, f"frames can be shared between processes; /dev/shm has {_size(free)} free")


def _memory(probes: Probes) -> Check:
    free = probes.memory_available_bytes()
    if free is None:
        return Check("memory", State.WARNING, "the kernel does not say how much memory is available")
    return _amount("memory", free, MEMORY_LOW_BYTES, MEMORY_NEEDED_BYTES, "memory", "end other programs, or add swap")


def _disk(probes: Probes, folder: Path) -> Check:
    free = probes.disk_free_bytes(folder)
    if free is None:
        return Check("disk", State.WARNING, f"the disk of {folder} does not say how much is free")
    fix = "make room: applications' environments and clips go there; uv cache prune frees unused wheels"
    return _amount("disk", free, DISK_LOW_BYTES, DISK_NEEDED_BYTES, f"disk in {folder}", fix)


def _amount(name: str, free: int, low: int, needed: int, what: str, fix: str) -> Check:
    if free >= low:
        return Check(name, State.OK, f"{_size(free)} of {what} free")
    state, limit = (State.WARNING, low) if free >= needed else (State.FAILED, needed)
    return Check(name, state, f"{_size(free)} of {what} free; expected at least {_size(limit)}", fix)


def _page_port(probes: Probes, port: int) -> Check:
    if probes.port_free(port):
        return Check("page-port", State.OK, f"port {port} is free for the page")
    return Check(
        "page-port",
        State.WARNING,
        f"port {port} is taken: by Vedette itself, or by another program",
        f"see by whom: sudo ss -ltnp 'sport = :{port}'; or choose another one with --port",
    )


def _uv(probes: Probes) -> Check:
    try:
        return Check("uv", State.OK, f"{probes.uv_version()} installs applications' libraries")
    except OSError as error:
        return Check(
            "uv", State.FAILED, f"applications' libraries cannot be installed: {error}", "install it: pip install uv"
        )


def _clock(probes: Probes) -> Check:
    now = datetime.fromtimestamp(probes.wall_time_s(), timezone.utc)
    if _WRITTEN <= now < _DISTANT:
        return Check("clock", State.OK, f"{now:%Y-%m-%d %H:%M} UTC")
    return Check(
        "clock",
        State.FAILED,
        f"the clock says {now:%Y-%m-%d %H:%M} UTC, which cannot be: certificates are refused, frames get wrong times",
        "set it: sudo timedatectl set-ntp true",
    )


def _gpu(probes: Probes) -> Check:
    found = probes.gpus()
    if found:
        return Check("gpu", State.OK, "; ".join([*found, *probes.gpu_software()]))
    return Check("gpu", State.NOT_NEEDED, f"no GPU: models run on {probes.cpus() or 'the'} processor cores")


def _screen(probes: Probes) -> Check:
    """Look at what ``"screen": "on"`` of vedette.Display needs without a desktop."""
    found = probes.screens()
    if not found:
        return Check("screen", State.NOT_NEEDED, "no port for a screen: pictures are on the page")
    finding = examine(found)
    if not finding.works:
        state = State.WARNING if finding.fix else State.NOT_NEEDED
        return Check("screen", state, f"no picture on the device's own screen: {finding.words}", finding.fix)
    try:
        return Check("screen", State.OK, f"{finding.words}; SDL {probes.sdl_version()}")
    except OSError:
        return Check("screen", State.WARNING, f"{finding.words}, but SDL2, which shows pictures, is missing", INSTALL)


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
