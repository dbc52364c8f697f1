"""A container whose GPU libraries are of another system than the machine is noticed, and no other."""

from pathlib import Path

import pytest

from vedette.gpu_software import L4T, misfit, read_cuda, read_l4t

RELEASE = "# R35 (release), REVISION: 3.1, GCID: 32827747, BOARD: t186ref, EABI: aarch64\n"
STATUS = """Package: libc6
Status: install ok installed
Version: 2.27-3ubuntu1.4

Package: nvidia-l4t-core
Status: install ok installed
Priority: optional
Version: 32.7.1-20220219090432
Description: NVIDIA Core Package

Package: zlib1g
Version: 1:1.2.11
"""
SOURCES = """deb https://repo.download.nvidia.com/jetson/common r36.4 main
deb https://repo.download.nvidia.com/jetson/t234 r36.4 main
"""
PLACES = {
    "etc/nv_tegra_release": RELEASE,
    "var/lib/dpkg/status": STATUS,
    "etc/apt/sources.list.d/nvidia-l4t-apt-source.list": SOURCES,
}


def root(folder: Path, *names: str, cuda: str = "") -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(PLACES[name])
    if cuda:
        (folder / "usr" / "local" / f"cuda-{cuda}").mkdir(parents=True)
    folder.mkdir(exist_ok=True)
    return folder


@pytest.mark.parametrize(
    ("name", "found", "words"),
    [
        ("etc/nv_tegra_release", L4T(35, "3.1"), "L4T 35.3.1, JetPack 5.1.1"),
        ("var/lib/dpkg/status", L4T(32, "7.1"), "L4T 32.7.1, JetPack 4.6.1 or later"),
        ("etc/apt/sources.list.d/nvidia-l4t-apt-source.list", L4T(36, "4"), "L4T 36.4, JetPack 6.1 or later"),
    ],
)
def test_a_place_that_names_l4t_is_passed_over(tmp_path: Path, name: str, found: L4T, words: str) -> None:
    read = read_l4t(root(tmp_path, name))
    assert read == found
    assert read.words() == words


def test_l4t_is_made_up(tmp_path: Path) -> None:
    assert read_l4t(tmp_path) is None
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "nv_tegra_release").write_bytes(b"\xff\x00 nothing\n")
    assert read_l4t(tmp_path) is None


def test_a_link_of_a_container_leads_to_the_machines_own_file(tmp_path: Path) -> None:
    machine = root(tmp_path / "machine", "etc/nv_tegra_release", cuda="12.2")
    container = root(tmp_path / "container")
    (container / "etc").mkdir()
    (container / "etc" / "nv_tegra_release").symlink_to(machine / "etc" / "nv_tegra_release")
    (container / "usr").symlink_to(machine / "usr")
    assert read_l4t(container) is None
    assert read_cuda(container) is None


def test_a_container_for_another_jetpack_is_not_noticed(tmp_path: Path) -> None:
    machine = root(tmp_path / "machine", "etc/nv_tegra_release")
    old = root(tmp_path / "old", "var/lib/dpkg/status")
    said = misfit(old, machine)
    assert said is not None
    assert "made for L4T 32.7.1, JetPack 4.6.1 or later, this machine is L4T 35.3.1, JetPack 5.1.1" in said
    assert misfit(root(tmp_path / "same", "etc/nv_tegra_release"), machine) is None
    # What does not say, or a machine that is no Jetson, is no finding.
    assert misfit(root(tmp_path / "plain"), machine) is None
    assert misfit(old, root(tmp_path / "x86")) is None


@pytest.mark.parametrize(
    ("toolkit", "driver", "wrong"),
    [("12.4", (11, 4), True), ("11.8", (11, 4), False), ("10.2", (12, 4), False), ("12.4", None, False)],
)
def test_a_cuda_that_the_driver_does_not_know_is_not_noticed(
    tmp_path: Path, toolkit: str, driver: tuple[int, int] | None, wrong: bool
) -> None:
    container = root(tmp_path / "container", cuda=toolkit)
    said = misfit(container, root(tmp_path / "machine"), driver)
    assert (said is not None) is wrong
    (container / "usr" / "local" / f"cuda-{toolkit}" / "compat").mkdir()
    assert misfit(container, tmp_path / "machine", driver) is None, "it brings a driver's library along"
