"""Erasing a device: nothing that was planted is left, it can be repeated, the machine can belong to somebody else."""

import os
import subprocess
from pathlib import Path

import pytest

from vedette.cloud.provisioning import Certificate, Endpoints, Provisioning, bundle_files

PLANTED = "planted-secret-5f1c"
WHERE = Endpoints("abc-ats.iot.us-east-1.amazonaws.com", "abc.credentials.iot.us-east-1.amazonaws.com")
JAVA = """#!/bin/sh
for word; do case "$word" in -Droot=*) root=${word#-Droot=};; esac; done
mkdir -p "$root/alts/current/distro/lib" && touch "$root/alts/current/distro/lib/Greengrass.jar"
"""
KEPT = ("etc/hostname", "home/somebody/notes", "tmp/other", "etc/systemd/system/ssh.service")


def run(image: Path, script: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    tools = image.parent / "tools"
    environ = {**os.environ, "ROOT_PREFIX": str(image), "PATH": f"{tools}:{os.environ['PATH']}"}
    return subprocess.run(
        ["/bin/sh", str(script), *arguments], env=environ, capture_output=True, text=True, timeout=50, check=False
    )


def unpacked(folder: Path, name: str, key: str) -> Path:
    """Return the folder of an archive for a device."""
    folder.mkdir()
    (folder / "greengrass-nucleus-2.18.2.zip").write_bytes(b"PK\5\6" + bytes(18))
    files = bundle_files("us-east-1", Provisioning(name), Certificate("arn", "id", f"{key} pem", key), WHERE)
    for file, content in files.items():
        (folder / file).write_bytes(content)
    return folder


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A machine that was installed as shop-01, has worked, and has things of other people."""
    folder = tmp_path / "image"
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "java").write_text(JAVA)
    (tmp_path / "tools" / "java").chmod(0o755)
    folder.mkdir()
    done = run(folder, unpacked(tmp_path / "vedette-shop-01", "shop-01", PLANTED) / "install.sh")
    assert done.returncode == 0, done.stderr
    used = (
        "greengrass/v2/config/config.tlog", "greengrass/v2/logs/vedette.app.shop.log",
        "greengrass/v2/work/a/secrets.db",
        "greengrass/v2/work/vedette.AppRuntime/storage/shop/faces.db", "greengrass/v2/packages/artifacts/a/1.0.0/model",
        "var/lib/greengrass/config.db", "etc/greengrass/config.yaml", "home/ggc_user/.cache/x", "tmp/vedette-997/y",
        "etc/systemd/system/ggl.vedette.CameraIngest.service", "dev/shm/vedette.ring", "run/greengrass/z",
    )  # fmt: skip
    for name in (*used, *KEPT):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("mine\n" if name in KEPT else f"{PLANTED}\n")
    return folder


def holding(*folders: Path) -> list[str]:
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return [str(path) for path in files if PLANTED.encode() in path.read_bytes()]


def test_wiped_device_still_holds_a_secret(image: Path, tmp_path: Path) -> None:
    wipe = image / "usr/local/sbin/vedette-wipe"
    assert len(holding(image)) >= 12
    assert run(image, wipe).returncode == 2
    wrong = run(image, wipe, "shop-02")
    assert (wrong.returncode, "this device is shop-01, not shop-02; nothing was erased" in wrong.stderr) == (2, True)
    assert len(holding(image)) >= 12
    done = run(image, wipe, "shop-01")
    assert done.returncode == 0, done.stderr
    assert holding(image) == []
    left = sorted(str(path.relative_to(image)) for path in image.rglob("*") if path.is_file())
    assert left == sorted(KEPT)
    # The machine belongs to another account from now on.
    again = run(image, unpacked(tmp_path / "vedette-hall-01", "hall-01", "another key") / "install.sh")
    assert again.returncode == 0, again.stderr
    assert (image / "greengrass/v2/private.key").read_text() == "another key"
    assert "hall-01" in (image / "greengrass/v2/initial-config.yaml").read_text()


def test_wipe_that_power_interrupted_cannot_be_repeated(image: Path, tmp_path: Path) -> None:
    script = tmp_path / "vedette-shop-01" / "wipe.sh"
    shred = tmp_path / "tools" / "rm"
    shred.write_text('#!/bin/sh\n/bin/rm "$0"\nexit 9\n')  # the power goes at the first file
    shred.chmod(0o755)
    broken = run(image, script, "shop-01")
    assert broken.returncode == 9
    assert "step 'files' failed with exit code 9; run it again" in broken.stderr
    assert not (image / "greengrass/v2/private.key").exists()  # keys go first
    done = run(image, script, "shop-01")
    assert done.returncode == 0, done.stderr
    assert holding(image, tmp_path) == []
    assert not script.parent.exists()
