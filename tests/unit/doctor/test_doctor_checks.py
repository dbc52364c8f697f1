"""What the doctor says of machines that are not this one."""

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from vedette.doctor import Check, Probes, State, checks_to_json, run_checks
from vedette.doctor.bubblewrap import (
    APPARMOR_PROFILE,
    APPARMOR_SWITCH,
    CLONE_SWITCH,
    OUR_PROFILE,
    UBUNTUS_PROFILE,
    Bubblewrap,
    probe_bubblewrap,
)
from vedette.doctor.probes import gpu_software
from vedette.screens import Card, Port

_HEALTHY = Probes(
    python=(3, 11, 7),
    bubblewrap=lambda: Bubblewrap("/usr/bin/bwrap", (0, 9, 0), works=True),
    decoders=lambda: frozenset({"h264", "hevc", "mjpeg"}),
    hardware_decoders=lambda: {"h264": [], "hevc": []},
    hardware_encoders=dict,
    shared_memory=lambda: None,
    shm_free_bytes=lambda: 2_000_000_000,
    memory_available_bytes=lambda: 6_000_000_000,
    disk_free_bytes=lambda _: 40_000_000_000,
    port_free=lambda _: True,
    uv_version=lambda: "uv 0.8.0",
    wall_time_s=lambda: 1_800_000_000.0,
    gpus=list,
    gpu_software=list,
    cpus=lambda: 4,
    screens=list,
    sdl_version=lambda: "2.26.5",
)
_HDMI = Port("HDMI-A-1", connected=True, mode="1920x1080")


def _raising(error: Exception) -> Callable[[], Any]:
    def raise_it() -> Any:
        raise error

    return raise_it


def _of(name: str, **probes: Any) -> Check:
    checks = run_checks(Path("/var/lib/vedette"), probes=replace(_HEALTHY, **probes))
    return next(check for check in checks if check.name == name)


def test_a_healthy_machine_has_nothing_to_mend() -> None:
    checks = run_checks(Path("/var/lib/vedette"), probes=_HEALTHY)
    assert {check.state for check in checks} == {State.OK, State.NOT_NEEDED}
    assert not any(check.fix for check in checks)
    assert len({check.name for check in checks}) == len(checks)


@pytest.mark.parametrize(
    ("name", "probes", "state", "finding", "fix"),
    [
        ("python", {"python": (3, 9, 2)}, State.FAILED, "Python 3.9.2; Vedette needs 3.10", "install a newer Python"),
        ("python", {"python": (3, 13, 0)}, State.WARNING, "have no wheels for it", "3.10 or 3.11"),
        ("python", {"python": (3, 15, 0)}, State.WARNING, "newer than any", ""),
        (
            "codecs",
            {"decoders": lambda: frozenset({"h264"})},
            State.FAILED,
            "cannot decode H.265, MJPEG",
            "only-binary av",
        ),
        ("codecs", {"decoders": _raising(ImportError("x"))}, State.FAILED, "does not load", "force-reinstall av"),
        (
            "shared-memory",
            {"shared_memory": _raising(OSError(1, "Not permitted"))},
            State.FAILED,
            "Not permitted",
            "seccomp",
        ),
        ("shared-memory", {"shm_free_bytes": lambda: 4_000_000}, State.WARNING, "has 4 MB free", "--shm-size"),
        ("shared-memory", {"shm_free_bytes": lambda: None}, State.WARNING, "is not mounted", "mount"),
        (
            "memory",
            {"memory_available_bytes": lambda: 300_000_000},
            State.WARNING,
            "300 MB of memory free; expected",
            "swap",
        ),
        ("memory", {"memory_available_bytes": lambda: 90_000_000}, State.FAILED, "at least 150 MB", "swap"),
        ("memory", {"memory_available_bytes": lambda: None}, State.WARNING, "does not say", ""),
        (
            "disk",
            {"disk_free_bytes": lambda _: 10_000_000},
            State.FAILED,
            "10 MB of disk in /var/lib/vedette",
            "make room",
        ),
        ("page-port", {"port_free": lambda _: False}, State.WARNING, "is taken", "ss -ltnp"),
        ("uv", {"uv_version": _raising(FileNotFoundError("no uv"))}, State.FAILED, "no uv", "pip install uv"),
        ("clock", {"wall_time_s": lambda: 0.0}, State.FAILED, "1970-01-01", "timedatectl"),
        (
            "decoding",
            {"hardware_decoders": lambda: {"h264": ["NVDEC (NVIDIA)"], "hevc": []}},
            State.OK,
            "NVDEC (NVIDIA) decodes H.264",
            "",
        ),
        (
            "decoding",
            {"hardware_decoders": _raising(OSError("a driver of a video decoder hangs"))},
            State.WARNING,
            "hangs",
            "hardwareDecoding",
        ),
        (
            "encoding",
            {"hardware_encoders": lambda: {"NVENC (NVIDIA)": "Cannot load libcuda.so.1", "V4L2": ""}},
            State.OK,
            "V4L2 encodes H.264; NVENC (NVIDIA) cannot: Cannot load libcuda.so.1",
            "",
        ),
        (
            "encoding",
            {"hardware_encoders": lambda: {"NVENC (NVIDIA)": "Cannot load libcuda.so.1"}},
            State.NOT_NEEDED,
            "software encodes streams, clips and recordings: NVENC (NVIDIA) cannot: Cannot load libcuda.so.1",
            "",
        ),
        (
            "gpu",
            {"gpus": lambda: ["NVIDIA T4, 550.54"], "gpu_software": lambda: ["CUDA 12.4"]},
            State.OK,
            "NVIDIA T4, 550.54; CUDA 12.4",
            "",
        ),
        ("screen", {}, State.NOT_NEEDED, "no port for a screen", ""),
        (
            "screen",
            {"screens": lambda: [Card("/dev/dri/card0", True, "video", (_HDMI,))]},
            State.OK,
            "HDMI-A-1 1920x1080; SDL 2.26.5",
            "",
        ),
        (
            "screen",
            {"screens": lambda: [Card("/dev/dri/card0", False, "video", (_HDMI,))]},
            State.WARNING,
            "may not use /dev/dri/card0",
            "usermod -a -G video,render",
        ),
        (
            "screen",
            {"screens": lambda: [Card("/dev/dri/card0", True, "video", (Port("DP-1", False), Port("DP-2", False)))]},
            State.NOT_NEEDED,
            "no screen is plugged in (DP-1, DP-2)",
            "",
        ),
        (
            "screen",
            {
                "screens": lambda: [Card("/dev/dri/card0", True, "video", (_HDMI,))],
                "sdl_version": _raising(OSError("no such library")),
            },
            State.WARNING,
            "SDL2, which shows pictures, is missing",
            "apt-get install libsdl2-2.0-0",
        ),
    ],
)
def test_what_is_wrong_is_found_with_its_remedy(
    name: str, probes: dict[str, Any], state: State, finding: str, fix: str
) -> None:
    check = _of(name, **probes)
    assert check.state is state
    assert finding in check.finding
    assert fix in check.fix


def test_the_document_says_whether_anything_failed() -> None:
    good, bad = Check("a", State.WARNING, "x"), Check("b", State.FAILED, "y", "z")
    assert json.loads(checks_to_json([good]))["ok"] is True
    document = json.loads(checks_to_json([good, bad]))
    assert document["ok"] is False
    assert document["checks"][1] == {"name": "b", "state": "failed", "finding": "y", "fix": "z"}


def _bwrap(error: str, switches: dict[Path, str]) -> Bubblewrap:
    def run(command: list[str]) -> "subprocess.CompletedProcess[str]":
        if command[1:] == ["--version"]:
            return subprocess.CompletedProcess(command, 0, "bubblewrap 0.9.0\n", "")
        return subprocess.CompletedProcess(command, 1 if error else 0, "", error)

    return probe_bubblewrap(run, lambda _: "/usr/bin/bwrap", switches.get)


def test_ubuntu_24_04s_restriction_is_told_with_the_profile_that_lifts_it() -> None:
    found = _bwrap("bwrap: setting up uid map: Permission denied\n", {APPARMOR_SWITCH: "1"})
    assert not found.works
    assert found.reason == "bubblewrap does not work here: bwrap: setting up uid map: Permission denied"
    assert "apparmor_parser -r /etc/apparmor.d/bwrap-vedette" in found.remedy
    check = _of("sandbox", bubblewrap=lambda: found)
    assert check.state is State.FAILED
    assert check.fix == found.remedy


def test_the_remedys_command_writes_the_profile_that_is_in_the_repository(tmp_path: Path) -> None:
    found = _bwrap("bwrap: setting up uid map: Permission denied\n", {APPARMOR_SWITCH: "1"})
    printing = found.remedy.split(": ", 1)[1].split(" | ", maxsplit=1)[0]
    written = subprocess.run(["sh", "-c", printing], capture_output=True, text=True, check=True).stdout
    profile = Path(__file__).parents[3] / "components/app_runtime/apparmor/bwrap-vedette"
    rules = [line for line in profile.read_text().splitlines() if line.strip() and not line.startswith("#")]
    assert written == APPARMOR_PROFILE
    assert [line for line in rules if "local/" not in line] == written.strip().splitlines()


def test_a_second_profile_for_bubblewrap_is_not_advised_as_the_kernel_then_applies_neither() -> None:
    refused = "bwrap: setting up uid map: Permission denied\n"
    alone = _bwrap(refused, {APPARMOR_SWITCH: "1", UBUNTUS_PROFILE: "profile bwrap"}).remedy
    assert alone.endswith("sudo apparmor_parser -r /etc/apparmor.d/bwrap-userns-restrict")
    assert "bwrap-vedette" not in alone
    both = _bwrap(refused, {APPARMOR_SWITCH: "1", UBUNTUS_PROFILE: "profile bwrap", OUR_PROFILE: "profile ours"}).remedy
    assert "sudo rm /etc/apparmor.d/bwrap-vedette; sudo apparmor_parser -r" in both


def test_a_kernel_without_user_namespaces_is_told_apart() -> None:
    assert "unprivileged_userns_clone=1" in _bwrap("bwrap: No permissions", {CLONE_SWITCH: "0"}).remedy


def test_a_container_that_may_not_mount_is_told_apart() -> None:
    assert "--privileged" in _bwrap("bwrap: Can't mount proc on /newroot/proc: Operation not permitted", {}).remedy


def test_bubblewrap_that_is_not_installed_is_told_how_to_get() -> None:
    found = probe_bubblewrap(which=lambda _: None)
    assert not found.works
    assert found.remedy == "install it: sudo apt-get install bubblewrap"


def test_an_old_bubblewrap_is_not_asked_for_what_it_does_not_know() -> None:
    asked: list[list[str]] = []

    def run(command: list[str]) -> "subprocess.CompletedProcess[str]":
        asked.append(command)
        return subprocess.CompletedProcess(command, 0, "bubblewrap 0.4.0", "")

    found = probe_bubblewrap(run, lambda _: "/usr/bin/bwrap", lambda _: None)
    assert found.version == (0, 4, 0)
    assert not found.disables_user_namespaces
    assert not any("--disable-userns" in command for command in asked)


def test_the_jetpack_that_a_containers_libraries_have_to_fit_is_not_told(tmp_path: Path) -> None:
    release = tmp_path / "etc" / "nv_tegra_release"
    release.parent.mkdir()
    release.write_text("# R35 (release), REVISION: 3.1, GCID: 32827747, BOARD: t186ref, EABI: aarch64\n")
    assert gpu_software(tmp_path, "no-such-library.so") == ["L4T 35.3.1, JetPack 5.1.1"]
    assert gpu_software(tmp_path / "none", "no-such-library.so") == []
