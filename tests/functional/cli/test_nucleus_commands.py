"""The commands in the manner of greengrass-cli, as processes, on a nucleus that one of them started."""

import base64
import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.waiting import eventually
from vedette.nucleus.control import request

pytestmark = pytest.mark.timeout(240)
NAME = "com.example.Hello"
RECIPE = """
RecipeFormatVersion: '2020-01-25'
ComponentName: com.example.Hello
ComponentVersion: {version}
ComponentConfiguration: {{DefaultConfiguration: {{name: world}}}}
Manifests:
- Platform: {{os: linux, runtime: '*'}}
  Lifecycle: {{run: 'sh {{artifacts:path}}/hello.sh {{configuration:/name}}'}}
  Artifacts: [{{URI: s3://BUCKET/com.example.Hello/{version}/hello.sh}}]
"""


class Shell:
    """Runs ``vedette`` with a registry and a state folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / "state" / "vedette" / "nucleus"
        own = {"XDG_RUNTIME_DIR": str(folder / "run"), "XDG_STATE_HOME": str(folder / "state"), "NO_COLOR": "1"}
        self._environ = {**os.environ, **own}
        (folder / "run").mkdir(mode=0o700)

    def __call__(self, *arguments: object, stdin: str = "") -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            self.command(*arguments),
            env=self._environ,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )

    def command(self, *arguments: object) -> list[str]:
        return [sys.executable, "-m", "vedette.cli.main", *map(str, arguments)]

    def popen(self, *arguments: object) -> "subprocess.Popen[str]":
        pipe = subprocess.PIPE
        return subprocess.Popen(self.command(*arguments), env=self._environ, stdout=pipe, stderr=pipe, text=True)

    def json(self, *arguments: object) -> dict[str, Any]:
        done = self(*arguments, "--json")
        document: dict[str, Any] = json.loads(done.stdout)
        return document

    def project(self, version: str = "1.0.0", script: str = 'echo "Hello $1"; exec sleep 600') -> list[object]:
        """Make folders of a recipe and its artifact; return the arguments that name them."""
        folder = self.folder / f"project-{version}"
        artifacts = folder / "artifacts" / NAME / version
        artifacts.mkdir(parents=True)
        (folder / "recipes").mkdir()
        (folder / "recipes" / "recipe.yaml").write_text(RECIPE.format(version=version))
        (artifacts / "hello.sh").write_text(script)
        return [
            "--recipe-dir",
            folder / "recipes",
            "--artifact-dir",
            folder / "artifacts",
            "--merge",
            f"{NAME}={version}",
        ]


@contextmanager
def shell() -> Iterator[Shell]:
    folder = Path(tempfile.mkdtemp(prefix="vnc-", dir="/tmp"))  # short: sockets lie in there
    made = Shell(folder)
    try:
        yield made
    finally:
        # Not rglob, which fails on what goes away meanwhile.
        for entry in (folder / "run").glob("vedette/*/instance.json"):
            with suppress(psutil.NoSuchProcess, FileNotFoundError):
                nucleus = psutil.Process(json.loads(entry.read_text())["pid"])
                nucleus.terminate()
                nucleus.wait(40)
        shutil.rmtree(folder, ignore_errors=True)


def started(vedette: Shell) -> Shell:
    """Start a nucleus in the background, with one component."""
    begun = vedette("nucleus", "start", "--detach")
    assert begun.returncode == 0, begun.stderr
    deployed = vedette("deployment", "create", *vedette.project())
    assert deployed.returncode == 0, deployed.stderr
    return vedette


@pytest.fixture(scope="module")
def without() -> Iterator[Shell]:
    """A shell in which no nucleus runs."""
    with shell() as made:
        yield made


@pytest.fixture(scope="module")
def running() -> Iterator[Shell]:
    """A nucleus with one component, for all tests that leave it as it is, or nearly so."""
    with shell() as made:
        yield started(made)


@pytest.fixture
def own() -> Iterator[Shell]:
    """A nucleus with one component, for one test."""
    with shell() as made:
        yield started(made)


def test_commands_without_a_nucleus_do_not_say_what_to_do(without: Shell) -> None:
    done = without("component", "list")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "error: no nucleus runs here\nhint: vedette nucleus start --detach\n"
    assert without.json("nucleus", "status") == {
        "schema": "vedette.nucleus/1",
        "ok": False,
        "error": "no nucleus runs here",
        "hint": "vedette nucleus start --detach",
    }


def test_component_is_not_deployed_listed_and_restarted(own: Shell) -> None:
    (component,) = own.json("component", "list")["components"]
    assert (component["name"], component["version"], component["state"]) == (NAME, "1.0.0", "RUNNING")
    eventually(lambda: "Hello world" in own("component", "logs", NAME).stdout, "what it says is in its log")
    changed = own("deployment", "create", "--update-config", json.dumps({NAME: {"MERGE": {"name": "you"}}}))
    assert changed.returncode == 0, changed.stderr
    assert own.json("component", "details", NAME)["component"]["configuration"] == {"name": "you"}
    # Its script holds the value, so it restarts.
    eventually(lambda: "Hello you" in own("component", "logs", NAME).stdout, "it says the new value")
    before = own.json("component", "details", NAME)["component"]["pid"]
    assert own("component", "restart", NAME).returncode == 0
    with own.popen("component", "logs", NAME, "-f") as following:
        assert following.stdout is not None
        lines = [following.stdout.readline() for _ in range(3)]
        following.terminate()
    assert ["Hello world" in line for line in lines] == [True, False, False]
    assert own.json("component", "details", NAME)["component"]["pid"] != before
    assert own("component", "stop", NAME).returncode == 0
    missing = own("component", "restart", "nobody")
    assert (missing.returncode, missing.stderr.splitlines()) == (
        1,
        [f"error: no component `nobody` is deployed; there are: {NAME}", "hint: vedette component list"],
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start processes of other users")
def test_option_s_user_is_not_the_component_s(running: Shell) -> None:
    limits = json.dumps({NAME: {"memory": 100_000}})
    done = running("deployment", "create", "--run-with", f"{NAME}:posixUser=0:0", "--system-limits", limits)
    assert done.returncode == 0, done.stderr
    state = json.loads((running.root / "state" / "state.json").read_text())
    assert state["deployed"]["run_with"] == {NAME: {"posix_user": "0:0", "memory_kb": 100_000, "cpus": 0.0}}


def test_what_this_machine_has_otherwise_is_refused_or_lost_beside_a_document(own: Shell) -> None:
    document = own.folder / "deployment.json"
    update = {"merge": json.dumps({"name": "all", "volume": 1})}
    document.write_text(
        json.dumps({"components": {NAME: {"componentVersion": "1.0.0", "configurationUpdate": update}}})
    )
    here = json.dumps({NAME: {"MERGE": {"name": "this one"}}})
    done = own("deployment", "create", "--document", str(document), "--update-config", here)
    assert done.returncode == 0, done.stderr
    found = own.json("component", "details", NAME)["component"]["configuration"]
    assert found == {"name": "this one", "volume": 1}
    wrong = own("deployment", "create", "--document", str(document), "--update-config", '{"x": {"MERGE": 7}}')
    assert (wrong.returncode, "error: the deployment cannot be read" in wrong.stderr) == (1, True)
    both = own("deployment", "create", "--document", str(document), "--merge", NAME)
    assert (both.returncode, "--document says all" in both.stderr) == (2, True)


def test_failed_deployment_ends_with_0(own: Shell) -> None:
    failed = own("deployment", "create", *own.project("2.0.0", "echo no good; exit 7"))
    assert failed.returncode == 1
    assert "FAILED_ROLLBACK_COMPLETE" in failed.stderr
    assert "ended with exit code 7; last output: no good" in failed.stderr
    assert own.json("component", "list")["components"][0]["version"] == "1.0.0"
    document = own.json("deployment", "status")
    assert (document["ok"], document["deployment"]["status"]) == (False, "FAILED")
    listed = own.json("deployment", "list")["deployments"]
    assert [deployment["status"] for deployment in listed] == ["SUCCEEDED", "FAILED"]
    queued = own("deployment", "create", "--remove", NAME, "--no-wait")
    assert queued.returncode == 0
    ended = own("deployment", "cancel", listed[0]["deploymentId"][:8])
    assert (ended.returncode, "has ended already: it is SUCCEEDED" in ended.stderr) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([], 1, "nothing to deploy"),
        (["--merge", "a="], 2, "`a=` is no component with its version"),
        (["--recipe-dir", "/nowhere"], 1, "folder `/nowhere` is not there"),
        (["--update-config", "{"], 1, "the configuration is not JSON"),
        (["--update-config", '{"a": {"fps": 1}}'], 1, "another form than expected"),
        (["--update-config", "@/nowhere"], 1, "`/nowhere` cannot be read"),
        (["--run-with", "com.example.Hello=root"], 2, "names no component and user"),
        (["--system-limits", '{"a": {"disk": 1}}'], 1, "the limit has another form than expected"),
        (["--merge", "a=1.0.0", "--on-failure", "cry"], 2, "`cry` is no way to fail"),
    ],
)
def test_deployment_that_makes_no_sense_is_created(without: Shell, arguments: list[str], code: int, words: str) -> None:
    done = without("deployment", "create", *arguments)
    assert done.returncode == code
    assert words in done.stderr
    assert "hint: " in done.stderr


@contextmanager
def saying_every_second(running: Shell, **camera: Any) -> Iterator[None]:
    """Tell of a camera as a component does: what was said four seconds ago is forgotten, commands may take longer."""
    (path,) = (running.folder / "run").glob("vedette/*/control.sock")
    payload = base64.b64encode(json.dumps(camera).encode()).decode()
    stop = threading.Event()

    def say() -> None:
        while True:
            request(path, "publish", timeout_s=20.0, topic="vedette/camera/door-1/status", payload=payload)
            if stop.wait(1.0):
                return

    with ThreadPoolExecutor(1) as pool:
        said = pool.submit(say)
        try:
            yield
        finally:
            stop.set()
        said.result(40)


def test_status_knows_nothing_of_a_nucleus_that_no_run_started(running: Shell) -> None:
    with saying_every_second(running, camera_id="door-1", name="door", state="lost", since=0, pid=1):
        (instance,) = running.json("status")["instances"]
        told = running("status", "--nodes")
    assert {"name": NAME, "state": "RUNNING", "version": "1.0.0", "detail": ""} in instance["health"]["components"]
    assert [each["name"] for each in instance["health"]["cameras"]] == ["door"]
    assert told.returncode == 1
    assert "! door: Connection to the camera lost" in told.stdout


def test_messages_are_not_heard(running: Shell) -> None:
    with running.popen("pubsub", "sub", "my/#", "--count", "2", "--json") as hearing:
        assert hearing.stdout is not None
        published = 0
        while not published:  # until the other command listens
            published = running.json("pubsub", "pub", "my/topic", "hello")["subscribers"]
        running("pubsub", "pub", "my/bytes", "-", stdin="from stdin")
        messages = [json.loads(hearing.stdout.readline()) for _ in range(2)]
        assert hearing.wait(10) == 0
    assert [(m["type"], m["topic"], m["payload"], m["source"]) for m in messages] == [
        ("message", "my/topic", "hello", "vedette"),
        ("message", "my/bytes", "from stdin", "vedette"),
    ]
    refused = running("pubsub", "pub", "my/#", "x")
    assert (refused.returncode, "must not contain a wildcard" in refused.stderr) == (1, True)


def test_shadow_keeps_what_was_there(running: Shell) -> None:
    missing = running("shadow", "get", "--name", "settings")
    assert (missing.returncode, "No shadow found" in missing.stderr) == (1, True)
    assert running("shadow", "set", '{"fps": 5, "level": "INFO"}', "--name", "settings").returncode == 0
    assert running("shadow", "set", '{"fps": null}', "--name", "settings").returncode == 0
    shadow = running.json("shadow", "get", "--name", "settings")["shadow"]
    assert (shadow["state"]["desired"], shadow["version"]) == ({"level": "INFO"}, 2)
    assert running("shadow", "set", '{"fps": 5}', "--section", "wished").returncode == 2


def test_secret_s_value_is_seen(running: Shell) -> None:
    assert running("secret", "set", "my/password", stdin="top-secret\n").returncode == 0
    assert running("secret", "set", "my/password", stdin="").returncode == 1
    listed = running("secret", "list", "--json")
    assert [secret["name"] for secret in json.loads(listed.stdout)["secrets"]] == ["my/password"]
    assert "top-secret" not in listed.stdout
    file = running.root / "secrets.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert json.loads(file.read_text())["my/password"]["secretString"] == "top-secret"
    logs = "".join(path.read_text() for path in (running.root / "logs").iterdir())
    assert "top-secret" not in logs


def test_nucleus_forgets_what_ran(own: Shell) -> None:
    again = own("nucleus", "start", "--detach")
    assert again.returncode == 1
    assert "runs on" in again.stderr
    assert own("nucleus", "stop").returncode == 0
    assert own("nucleus", "start", "--detach", "--nucleus", "lite").returncode == 0
    status = own.json("nucleus", "status")
    assert status["personality"] == "lite"
    assert [component["name"] for component in status["components"]] == [NAME]
    assert status["socket"].endswith("/gg-ipc.socket")


def test_personality_that_is_none_starts(without: Shell) -> None:
    done = without("nucleus", "start", "--nucleus", "light")
    assert (done.returncode, "there is no nucleus 'light': expected java or lite" in done.stderr) == (1, True)
