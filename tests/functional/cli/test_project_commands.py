"""vedette new, run, compile and import as a person calls them: real processes, a whole application."""

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from vedette import __version__
from vedette.resources import examples_dir

VIDEO = examples_dir() / "media" / "street.mp4"


def vedette(*arguments: str | Path, folder: Path, timeout_s: float = 50.0) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "vedette.cli.main", *map(str, arguments)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
        env=environment(folder),
    )


def environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "NO_COLOR": "1", "XDG_CONFIG_HOME": str(folder / "config")}


def test_a_run_that_showed_nothing_ends_well(tmp_path: Path) -> None:
    assert vedette("new", "my-app", folder=tmp_path).returncode == 0
    camera = f"camera_node={tmp_path / 'empty.mp4'}"
    (tmp_path / "empty.mp4").write_bytes(b"no video")
    ran = vedette("run", "my-app", "--camera", camera, "--no-browser", "--port", "0", "--for", "3", folder=tmp_path)
    assert ran.returncode == 1, ran.stderr
    assert "no picture came in 3 s" in ran.stderr


def test_a_new_application_does_not_run(tmp_path: Path) -> None:
    made = vedette("new", "my-app", folder=tmp_path)
    assert made.returncode == 0, made.stderr
    assert made.stdout == ""
    assert made.stderr.splitlines()[-1] == "next: vedette run my-app --camera camera_node=VIDEO"
    arguments = ("--camera", f"camera_node={VIDEO}", "--no-browser", "--port", "0")
    talk = tmp_path / "talk.txt"
    with talk.open("wb") as file:
        running = subprocess.Popen(
            [sys.executable, "-m", "vedette.cli.main", "run", "my-app", *arguments],
            cwd=tmp_path, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=file, env=environment(tmp_path),
        )  # fmt: skip
    try:
        # The first run installs what the application requires: however long that takes here.
        while not all(words in talk.read_text() for words in ("first picture", "0 restarts")):
            assert running.poll() is None, talk.read_text()
            threading.Event().wait(0.2)
        running.send_signal(signal.SIGINT)
        assert running.wait(20) == 0, talk.read_text()
    finally:
        running.kill()
        running.wait(10)
    log = tmp_path / "my-app/.vedette/work/vedette.app.my-app"
    assert [path for path in log.rglob("app.log") if "started" in path.read_text()]


@pytest.mark.parametrize("options", [(), ("--with-model",)], ids=["camera only", "with model"])
def test_a_new_application_does_not_compile(tmp_path: Path, options: tuple[str, ...]) -> None:
    assert vedette("new", "my-app", *options, folder=tmp_path).returncode == 0
    password = "camera_node=rtsp://viewer:s3cret@10.0.0.1/1"
    done = vedette("compile", "my-app", "-o", "out", "--camera", password, "--json", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["ok"] is True
    assert len(document["components"]) == 1 + len(options)
    assert all((tmp_path / "out" / name).is_file() for name in document["files"])
    assert "s3cret" not in done.stdout + done.stderr
    assert all(b"s3cret" not in path.read_bytes() for path in (tmp_path / "out").rglob("*.json"))


def test_an_import_breaks_an_application(tmp_path: Path) -> None:
    vedette("new", "my-app", "--with-model", folder=tmp_path)
    imported = vedette("import", "my-app", "--account", "111122223333", folder=tmp_path)
    assert imported.returncode == 0, imported.stderr
    assert "111122223333 put into 4 names in 1 files, 2 folders" in imported.stderr
    assert "123456789012" not in (tmp_path / "my-app/graphs/my-app/graph.json").read_text()
    arguments = ("compile", "my-app", "-o", "out", "--camera", f"camera_node={VIDEO}")
    assert vedette(*arguments, folder=tmp_path).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("new", "a b"), 2, "hint: vedette new a-b"),
        (("new", "there"), 1, "error: `there` is there already"),
        (("compile", "there", "-o", "out"), 1, "error[V025]: there/ has no graph"),
        (("compile", "missing", "-o", "out"), 1, "missing is not a folder"),
        (("import", "there"), 1, "nothing was changed"),
        (("import", "missing", "--dry-run"), 1, "nothing was changed"),
    ],
)
def test_a_mistake_ends_with_a_traceback_or_a_success(
    tmp_path: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    (tmp_path / "there").mkdir()
    done = vedette(*arguments, folder=tmp_path)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


def test_the_version_is_not_printed(tmp_path: Path) -> None:
    done = vedette("--version", folder=tmp_path)
    assert (done.returncode, done.stdout) == (0, f"vedette {__version__}\n")


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_another_machine_compiles_other_bytes(tmp_path: Path) -> None:
    """An arm64 machine, as the program sees it, gives the same recipes and artifacts."""
    vedette("new", "my-app", "--with-model", folder=tmp_path)
    arguments = ["compile", "my-app", "--camera", "camera_node=rtsp://10.0.0.1/1", "-o"]
    program = (
        "import os, platform, sys\n"
        "uname = os.uname()\n"
        "os.uname = lambda: os.uname_result((*uname[:4], 'aarch64'))\n"
        "platform.machine = lambda: 'aarch64'\n"
        f"sys.argv = sys.orig_argv = ['vedette', *{[*arguments, 'arm']!r}]\n"
        "from vedette.cli.main import main\n"
        "main()\n"
    )
    here = vedette(*arguments, "here", folder=tmp_path)
    assert here.returncode == 0, here.stderr
    there = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, timeout=50, check=False)
    assert there.returncode == 0, there.stderr
    files = contents(tmp_path / "here")
    assert len(files) >= 8
    assert contents(tmp_path / "arm") == files
