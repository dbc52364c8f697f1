"""``pip install`` of the wheel gives a working command outside a checkout."""

import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Browser

from tests.waiting import eventually

from .report import measured
from .suite import AT_MOST_S, Suite
from .viewer import viewing

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]

REPOSITORY: Final = Path(__file__).parents[2]
UV: Final = Path(sys.executable).with_name("uv")
FILES: Final = (
    "vedette/_resources/recipes/vedette.{AppRuntime,CameraIngest,Display,ModelInference,Runtime}.yaml",
    "vedette/_resources/runtime/install.py",
    "vedette/_resources/examples/media/{street.mp4,LICENSES.md}",
    "vedette/_resources/examples/people-counter/graphs/people-counter/{graph,override}.json",
    "vedette_app_runtime/sandbox/etc/{group,nsswitch.conf,passwd}",
    "vedette_app_runtime/sdk/panoramasdk/{__init__.py,py.typed,_rings/__init__.py,_rings/reader.py,_rings/calls/client.py}",
    "vedette_camera_ingest/worker.py",
    "vedette_display/page/{index.html,page.js,style.css,logo.svg}",
    "vedette_model_inference/verification_child.py",
    "vedette/rtsp_server/process.py",
    "vedette/nucleus/guard_process.py",
)


def expanded(pattern: str) -> list[str]:
    head, brace, rest = pattern.partition("{")
    if not brace:
        return [pattern]
    choices, _, tail = rest.partition("}")
    return [f"{head}{choice}{tail}" for choice in choices.split(",")]


def uv(*arguments: str | Path) -> None:
    """Run uv; skip the test where it cannot reach the package index."""
    done = subprocess.run(
        [str(UV), *map(str, arguments)], cwd=REPOSITORY, capture_output=True, text=True, timeout=300, check=False
    )
    if done.returncode and any(word in done.stderr.lower() for word in ("failed to fetch", "dns error", "connect")):
        pytest.skip(f"the package index cannot be reached: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    uv("build", "--wheel", "--out-dir", folder, REPOSITORY)
    return next(folder.glob("*.whl"))


def test_wheel_lacks_files_or_has_too_many(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert not [name for pattern in FILES for name in expanded(pattern) if name not in names]
    sources = [
        path.relative_to(REPOSITORY / "components").parts[1:]
        for path in (REPOSITORY / "components").glob("*/vedette_*/**/*.py")
    ]
    assert not ["/".join(parts) for parts in sources if "/".join(parts) not in names]
    assert not [name for name in names if ".vedette/" in name or "__pycache__" in name or name.startswith("tests")]
    assert wheel.stat().st_size < 30_000_000


def test_demo_needs_the_checkout(
    wheel: Path, tmp_path: Path, start_suite: Callable[..., Suite], chromium: Browser
) -> None:
    environment, home, empty = (tmp_path / name for name in ("venv", "home", "empty"))
    uv("venv", "--no-project", "--python", sys.executable, environment)
    uv("pip", "install", "--python", environment / "bin" / "python", wheel)
    home.mkdir()
    empty.mkdir()
    before = set(environment.rglob("*"))

    def demo() -> Suite:
        return start_suite(
            "demo", "--no-browser", "--port", "0",
            command=environment / "bin" / "vedette",
            environ={"HOME": str(home), "PATH": os.environ["PATH"], "PWD": str(empty)},
            bare=True,
            folder=empty,
        )  # fmt: skip

    suite = demo()
    suite.wait_for_pictures()
    measured("vedette demo from a wheel, empty home: pictures after", f"{suite.since_start_s:.1f} s")
    with viewing(chromium, suite.page) as viewer:
        viewer.wait_for_chip("camera_node", "LIVE")
    assert suite.root.is_relative_to(home)
    assert not [command for command in suite.commands().values() if str(REPOSITORY) in command]
    took = suite.interrupt()
    assert took < AT_MOST_S
    assert suite.process.returncode == 0, suite.talk
    assert suite.leftovers.found() == []

    again = demo().wait_for_pictures()
    measured("vedette demo from a wheel, second start: pictures after", f"{again.since_start_s:.1f} s")
    again.note_what_could_be_left()
    again.process.kill()
    again.process.wait(30.0)
    eventually(lambda: not again.leftovers.found(), f"nothing left: {again.leftovers.found()}", within_s=30.0)

    assert list(empty.iterdir()) == []
    left = {path for path in set(environment.rglob("*")) - before if "__pycache__" not in path.parts}
    assert left == set()
