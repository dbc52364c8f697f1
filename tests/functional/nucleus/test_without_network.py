"""A machine that has no way out: what ran comes back after power was lost, with the loop-back alone."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from vedette.nucleus.guard_process import processes

from .conftest import Bench, wait_until

UNSHARE = shutil.which("unshare")
IP = shutil.which("ip")


def isolated(*command: str) -> list[str]:
    """Return a command that runs in a network namespace of its own, with its loop-back and nothing else."""
    entered = [str(UNSHARE), "--net"] if os.geteuid() == 0 else [str(UNSHARE), "--map-root-user", "--net"]
    return [*entered, "/bin/sh", "-c", 'ip link set lo up && exec "$@"', "sh", *command]


def possible() -> bool:
    if UNSHARE is None or IP is None:
        return False
    return subprocess.run(isolated("true"), capture_output=True, timeout=20, check=False).returncode == 0


@pytest.fixture
def nucleus(runtime_folder: Path, tmp_path: Path) -> Iterator[Bench]:
    """A root with a publisher and a subscriber that need the bus, deployed once."""
    bench = Bench(tmp_path / "root")
    policy = {"aws.greengrass.ipc.pubsub": {"p:1": {"operations": ["*"], "resources": ["*"]}}}
    client = f'{sys.executable} -u -c "{CLIENT}"'
    bench.recipe("talker", {"run": client}, configuration={"accessControl": policy})
    bench.recipe("dependent", {"run": "echo up; exec sleep 1000"}, needs={"talker": "HARD"})
    yield bench
    for process in ours(bench.root):
        os.kill(process, signal.SIGKILL)


CLIENT = (
    "import awsiot.greengrasscoreipc.clientv2 as c, awsiot.greengrasscoreipc.model as m, socket, threading; "
    "k = c.GreengrassCoreIPCClientV2(); got = threading.Event(); "
    "k.subscribe_to_topic(topic='a', on_stream_event=lambda e: got.set()); "
    "k.publish_to_topic(topic='a', publish_message=m.PublishMessage(binary_message=m.BinaryMessage(message=b'x'))); "
    "print('heard' if got.wait(20) else 'deaf', [n for _, n in socket.if_nameindex()]); threading.Event().wait()"
)


def start(bench: Bench) -> "subprocess.Popen[bytes]":
    command = isolated(sys.executable, "-m", "vedette.cli.main", "nucleus", "start", "--root", str(bench.root))
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def vedette(bench: Bench, *arguments: str) -> Any:
    command = [sys.executable, "-m", "vedette.cli.main", *arguments, "--root", str(bench.root), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return json.loads(done.stdout) if done.returncode == 0 and done.stdout else None


def ours(root: Path) -> list[int]:
    """Return the processes of the nuclei on a root: they work below it, or it is among their arguments."""
    found = []
    for pid in processes():
        try:
            about = Path(f"/proc/{pid}/cmdline").read_bytes() + os.fsencode(Path(f"/proc/{pid}/cwd").readlink())
        except OSError:
            continue
        if os.fsencode(root) in about and pid != os.getpid():
            found.append(pid)
    return found


@pytest.mark.skipif(not possible(), reason="this machine makes no network namespaces")
@pytest.mark.timeout(180)
def test_machine_without_a_way_out_stays_dark_after_a_power_cut(nucleus: Bench) -> None:
    first = start(nucleus)
    wait_until(lambda: vedette(nucleus, "nucleus", "status"), 40)
    done = vedette(nucleus, "deployment", "create", "--merge", "talker", "--merge", "dependent")
    assert done is not None
    assert done["deployment"]["status"] == "SUCCEEDED"
    log = nucleus.root / "logs" / "talker.log"
    wait_until(lambda: "heard ['lo']" in log.read_text(), 40)
    for pid in ours(nucleus.root):  # everything at once, the guard too
        os.kill(pid, signal.SIGKILL)
    first.wait(20)
    wait_until(lambda: not ours(nucleus.root), 20)
    before = log.read_text().count("heard")
    second = start(nucleus)
    try:
        wait_until(lambda: log.read_text().count("heard ['lo']") > before, 40)
        found = wait_until(lambda: vedette(nucleus, "component", "list"), 40)
        assert {item["name"]: item["state"] for item in found["components"]} == {
            "talker": "RUNNING",
            "dependent": "RUNNING",
        }
    finally:
        second.terminate()
        second.wait(30)
