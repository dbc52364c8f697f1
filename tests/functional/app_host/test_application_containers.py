"""Applications in their own packaged container: a root file system with an old Python and an old numpy of its own."""

import platform
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from vedette_app_runtime.folders import Folders
from vedette_app_runtime.preparation import preparing

from vedette.application import ApplicationManifest
from vedette.documents.container_asset import architecture_of
from vedette.gpu_software import misfit
from vedette.messages import ApplicationState

from .conftest import FIXTURES, Rig, sandbox_here
from .container_archive import build
from .test_application_habits import check_habits, everything, interpreter

pytestmark = [
    pytest.mark.skipif(sandbox_here() != "required", reason="a container needs bubblewrap, which does not work here"),
    pytest.mark.timeout(180),
]

VENDORS_SDK = "raise ImportError('this is the SDK of the appliance')\n"


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A container asset with the oldest Python of this machine, and the oldest numpy that applications had."""
    folder = tmp_path_factory.mktemp("container")
    found = [(version, interpreter(version)) for version in ("3.7", "3.8")]
    version, python = next(((v, p) for v, p in found if p is not None), ("", None))
    numpy = "numpy==1.18.5" if python else "numpy"
    name = f"python{version}" if version else f"python{sys.version_info[0]}.{sys.version_info[1]}"
    files = {
        "panorama/application.py": (FIXTURES / "habits.py").read_text(),
        f"usr/local/lib/{name}/lib-dynload/panoramasdk.py": VENDORS_SDK,
        "var/lib/dpkg/status": "Package: nvidia-l4t-core\nStatus: install ok installed\nVersion: 32.7.1-20220219\n",
    }
    try:
        return build(Path(python or Path(sys.base_prefix) / "bin" / name), numpy, folder, files)
    except LookupError as error:
        pytest.skip(f"no {numpy} to be had: {error}")


def put(rig: Rig, archive: Path, architecture: str = platform.machine()) -> dict[str, Any]:
    """Give the rig's application the container; return what starts it from there."""
    rig.manifest["container"] = {"file": archive.name, "sha256": archive.stem[:64], "architecture": architecture}
    manifest = ApplicationManifest.model_validate(rig.manifest)
    prepare = preparing(
        manifest,
        lambda: rig.application,
        Folders(rig.work),
        artifacts=archive.parent,
        choice=lambda: rig.configuration.get("environment", "auto"),
    )
    return {"prepare": prepare}


def test_a_packaged_application_runs_with_this_machines_libraries(
    rig: Rig, archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN a machine with a later JetPack than the one that the container was built for
    (tmp_path / "machine" / "etc").mkdir(parents=True)
    (tmp_path / "machine" / "etc" / "nv_tegra_release").write_text("# R35 (release), REVISION: 3.1, GCID: 1\n")
    here = partial(misfit, machine=tmp_path / "machine")
    monkeypatch.setattr("vedette_app_runtime.preparation.misfit", here)
    rig.manifest["gpu"] = True
    everything(rig)
    rig.start(**put(rig, archive))
    running = rig.status(lambda s: s.state == ApplicationState.RUNNING, 120)
    assert "its container asset is made for L4T 32.7.1, JetPack 4.6.1 or later, this machine is L4T 35.3.1" in (
        running.environment
    )
    habits = check_habits(rig)
    wanted = "Python {}.{}".format(*habits["python"])
    assert running.environment.startswith(wanted)
    assert f"numpy {habits['numpy']} of the application's own container asset (it fits this machine)" in (
        running.environment
    )
    if interpreter("3.7"):
        assert (habits["python"], habits["numpy"]) == ([3, 7], "1.18.5")
    # THEN it is there for the next start
    assert architecture_of(archive) == platform.machine()
    assert len(list((rig.work / "environments").glob("container-*"))) == 1


def test_a_container_shows_the_machine(rig: Rig, archive: Path) -> None:
    everything(rig)
    rig.source("raise SystemExit('the sources are not what is run')\n")
    script = (
        "import os, json\n"
        "seen = {'machine': [p for p in ('home', 'boot', 'srv', 'mnt', 'sbin', 'work') if os.path.exists('/' + p)],"
        " 'etc': sorted(os.listdir('/etc')), 'run': os.listdir('/run')}\n"
        "def writable(place):\n"
        "    try:\n        open(place + '/x', 'w').close(); return True\n    except OSError:\n        return False\n"
        "seen['writable'] = [p for p in ('/', '/usr', '/etc', '/panorama', '/opt/vedette', '/opt/vedette/sdk', '/run',"
        " '/sys', '/dev', '/opt/aws/panorama/storage', '/opt/aws/panorama/logs', '/tmp', '/var/tmp') if writable(p)]\n"
        "print(json.dumps({'seen': seen}), flush=True)\nimport time; time.sleep(100)\n"
    )
    rig.manifest["entry"] = {"path": "python3", "name": "-c", "arguments": [script]}
    rig.start(**put(rig, archive))
    (seen,) = rig.said("seen", 120)
    assert seen["machine"] == []
    assert set(seen["etc"]) == {"resolv.conf", "hosts", "passwd", "group"}
    assert seen["run"] == []
    assert seen["writable"] == ["/opt/aws/panorama/storage", "/opt/aws/panorama/logs", "/tmp", "/var/tmp"]


def test_nobody_is_told_why_the_container_is_not_used(rig: Rig, tmp_path: Path) -> None:
    archive = tmp_path / f"{'0' * 64}.tar.gz"
    archive.write_bytes(b"damaged")
    (rig.application / "panorama/application.py").write_text("import time\nprint('up', flush=True)\ntime.sleep(100)\n")
    rig.start(**put(rig, archive, "riscv64"))
    status = rig.status(lambda s: s.state in (ApplicationState.STARTING, ApplicationState.RUNNING), 60)
    assert "from its sources, because its container asset is built for riscv64" in status.environment
    # WHEN one for this machine is damaged, and no other choice is left
    rig.stop()
    manifest = ApplicationManifest.model_validate(rig.manifest | {"has_sources": False})
    rig.manifest.update(manifest.model_dump(mode="json"))
    other = Rig(tmp_path / "other")
    other.manifest.update(rig.manifest)
    try:
        other.start(**put(other, archive))
        failed = other.status(lambda s: s.state == ApplicationState.FAILED, 60)
        assert "is no archive that can be read" in failed.detail
    finally:
        other.close()
