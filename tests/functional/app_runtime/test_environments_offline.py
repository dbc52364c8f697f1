"""Real environments by a real uv, from wheels that the test builds: no network is touched."""

import ast
import base64
import hashlib
import io
import os
import subprocess
import tarfile
import threading
import zipfile
from pathlib import Path

import pytest
from vedette_app_runtime.environments import (
    EnvironmentFailed,
    NoWorkingResolution,
    PackagesUnreachable,
    RequirementsInvalid,
    load,
    prepare,
)

from vedette.doctor.bubblewrap import probe_bubblewrap


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let uv find no index, and no cache of the machine's user."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))


def wheel(folder: Path, name: str, version: str, code: str, more: dict[str, str] | None = None) -> Path:
    """Build a wheel of one module, and of ``more`` files."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}/__init__.py": code,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        **(more or {}),
    }
    record = ""
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in files.items():
            archive.writestr(file, text)
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
            record += f"{file},sha256={digest},{len(text)}\n"
        archive.writestr(f"{info}/RECORD", f"{record}{info}/RECORD,,\n")
    return path


@pytest.fixture
def application(tmp_path: Path) -> Path:
    """An application that pins one library of two, both bundled; "numpy" is a stand-in of one line."""
    folder = tmp_path / "application"
    wheel(folder / "wheels", "numpy", "1.24.3", "version = 1\n")
    wheel(folder / "wheels", "tracker", "1.0", "import numpy\nassert numpy.version == 1\n")
    (folder / "panorama").mkdir()
    (folder / "panorama/requirements.txt").write_text("tracker==1.*\n")
    (folder / "panorama/app.py").write_text("import panoramasdk\nimport tracker\n")
    return folder


def test_an_application_with_its_own_wheels_is_ready_without_a_network(application: Path, tmp_path: Path) -> None:
    said: list[str] = []
    environment = prepare(application, tmp_path / "cache", progress=said.append)
    names = [environment.bin_dir / name for name in ("python", "python3", "python3.7", "python3.8")]
    for name in names:
        program = "import tracker, sys; print(sys.prefix)"
        answer = subprocess.run([str(name), "-c", program], capture_output=True, text=True, check=False)
        assert answer.stdout.strip() == str(environment.bin_dir.parent), answer.stderr
    assert "tracker 1.0" in environment.summary
    assert "from the application's own wheels" in environment.summary
    assert environment.warnings == ()
    assert any("ready after" in line for line in said)


def test_a_prepared_environment_is_found_again_and_not_made_again(application: Path, tmp_path: Path) -> None:
    first = prepare(application, tmp_path / "cache", progress=lambda _: None)
    assert load(tmp_path / "cache") == first
    assert load(tmp_path / "cache", application) == first
    said: list[str] = []
    assert prepare(application, tmp_path / "cache", progress=said.append) == first
    assert said == []


def test_nothing_prepared_is_no_environment(tmp_path: Path) -> None:
    assert load(tmp_path / "cache") is None


def test_a_file_that_a_power_loss_cut_short_makes_it_be_made_again(application: Path, tmp_path: Path) -> None:
    first = prepare(application, tmp_path / "cache", progress=lambda _: None)
    cut = next(first.bin_dir.parent.glob("lib/*/site-packages/tracker/__init__.py"))
    cut.unlink()
    cut.write_text("")
    assert load(tmp_path / "cache") is None
    said: list[str] = []
    prepare(application, tmp_path / "cache", progress=said.append)
    assert said
    assert load(tmp_path / "cache") == first


def test_what_an_interrupted_start_left_behind_is_removed(application: Path, tmp_path: Path) -> None:
    (tmp_path / "cache/.building-old/venv").mkdir(parents=True)
    prepare(application, tmp_path / "cache", progress=lambda _: None)
    assert not list((tmp_path / "cache").glob(".building-*"))


def test_other_requirements_are_another_environment_and_the_old_one_stays_for_a_rollback(
    application: Path, tmp_path: Path
) -> None:
    first = prepare(application, tmp_path / "cache", progress=lambda _: None)
    requirements = application / "panorama/requirements.txt"
    before = requirements.read_text()
    requirements.write_text("tracker==1.0\n")
    second = prepare(application, tmp_path / "cache", progress=lambda _: None)
    assert second.python != first.python
    assert load(tmp_path / "cache") == second
    requirements.write_text(before)
    assert load(tmp_path / "cache", application) == first


def test_only_the_present_and_the_former_environment_are_kept(application: Path, tmp_path: Path) -> None:
    for pins in ("tracker==1.*", "tracker==1.0", "tracker<2"):
        (application / "panorama/requirements.txt").write_text(f"{pins}\n")
        prepare(application, tmp_path / "cache", progress=lambda _: None)
    assert len(list((tmp_path / "cache").glob("*/environment.json"))) == 2


def test_libraries_whose_import_fails_are_not_called_ready(application: Path, tmp_path: Path) -> None:
    wheel(application / "wheels", "tracker", "1.0", "raise ImportError('numpy.core.multiarray failed to import')\n")
    with pytest.raises(
        PackagesUnreachable, match=r"from the application's own wheels: import tracker: ImportError: numpy.core"
    ):
        prepare(application, tmp_path / "cache", progress=lambda _: None)
    assert load(tmp_path / "cache") is None
    assert not list((tmp_path / "cache").glob(".building-*"))


def test_a_library_that_breaks_everywhere_is_named_with_its_error(application: Path, tmp_path: Path) -> None:
    # GIVEN an index on the disk, so that nothing is out of reach
    wheel(application / "wheels", "tracker", "1.0", "raise ImportError('its native part is gone')\n")
    (application / "panorama/requirements.txt").write_text(
        f"--no-index\n--find-links {application}/wheels\ntracker==1.*\n"
    )
    with pytest.raises(NoWorkingResolution) as caught:
        prepare(application, tmp_path / "cache", progress=lambda _: None)
    assert "tried: from the application's own wheels" in str(caught.value)
    assert "import tracker: ImportError: its native part is gone" in str(caught.value)
    assert "hint: " in str(caught.value)


def test_a_module_that_no_requirement_brings_is_said_with_its_place(application: Path, tmp_path: Path) -> None:
    (application / "panorama/app.py").write_text("import tracker\nimport tensorrt\n")
    environment = prepare(application, tmp_path / "cache", progress=lambda _: None)
    assert environment.warnings == (
        "app.py line 2 imports tensorrt, which none of the requirements brings; add it to requirements.txt",
    )


def test_without_network_cache_and_wheels_the_error_says_what_to_do(application: Path, tmp_path: Path) -> None:
    for path in (application / "wheels").iterdir():
        path.unlink()
    (application / "wheels").rmdir()
    with pytest.raises(PackagesUnreachable) as caught:
        prepare(application, tmp_path / "cache", progress=lambda _: None)
    assert "the package index cannot be reached" in str(caught.value)
    assert "hint: connect the machine once, or put wheels for Python" in str(caught.value)
    assert "127.0.0.1:9" not in str(caught.value)


def test_a_bad_line_is_an_error_before_anything_is_installed(application: Path, tmp_path: Path) -> None:
    (application / "panorama/requirements.txt").write_text("tracker === \n")
    with pytest.raises(RequirementsInvalid, match=r"requirements.txt line 1"):
        prepare(application, tmp_path / "cache", progress=lambda _: None)


def test_the_dockerfile_beside_is_read(application: Path, tmp_path: Path) -> None:
    (application / "panorama/requirements.txt").unlink()
    (application / "Dockerfile").write_text("FROM x\nRUN pip3 install tracker\nRUN apt-get install -y libgl1\n")
    environment = prepare(application, tmp_path / "cache", progress=lambda _: None)
    assert "tracker 1.0" in environment.summary
    assert environment.warnings == ("Dockerfile line 3: apt package libgl1 is not installed by Vedette",)


def test_preparing_stops_when_asked(application: Path, tmp_path: Path) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(EnvironmentFailed, match="stopped"):
        prepare(application, tmp_path / "cache", progress=lambda _: None, stop=stop)
    assert not list((tmp_path / "cache").glob("*/environment.json"))


def test_a_library_runs_outside_of_the_sandbox_when_it_is_installed(application: Path, tmp_path: Path) -> None:
    # GIVEN a library whose .pth file is run by every Python that has it
    marker = tmp_path / "it ran outside"
    wheel(
        application / "wheels",
        "tracker",
        "1.0",
        "import numpy\n",
        {"tracker.pth": f"import pathlib; pathlib.Path({str(marker)!r}).touch()\n"},
    )
    environment = prepare(application, tmp_path / "cache", progress=lambda _: None)
    assert not marker.exists()
    # AND its modules are compiled nevertheless: an application cannot write beside them
    assert list(environment.bin_dir.parent.glob("lib/python3*/site-packages/tracker/__pycache__/*.pyc"))


_BACKEND = """
import base64, hashlib, json, os, pathlib, zipfile
def build_wheel(folder, config_settings=None, metadata_directory=None):
    found = {"secret": os.path.exists(FACTS["secret"]), "home": os.path.exists(FACTS["home"])}
    found["others"] = sorted(name for name in os.listdir("/proc") if name.isdigit() and int(name) == FACTS["pid"])
    for name in ("written", "cached"):
        try:
            pathlib.Path(FACTS[name]).parent.mkdir(parents=True, exist_ok=True)
            pathlib.Path(FACTS[name]).write_text("x")
        except OSError as error:
            pass
    files = {"builtlib/__init__.py": "found = " + repr(found)}
    info = "builtlib-1.0.dist-info"
    files[info + "/METADATA"] = "Metadata-Version: 2.1\\nName: builtlib\\nVersion: 1.0\\n"
    files[info + "/WHEEL"] = "Wheel-Version: 1.0\\nGenerator: t\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"
    with zipfile.ZipFile(os.path.join(folder, "builtlib-1.0-py3-none-any.whl"), "w") as archive:
        record = ""
        for name, text in files.items():
            archive.writestr(name, text)
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
            record += name + ",sha256=" + digest + "," + str(len(text)) + "\\n"
        archive.writestr(info + "/RECORD", record + info + "/RECORD,,\\n")
    return "builtlib-1.0-py3-none-any.whl"
"""


@pytest.mark.skipif(not probe_bubblewrap().works, reason="needs bubblewrap")
def test_a_build_script_sees_the_machine(application: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN a library that comes as source, whose build looks at what is not its own
    secret, home, written = tmp_path / "secret", tmp_path / "home", tmp_path / "written"
    secret.write_text("of the nucleus")
    (home / ".aws").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    cached = tmp_path / "uv-cache/poison"
    facts = {"secret": str(secret), "home": str(home / ".aws"), "written": str(written), "cached": str(cached)}
    with tarfile.open(application / "wheels/builtlib-1.0.tar.gz", "w:gz") as archive:
        for name, text in {
            "PKG-INFO": "Metadata-Version: 2.1\nName: builtlib\nVersion: 1.0\n",
            "pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n',
            "backend.py": f"FACTS = {facts | {'pid': os.getpid()}!r}\n{_BACKEND}",
        }.items():
            member = tarfile.TarInfo(f"builtlib-1.0/{name}")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    (application / "panorama/requirements.txt").write_text("builtlib==1.0\n")
    (application / "panorama/app.py").write_text("import builtlib\n")
    # WHEN it is built
    environment = prepare(application, tmp_path / "cache", progress=lambda _: None)
    # THEN the library is there, and its build has found nothing, and left nothing
    program = "import builtlib; print(builtlib.found)"
    answer = subprocess.run([str(environment.python), "-c", program], capture_output=True, text=True, check=True)
    found = ast.literal_eval(answer.stdout)
    assert found.pop("others") in ([], [str(os.getpid())] if os.getpid() < 20 else [])
    assert found == {"secret": False, "home": False}
    assert not written.exists()
    assert not cached.exists()
