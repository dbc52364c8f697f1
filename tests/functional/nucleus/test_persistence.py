"""A nucleus on the root of an earlier one: what it finds, however the earlier one ended.

``VEDETTE_KILLS`` says how often it is killed in the midst of deployments (default 12); 108 take about four minutes.
"""

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from vedette.nucleus.deployment import ComponentDeployment, Deployment
from vedette.nucleus.errors import NucleusError
from vedette.nucleus.ipc.deployment_desk import LocalDeploymentRequest
from vedette.nucleus.nucleus import Nucleus

from .conftest import Bench, wait_until

PROCESS = Path(__file__).with_name("persistent_process.py")
ROUNDS = int(os.environ.get("VEDETTE_KILLS", "12")) // 12
SLEEPS = {"run": "exec sleep 600"}
OLD = {"versions": {"a": "1.0.0"}, "fps": 1, "extra": None}
NEW = {"versions": {"a": "2.0.0", "b": "1.0.0"}, "fps": 2, "extra": "yes"}
NOTHING: dict[str, Any] = {"versions": {}, "fps": None, "extra": None}


@pytest.fixture
def root(runtime_folder: Path, tmp_path: Path) -> Path:
    bench = Bench(tmp_path / "root")
    for version in ("1.0.0", "2.0.0"):
        bench.recipe("a", SLEEPS, version=version, configuration={"fps": 0})
    bench.recipe("b", SLEEPS, configuration={"extra": "yes"})
    return bench.root


def start(root: Path) -> Nucleus:
    nucleus = Nucleus(root, persistent=True)
    nucleus.start()
    return nucleus


def life(root: Path, call: int) -> tuple[dict[str, Any], int, int]:
    """Run the process; return what it found, the last change it acknowledged, and its exit code."""
    done = subprocess.run(
        [sys.executable, str(PROCESS), str(root), str(call)], capture_output=True, text=True, timeout=40, check=False
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert lines, done.stderr
    acknowledged = [line["acknowledged"] for line in lines if "acknowledged" in line]
    return lines[0]["state"], max(acknowledged, default=0), done.returncode


@pytest.mark.timeout(180 * ROUNDS)
def test_killed_nucleus_leaves_a_state_between_two(root: Path) -> None:
    killed, acknowledged, seen = 0, 0, set()
    for call in (0, *range(1, 13)) * ROUNDS:
        state, now, code = life(root, call)
        assert state.pop("error") == ""
        count = state.pop("count")
        assert state in (NOTHING, OLD, NEW), f"after {call - 1} calls"
        # The count goes with the configuration of the component, which neither deployment removes.
        assert count >= acknowledged, f"an acknowledged change was lost after {call - 1} calls"
        killed += code != 0
        acknowledged = max(now, count)
        seen.add(json.dumps(state))
    assert killed >= 10 * ROUNDS
    assert len(seen) >= 2, "no deployment was ever carried out"


def lose_what_was_not_synced(state: Path, chance: random.Random) -> None:
    """Do to the state what power that fails may do to files that were written and not synced."""
    for path in state.glob(".*.new"):
        path.write_bytes(path.read_bytes()[: chance.randrange(40)])
    for path in state.glob("changes.*.jsonl"):
        data = path.read_bytes()
        at = chance.randrange(len(data) + 1)
        after = at + chance.randrange(400)
        path.write_bytes(
            chance.choice(
                (b"", data[:at], data[:at] + bytes(len(data) - at), data[:at] + bytes(after - at) + data[after:])
            )
        )


@pytest.mark.timeout(180)
def test_power_cut_leaves_a_state_between_two(root: Path) -> None:
    chance, lost = random.Random(11), 0
    acknowledged = 0
    for call in (0, 9, 2, 7, 11, 4):
        state, now, _ = life(root, call)
        assert state.pop("error") == ""
        lost += state.pop("count") < acknowledged
        assert state in (NOTHING, OLD, NEW), f"after the cut before call {call}"
        acknowledged = now
        lose_what_was_not_synced(root / "state", chance)
    assert lost >= 1, "no cut ever took anything"


def test_run_before_is_forgotten(root: Path) -> None:
    nucleus = start(root)
    components = {"a": ComponentDeployment(version="1.0.0", merge={"fps": 7}), "b": ComponentDeployment()}
    nucleus.deploy(Deployment(components=components))
    nucleus.configuration.update("b", ("deep",), {"x": [1, None]}, 2_000_000_000_000)
    desk = nucleus.local_deployments
    deployment_id = desk.create(LocalDeploymentRequest(add={"b": "1.0.0"}))
    wait_until(lambda: desk.find(deployment_id).status == "SUCCEEDED")  # type: ignore[union-attr]
    nucleus.stop()

    again = start(root)
    assert {view.name: view.version for view in again.components()} == {"a": "1.0.0", "b": "1.0.0"}
    assert again.configuration.get("a") == {"fps": 7}
    assert again.configuration.get("b") == {"extra": "yes", "deep": {"x": [1, None]}}
    assert [record.status for record in again.local_deployments.records()] == ["SUCCEEDED"]
    again.wait_running()
    again.deploy(Deployment(components={"a": ComponentDeployment(version="1.0.0")}))
    assert {view.name for view in again.components()} == {"a", "b"}, "b is wanted by the local deployment"
    again.stop()


def test_nucleus_s_own_log_lacks_a_deployment(root: Path) -> None:
    nucleus = start(root)
    desk = nucleus.local_deployments
    ids = []
    for request in (
        LocalDeploymentRequest(add={"a": "1.0.0", "b": "1.0.0"}),
        LocalDeploymentRequest(add={"a": "2.0.0"}, remove=("b",)),
        LocalDeploymentRequest(add={"missing": "1.0.0"}),
    ):
        ids.append(desk.create(request))
        wait_until(lambda: desk.find(ids[-1]).status in {"SUCCEEDED", "FAILED"})  # type: ignore[union-attr]
    nucleus.stop()
    lines = [line.split(" ", 2) for line in (root / "logs" / "greengrass.log").read_text().splitlines()]
    told = [text.partition(": ")[2] for _, level, text in lines if level in {"[INFO]", "[WARNING]"}]
    first, second, failed = (f"deployment {deployment_id}" for deployment_id in ids)
    wanted = [
        f"{first} is IN_PROGRESS", f"{first}: a none -> 1.0.0", f"{first}: b none -> 1.0.0", "a is RUNNING",
        f"{first} is SUCCEEDED", f"{second} is IN_PROGRESS", f"{second}: a 1.0.0 -> 2.0.0",
        f"{second}: b 1.0.0 -> none", f"{second} is SUCCEEDED", f"{failed} is IN_PROGRESS",
    ]  # fmt: skip
    positions = [told.index(line) for line in wanted]
    assert positions == sorted(positions)
    assert any(line.startswith(f"{failed} is FAILED: missing is not in the component store") for line in told)
    assert told[-1] == f"nucleus {nucleus.run_id} stops"


def test_nucleus_without_persistence_finds_the_run_before(root: Path) -> None:
    nucleus = start(root)
    nucleus.deploy(Deployment(components={"a": ComponentDeployment()}))
    nucleus.stop()
    plain = Nucleus(root)
    plain.start()
    assert plain.components() == []
    plain.stop()


def test_unfinished_deployment_is_never_judged(root: Path, tmp_path: Path) -> None:
    bench = Bench(root)
    bench.recipe("a", {"startup": f"while [ ! -e {tmp_path}/go ]; do sleep 0.05; done; exit 1"}, version="3.0.0")
    nucleus = start(root)
    desk = nucleus.local_deployments
    first = desk.create(LocalDeploymentRequest(add={"a": "1.0.0"}))
    wait_until(lambda: desk.find(first).status == "SUCCEEDED")  # type: ignore[union-attr]
    second = desk.create(LocalDeploymentRequest(add={"a": "3.0.0"}))
    third = desk.create(LocalDeploymentRequest(add={"b": "1.0.0"}))
    wait_until(lambda: any(view.state.value == "STARTING" for view in nucleus.components()))
    nucleus.stop()

    again = start(root)
    desk = again.local_deployments
    assert [view.version for view in again.components()] == ["3.0.0"]
    assert desk.find(third).status == "FAILED"  # type: ignore[union-attr]
    (tmp_path / "go").touch()
    wait_until(lambda: desk.find(second).status == "FAILED", 30)  # type: ignore[union-attr]
    assert desk.find(second).detail == "FAILED_ROLLBACK_COMPLETE"  # type: ignore[union-attr]
    assert [view.version for view in again.components()] == ["1.0.0"]
    again.stop()


def test_missing_recipe_keeps_the_nucleus_from_starting(root: Path) -> None:
    nucleus = start(root)
    nucleus.deploy(Deployment(components={"b": ComponentDeployment()}))
    nucleus.stop()
    (root / "packages" / "recipes" / "b-1.0.0.json").unlink()
    again = start(root)
    assert again.components() == []
    assert "b is not in the component store" in str(again.resume_error)
    assert again.configuration.get("b") == {"extra": "yes"}
    again.stop()


def test_broken_state_is_overwritten(root: Path) -> None:
    (root / "state").mkdir(parents=True)
    (root / "state" / "state.json").write_text("{")
    with pytest.raises(NucleusError, match=r"state\.json cannot be used .* to begin anew"):
        start(root)
    assert (root / "state" / "state.json").read_text() == "{"


def test_bootstrap_runs_at_every_start_of_the_nucleus(root: Path, tmp_path: Path) -> None:
    bench = Bench(root)
    lifecycle = {"bootstrap": f"echo x >> {tmp_path}/times", "run": "exec sleep 600"}
    bench.recipe("boot", lifecycle)
    bench.recipe("boot", lifecycle, version="1.1.0")
    for version, times in (("1.0.0", 1), ("1.0.0", 1), ("1.1.0", 2), ("1.1.0", 2)):
        nucleus = start(root)
        nucleus.deploy(Deployment(components={"boot": ComponentDeployment(version=version)}))
        nucleus.wait_running(timeout_s=30)
        nucleus.stop()
        assert (tmp_path / "times").read_text().count("x") == times
