"""A nucleus with small recipes of its own, and the means to see what is left of it."""

import json
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from vedette.nucleus.deployment import ComponentDeployment, Deployment
from vedette.nucleus.events import ComponentOutput, ComponentStateChanged, Event
from vedette.nucleus.guard_process import has_marker, processes, run_marker
from vedette.nucleus.nucleus import Nucleus


class Heard:
    """Collects events; waits for one that fits."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._arrived = threading.Condition()

    def __call__(self, event: Event) -> None:
        with self._arrived:
            self.events.append(event)
            self._arrived.notify_all()

    def wait_for(self, fits: Callable[[list[Event]], Any], timeout_s: float = 20.0) -> Any:
        until = time.monotonic() + timeout_s
        with self._arrived:
            while not (found := fits(self.events)):
                left = until - time.monotonic()
                assert left > 0, f"did not come; heard {self.events}"
                self._arrived.wait(left)
            return found

    def line(self, component: str, begins: str = "", count: int = 1) -> str:
        """Wait for the ``count``-th line of a component that begins with ``begins``."""

        def fits(events: list[Event]) -> list[str]:
            found = [e.line for e in events if isinstance(e, ComponentOutput) and e.component == component]
            return [line for line in found if line.startswith(begins)][count - 1 : count]

        return str(self.wait_for(fits)[0])

    def state(self, component: str, state: str, count: int = 1) -> ComponentStateChanged:
        """Wait until a component has entered a state for the ``count``-th time."""
        found: list[ComponentStateChanged] = self.wait_for(
            lambda events: [
                e
                for e in events
                if isinstance(e, ComponentStateChanged) and e.component == component and e.new.value == state
            ][count - 1 : count]
        )
        return found[0]

    def states(self, component: str) -> list[str]:
        return [e.new.value for e in self.events if isinstance(e, ComponentStateChanged) and e.component == component]


class Bench:
    """A root folder, recipes written into it, and a nucleus on it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.heard = Heard()
        self.nucleus = Nucleus(root, thing_name="bench", region="eu-west-1", listeners=[self.heard])

    def recipe(
        self,
        name: str,
        lifecycle: Mapping[str, Any],
        *,
        version: str = "1.0.0",
        needs: Mapping[str, str] | None = None,
        configuration: Mapping[str, Any] | None = None,
    ) -> None:
        dependencies = {key: {"VersionRequirement": "*", "DependencyType": kind} for key, kind in (needs or {}).items()}
        document = {
            "RecipeFormatVersion": "2020-01-25",
            "ComponentName": name,
            "ComponentVersion": version,
            "ComponentConfiguration": {"DefaultConfiguration": dict(configuration or {})},
            "ComponentDependencies": dependencies,
            "Manifests": [{"Platform": {"os": "linux"}, "Lifecycle": dict(lifecycle)}],
        }
        folder = self.root / "packages" / "recipes"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}-{version}.json").write_text(json.dumps(document))

    def deploy(self, *names: str, **merge: Mapping[str, Any]) -> None:
        components = {name: ComponentDeployment(merge=merge.get(name.replace(".", "_"), {})) for name in names}
        self.nucleus.deploy(Deployment(components=components))

    def pid(self, name: str) -> int:
        found = next(view.pid for view in self.nucleus.components() if view.name == name)
        assert found is not None
        return found

    def left(self) -> list[int]:
        return [pid for pid in processes() if has_marker(pid, run_marker(self.nucleus.run_id))]


def wait_until(holds: Callable[[], Any], timeout_s: float = 30.0) -> Any:
    """Return what ``holds`` returns once it is true."""
    until = time.monotonic() + timeout_s
    pause = threading.Event()
    while not (found := holds()):
        assert time.monotonic() < until, "did not happen in time"
        pause.wait(0.02)
    return found


@pytest.fixture
def runtime_folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A registry of running instances for this test alone; short, for the sake of socket paths."""
    folder = Path(tempfile.mkdtemp(prefix="vdt", dir="/tmp"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def bench(runtime_folder: Path, tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path / "root")
    made.nucleus.start()
    yield made
    made.nucleus.stop()
    assert made.left() == []
    assert list((runtime_folder / "vedette").iterdir()) == []
