"""Components as other users and within limits: needs root, and control groups for the limits."""

import json
import os
import pwd
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from vedette.nucleus.deployment import ComponentDeployment, Deployment
from vedette.nucleus.deployment_document import read_document
from vedette.nucleus.nucleus import Nucleus
from vedette.nucleus.run_with import RunWithChange

from .conftest import Bench, wait_until

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can start processes of other users")
SHOWS = (
    'echo "who $(id -un) $(stat -c %U {artifacts:path}/data) $HOME"; touch mine; cat {artifacts:path}/data; '
    "python3 -c 'import os, socket; s = socket.socket(socket.AF_UNIX); "
    's.connect(os.environ["AWS_GG_NUCLEUS_DOMAIN_SOCKET_FILEPATH"]); print("reached", flush=True)\'; exec sleep 1000'
)
LIMITABLE = any(
    Path("/sys/fs/cgroup", name).exists() for name in ("memory/memory.limit_in_bytes", "cgroup.controllers")
)


@pytest.fixture
def rooted(runtime_folder: Path) -> Iterator[Bench]:
    """A nucleus as ``vedette nucleus start`` makes it, in a folder that every user may enter."""
    folder = Path(tempfile.mkdtemp(prefix="vdr", dir="/tmp"))
    folder.chmod(0o755)
    made = Bench(folder)
    made.nucleus = Nucleus(folder, persistent=True, listeners=[made.heard])
    made.nucleus.start()
    try:
        yield made
    finally:
        made.nucleus.stop()
        shutil.rmtree(folder, ignore_errors=True)
    assert groups_of(made.nucleus.run_id) == []


def groups_of(run_id: str) -> list[Path]:
    return [path for pattern in ("", "*/") for path in Path("/sys/fs/cgroup").glob(f"{pattern}vedette-{run_id}")]


def deploy(bench: Bench, run_with: dict[str, Any]) -> dict[str, Any]:
    document = {"components": {"own": {"version": "1.0.0", "runWith": run_with}}}
    request = bench.nucleus.local_deployments.create(read_document(document))
    desk = bench.nucleus.local_deployments
    wait_until(lambda: (found := desk.find(request)) and found.status in {"SUCCEEDED", "FAILED"})
    record = desk.find(request)
    assert record is not None
    return {"status": record.status, "cause": record.cause}


def recipe(bench: Bench, **lifecycle: Any) -> None:
    bench.recipe("own", lifecycle)
    file = bench.root / "packages" / "recipes" / "own-1.0.0.json"
    document = json.loads(file.read_text())
    document["Manifests"][0]["Artifacts"] = [{"URI": "s3://B/own/1.0.0/data"}]
    file.write_text(json.dumps(document))
    data = bench.root / "packages" / "artifacts" / "own" / "1.0.0" / "data"
    data.parent.mkdir(parents=True)
    data.write_text("artifact is read\n")
    data.chmod(0o600)


def test_component_runs_as_the_nucleus_s_user(rooted: Bench) -> None:
    others = rooted.root / "work" / "vedette.Other"
    others.mkdir(mode=0o755)
    (others / "kept").touch(mode=0o644)
    looks = f"if cat {others}/kept; then echo others yes; else echo others no; fi; "
    recipe(rooted, install={"Script": "id -un", "RequiresPrivilege": True}, run=looks + SHOWS)
    assert deploy(rooted, {"posixUser": "nobody"}) == {"status": "SUCCEEDED", "cause": None}
    assert rooted.heard.line("own") == "root"  # RequiresPrivilege
    assert rooted.heard.line("own", "who") == f"who nobody nobody {pwd.getpwnam('nobody').pw_dir}"
    rooted.heard.line("own", "artifact is read")
    rooted.heard.line("own", "reached")
    assert (rooted.root / "work" / "own" / "mine").owner() == "nobody"
    assert rooted.heard.line("own", "others") == "others no"
    rooted.nucleus.stop()
    again = Nucleus(rooted.root, persistent=True, listeners=[rooted.heard])
    rooted.nucleus = again
    again.start()
    rooted.heard.line("own", "reached", 2)
    assert deploy(rooted, {"posixUser": "", "systemResourceLimits": None})["status"] == "SUCCEEDED"
    rooted.heard.wait_for(lambda _: "who root" in (rooted.root / "logs" / "own.log").read_text())


def test_user_that_cannot_reach_its_folder_fails_strangely(bench: Bench) -> None:
    recipe(bench, run="true")
    bench.root.chmod(0o700)
    request = ComponentDeployment(run_with=RunWithChange("nobody"))
    bench.nucleus.deploy(Deployment(components={"own": request}))
    assert "user nobody may not enter /" in bench.heard.state("own", "ERRORED").detail


@pytest.mark.skipif(not LIMITABLE, reason="this machine has no control groups of memory and CPU")
def test_limits_of_a_component_are_not_set(rooted: Bench) -> None:
    recipe(rooted, run="sleep 1000 & cat /proc/self/cgroup; echo up; wait")
    limits = {"memory": 200_000, "cpus": 0.5}
    assert deploy(rooted, {"posixUser": "nobody", "systemResourceLimits": limits})["status"] == "SUCCEEDED"
    rooted.heard.line("own", "up")
    files = list(Path("/sys/fs/cgroup").glob(f"**/vedette-{rooted.nucleus.run_id}/own/memory.*"))
    (limit,) = (file for file in files if file.name in {"memory.max", "memory.limit_in_bytes"})
    assert limit.read_text().strip() == str(200_000 * 1024)
    assert len((limit.parent / "cgroup.procs").read_text().split()) >= 2  # the shell and its child
    pid = rooted.pid("own")
    assert deploy(rooted, {"systemResourceLimits": {"memory": 300_000}})["status"] == "SUCCEEDED"
    assert limit.read_text().strip() == str(300_000 * 1024)
    assert rooted.pid("own") == pid


@pytest.mark.skipif(not LIMITABLE, reason="this machine has no control groups of memory and CPU")
def test_component_takes_more_memory_than_it_may(rooted: Bench) -> None:
    recipe(rooted, run="exec python3 -c 'x = bytearray(400_000_000); print(len(x), flush=True); input()'")
    deploy(rooted, {"systemResourceLimits": {"memory": 50_000}})
    assert "was killed by SIGKILL" in rooted.heard.state("own", "ERRORED").detail
