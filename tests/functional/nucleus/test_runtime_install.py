"""The install step of vedette.Runtime: wraps an interpreter, makes an environment once, survives being cut off."""

import ensurepip
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

INSTALL = Path(__file__).parents[3] / "components" / "runtime" / "install.py"


def install(script: Path, work: Path, python: str = "") -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, str(script), "--work", str(work), "--python", python],
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )


def wheel(folder: Path, version: str) -> None:
    """Write a wheel of a package ``vedette`` that only knows its version."""
    folder.mkdir(parents=True, exist_ok=True)
    info = f"vedette-{version}.dist-info"
    files = {
        "vedette/__init__.py": f"version = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: vedette\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    with zipfile.ZipFile(folder / f"vedette-{version}-py3-none-any.whl", "w") as opened:
        for name, text in files.items():
            opened.writestr(name, text)
        opened.writestr(f"{info}/RECORD", "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"]))


def pip_wheel() -> Path:
    """Return the wheel of pip that Python brings along; Debian keeps it elsewhere."""
    folders = [Path(ensurepip.__file__).parent / "_bundled", Path("/usr/share/python-wheels")]
    return next(wheel for folder in folders for wheel in folder.glob("pip-*.whl"))


def test_the_named_interpreter_is_not_wrapped(tmp_path: Path) -> None:
    first = install(INSTALL, tmp_path, sys.executable)
    assert (first.returncode, first.stderr) == (0, "")
    wrapper = tmp_path / "bin" / "python"
    code = "import sys, vedette; print(sys.argv[1])"
    assert subprocess.check_output([wrapper, "-c", code, "a  b"], text=True) == "a  b\n"
    before = wrapper.stat().st_mtime_ns
    assert install(INSTALL, tmp_path, sys.executable).stdout == ""
    assert wrapper.stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("python", "words"),
    [("/nowhere/python", "is not an executable file"), ("python3", "give the full path"), ("/bin/false", "no package")],
)
def test_an_interpreter_that_will_not_do_is_wrapped(tmp_path: Path, python: str, words: str) -> None:
    result = install(INSTALL, tmp_path, python)
    assert result.returncode == 1
    assert words in result.stderr
    assert not (tmp_path / "bin" / "python").exists()


def test_missing_wheels_go_unmentioned(tmp_path: Path) -> None:
    result = install(INSTALL, tmp_path)
    assert result.returncode == 1
    assert "this artifact has no wheels" in result.stderr


def test_wheels_are_not_installed_or_twice_or_half(tmp_path: Path) -> None:
    script = tmp_path / "artifact" / "install.py"
    script.parent.mkdir()
    script.write_bytes(INSTALL.read_bytes())
    wheels = script.parent / "wheels"
    wheel(wheels, "1.0.0")
    # As in a published bundle: pip's own wheel beside the others.
    shutil.copy(pip_wheel(), wheels)
    work = tmp_path / "work"
    assert install(script, work).returncode == 0
    show = [str(work / "bin" / "python"), "-c", "import vedette; print(vedette.version)"]
    assert subprocess.check_output(show, text=True) == "1.0.0\n"
    # All in place: nothing happens.
    assert install(script, work).stdout == ""
    # Power lost half-way: no marker yet, half the files.
    (environment,) = work.glob("env-*")
    (environment / "wheels.sha256").unlink()
    next(environment.rglob("vedette/__init__.py")).unlink()
    assert install(script, work).returncode == 0
    assert subprocess.check_output(show, text=True) == "1.0.0\n"
    # Other wheels, and pip not among them: another environment, the old one goes.
    for old in wheels.iterdir():
        old.unlink()
    wheel(wheels, "1.1.0")
    assert install(script, work).returncode == 0
    assert subprocess.check_output(show, text=True) == "1.1.0\n"
    assert environment not in list(work.glob("env-*"))
    assert len(list(work.glob("env-*"))) == 1
