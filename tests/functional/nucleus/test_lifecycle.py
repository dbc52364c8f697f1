"""Real processes under the nucleus: order, restarts, errors, environment, second deployments."""

import json
import os
import signal
import time
from pathlib import Path

import pytest
import yaml

from vedette.nucleus.deployment import ComponentDeployment, Deployment
from vedette.nucleus.errors import LifecycleError, NucleusError
from vedette.nucleus.guard_process import processes
from vedette.nucleus.states import ComponentState

from .conftest import Bench, wait_until

SLEEPS = "echo up; exec sleep 1000"


def test_a_dependent_starts_before_its_dependency_is_up(bench: Bench) -> None:
    bench.recipe("a", {"run": SLEEPS}, needs={"b": "HARD"})
    bench.recipe("b", {"startup": "sleep 0.3; echo ready", "shutdown": "echo bye"}, needs={"c": "HARD"})
    bench.recipe("c", {"install": "sleep 0.2; echo installed"})
    bench.deploy("a")
    bench.nucleus.wait_running(timeout_s=20)
    order = [(e.component, e.line) for e in bench.heard.events if hasattr(e, "line")]
    assert order[:2] == [("c", "installed"), ("b", "ready")]
    assert bench.heard.line("a") == "up"
    bench.nucleus.stop()
    gone = [(e.component, e.new.value) for e in bench.heard.events if hasattr(e, "new") and e.new.value == "FINISHED"]
    assert gone[-2:] == [("a", "FINISHED"), ("b", "FINISHED")]
    assert bench.heard.line("b", "bye")


def test_a_killed_component_stays_away_or_comes_back_late(bench: Bench) -> None:
    bench.recipe("a", {"run": SLEEPS})
    bench.deploy("a")
    bench.heard.line("a")
    first = bench.pid("a")
    killed = time.monotonic()
    os.kill(first, signal.SIGKILL)
    assert "was killed by SIGKILL" in bench.heard.state("a", "ERRORED").detail
    bench.heard.line("a", count=2)
    assert time.monotonic() - killed < 20.0
    assert bench.pid("a") != first
    assert next(view.restarts for view in bench.nucleus.components()) == 1


def test_a_component_that_always_fails_is_started_for_ever(bench: Bench) -> None:
    bench.recipe("a", {"run": "echo rtsp://u:secret@h/ no camera >&2; exit 7", "recover": "echo recovering"})
    bench.deploy("a")
    bench.heard.state("a", "BROKEN")
    with pytest.raises(LifecycleError, match=r"a is BROKEN: run ended with exit code 7; last output: rtsp://\*\*\*@h/"):
        bench.nucleus.wait_running(["a"], timeout_s=20)
    assert bench.heard.states("a").count("ERRORED") == 3
    assert bench.heard.states("a").count("RUNNING") == 3
    assert bench.heard.line("a", "recovering", count=3)


def test_the_reason_of_a_failure_drowns_in_what_follows(bench: Bench) -> None:
    bench.recipe("a", {"run": "echo 09:41 ERROR display the port is taken; echo 09:41 INFO bus ends; exit 1"})
    bench.deploy("a")
    detail = bench.heard.state("a", "ERRORED").detail
    assert detail == "run ended with exit code 1; last output: 09:41 ERROR display the port is taken"


def test_a_failing_install_is_taken_for_done(bench: Bench) -> None:
    bench.recipe("a", {"install": "echo no room; exit 1", "run": SLEEPS})
    bench.recipe("b", {"run": SLEEPS}, needs={"a": "HARD"})
    bench.deploy("b")
    with pytest.raises(LifecycleError, match="a is BROKEN: install ended with exit code 1; last output: no room"):
        bench.nucleus.wait_running(timeout_s=20)
    assert "RUNNING" not in bench.heard.states("a")
    assert bench.heard.states("b") == ["INSTALLED"]


def test_a_deployment_does_not_mend_a_broken_component(bench: Bench) -> None:
    bench.recipe("a", {"run": "exit 1"})
    bench.deploy("a")
    bench.heard.state("a", "BROKEN")
    bench.recipe("a", {"run": SLEEPS})
    bench.deploy("a")
    bench.nucleus.wait_running(["a"], timeout_s=20)


def test_a_step_runs_longer_than_its_time_limit(bench: Bench) -> None:
    bench.recipe("a", {"install": {"Script": "sleep 1000", "Timeout": 0.2}, "run": SLEEPS})
    bench.deploy("a")
    assert bench.heard.state("a", "ERRORED").detail == "install did not end in 0.2 s"


def test_a_component_that_ends_by_itself_is_started_again(bench: Bench) -> None:
    bench.recipe("a", {"run": "echo once"})
    bench.recipe("b", {"run": SLEEPS}, needs={"a": "HARD"})
    bench.deploy("b")
    bench.nucleus.wait_running(timeout_s=20)
    bench.heard.state("a", "FINISHED")
    bench.deploy("b")
    bench.nucleus.wait_running(timeout_s=20)
    assert bench.heard.states("a") == ["INSTALLED", "STARTING", "RUNNING", "FINISHED"]
    assert bench.heard.states("b") == ["INSTALLED", "STARTING", "RUNNING"]


def test_orphans_of_a_component_live_on(bench: Bench) -> None:
    bench.recipe("a", {"run": "sleep 1001 & setsid sleep 1002 & (trap '' TERM; sleep 1003) & echo up; wait"})
    bench.deploy("a")
    bench.heard.line("a")
    wait_until(lambda: len(bench.left()) >= 4)
    first = set(bench.left())
    os.kill(bench.pid("a"), signal.SIGKILL)
    bench.heard.line("a", count=2)
    assert not first & set(processes())


def test_skipped_steps_run(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "there").touch()
    bench.recipe(
        "a",
        {
            "install": {"Script": "echo installing", "Skipif": f"exists {tmp_path}/there"},
            "run": {"Script": "echo running", "Skipif": "!onpath sh"},
        },
    )
    bench.deploy("a")
    bench.heard.state("a", "FINISHED")
    assert bench.heard.line("a") == "running"


def test_the_environment_lacks_something(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.recipe(
        "a",
        {
            "setenv": {"WHERE": "{work:path}"},
            "run": {"Script": "pwd; env; echo end; exec sleep 1000", "Setenv": {"N": 5}},
        },
    )
    bench.deploy("a")
    bench.heard.line("a", "end")
    printed = [e.line for e in bench.heard.events if hasattr(e, "line")]
    environment = dict(line.partition("=")[::2] for line in printed if "=" in line)
    work = str(bench.root / "work" / "a")
    assert printed[0] == work
    assert (environment["WHERE"], environment["N"]) == (work, "5")
    assert environment["AWS_IOT_THING_NAME"] == "bench"
    assert environment["AWS_REGION"] == environment["AWS_DEFAULT_REGION"] == "eu-west-1"
    assert environment["SVCUID"] == environment["AWS_CONTAINER_AUTHORIZATION_TOKEN"]
    assert len(environment["SVCUID"]) == 16
    assert Path(environment["AWS_GG_NUCLEUS_DOMAIN_SOCKET_FILEPATH_FOR_COMPONENT"]).is_socket()
    assert environment["VEDETTE_RUN_ID"] == bench.nucleus.run_id
    log = (bench.root / "logs" / "a.log").read_text()
    assert f"[stdout] {work}\n" in log


def test_a_dependent_goes_on_when_its_hard_dependency_fails(bench: Bench) -> None:
    bench.recipe("hard", {"run": SLEEPS}, needs={"base": "HARD"})
    bench.recipe("soft", {"run": SLEEPS}, needs={"base": "SOFT"})
    bench.recipe("base", {"run": SLEEPS})
    bench.deploy("hard", "soft")
    for name in ("hard", "soft", "base"):
        bench.heard.line(name)
    os.kill(bench.pid("base"), signal.SIGKILL)
    bench.heard.line("hard", count=2)
    assert bench.heard.states("hard").count("RUNNING") == 2
    assert bench.heard.states("soft").count("RUNNING") == 1


def test_a_second_deployment_restarts_what_has_not_changed(bench: Bench) -> None:
    configuration = {"level": "INFO", "port": 1, "list": [1, 2]}
    bench.recipe("plain", {"run": SLEEPS}, configuration=configuration)
    bench.recipe("text", {"run": "echo {configuration:/port}; exec sleep 1000"}, configuration=configuration)
    bench.recipe("gone", {"run": SLEEPS})
    bench.deploy("plain", "text", "gone")
    bench.nucleus.wait_running(timeout_s=20)
    assert bench.heard.line("text") == "1"
    before = {name: bench.pid(name) for name in ("plain", "text")}
    bench.deploy("plain", "text", plain={"level": "DEBUG", "list": [3]}, text={"port": 2})
    bench.nucleus.wait_running(timeout_s=20)
    assert bench.pid("plain") == before["plain"]
    assert bench.pid("text") != before["text"]
    assert bench.heard.line("text", count=2) == "2"
    assert bench.nucleus.configuration.get("plain") == {"level": "DEBUG", "port": 1, "list": [3]}
    assert [view.name for view in bench.nucleus.components()] == ["plain", "text"]
    assert bench.heard.states("gone")[-1] == "FINISHED"
    assert "gone" not in bench.nucleus.configuration.components()
    bench.nucleus.deploy(
        Deployment(components={"plain": ComponentDeployment(reset=["/level"]), "text": ComponentDeployment()})
    )
    assert bench.nucleus.configuration.get("plain", ["level"]) == "INFO"


def test_a_new_version_does_not_replace_the_old_one(bench: Bench) -> None:
    bench.recipe("a", {"install": "echo one", "run": SLEEPS})
    bench.recipe("b", {"run": SLEEPS}, needs={"a": "HARD"})
    bench.deploy("b")
    bench.nucleus.wait_running(timeout_s=20)
    bench.recipe("a", {"install": "echo two", "run": SLEEPS}, version="1.1.0")
    bench.deploy("b")
    bench.nucleus.wait_running(timeout_s=20)
    assert bench.heard.line("a", "two")
    assert {view.name: view.version for view in bench.nucleus.components()} == {"a": "1.1.0", "b": "1.0.0"}
    assert bench.heard.states("b").count("RUNNING") == 2
    stopped = [
        (e.component, e.new.value) for e in bench.heard.events if hasattr(e, "new") and e.new.value == "STOPPING"
    ]
    assert stopped == [("b", "STOPPING"), ("a", "STOPPING")]


def test_a_bad_deployment_changes_something(bench: Bench) -> None:
    bench.recipe("a", {"run": SLEEPS})
    bench.deploy("a")
    bench.nucleus.wait_running(timeout_s=20)
    bench.recipe("b", {"run": SLEEPS}, needs={"lost": "HARD", "lost2": "SOFT"})
    with pytest.raises(NucleusError) as caught:
        bench.deploy("a", "b", a={"x": 1})
    assert len(caught.value.findings) == 2
    assert [view.name for view in bench.nucleus.components()] == ["a"]
    assert bench.nucleus.configuration.get("a") == {}


def test_plugin_or_lambda_function_is_said_to_run(bench: Bench) -> None:
    for name, kind in {"plug": "aws.greengrass.plugin", "func": "aws.greengrass.lambda"}.items():
        bench.recipe(name, {"run": "true"})
        file = bench.root / "packages" / "recipes" / f"{name}-1.0.0.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), "ComponentType": kind}))
    with pytest.raises(NucleusError) as caught:
        bench.deploy("plug", "func")
    assert sorted(finding.partition(":")[0] for finding in caught.value.findings) == [
        "func is of type aws.greengrass.lambda",
        "plug is of type aws.greengrass.plugin",
    ]


def test_a_component_s_good_report_does_not_clear_its_errors(bench: Bench) -> None:
    bench.recipe("a", {"run": SLEEPS})
    bench.deploy("a")
    for number in range(1, 5):
        bench.heard.line("a", count=number)
        bench.nucleus.with_shadows(lambda _: bench.nucleus._running().supervisor.report("a", ComponentState.RUNNING))
        os.kill(bench.pid("a"), signal.SIGKILL)
    bench.heard.line("a", count=5)


def test_a_component_that_says_it_is_in_error_goes_on(bench: Bench) -> None:
    bench.recipe("a", {"run": SLEEPS})
    bench.deploy("a")
    bench.heard.line("a")
    first = bench.pid("a")
    bench.nucleus.with_shadows(lambda _: bench.nucleus._running().supervisor.report("a", ComponentState.ERRORED))
    bench.heard.line("a", count=2)
    assert first not in processes()


def test_startup_holds_up_the_deployment_though_the_component_reported(bench: Bench) -> None:
    bench.recipe("a", {"startup": "echo up; exec sleep 1000"})
    bench.deploy("a")
    bench.heard.line("a")
    assert next(view.state.value for view in bench.nucleus.components()) == "STARTING"
    bench.nucleus.with_shadows(lambda _: bench.nucleus._running().supervisor.report("a", ComponentState.RUNNING))
    bench.nucleus.wait_running(["a"], timeout_s=20)


def test_what_startup_leaves_running_outlives_the_stop(bench: Bench) -> None:
    bench.recipe("a", {"startup": "setsid sleep 1004 & echo ok"})
    bench.deploy("a")
    bench.nucleus.wait_running(["a"], timeout_s=20)
    wait_until(lambda: len(bench.left()) == 1)
    bench.nucleus.stop()
    assert bench.left() == []


def test_removed_component_leaves_without_its_uninstall_step(bench: Bench, tmp_path: Path) -> None:
    bench.recipe("a", {"run": SLEEPS, "uninstall": f"echo gone; touch {tmp_path}/uninstalled"})
    bench.recipe("b", {"run": SLEEPS})
    bench.deploy("a", "b")
    bench.nucleus.wait_running(timeout_s=30)
    bench.deploy("a")
    bench.deploy("b")
    assert bench.heard.line("a", "gone", count=1)
    assert (tmp_path / "uninstalled").exists()
    assert [view.name for view in bench.nucleus.components()] == ["b"]


def test_effective_configuration_is_not_written(bench: Bench) -> None:
    bench.recipe("a", {"run": SLEEPS}, needs={"b": "HARD"}, configuration={"fps": 5})
    bench.recipe("b", {"run": SLEEPS})
    bench.deploy("a")
    path = bench.root / "config" / "effectiveConfig.yaml"
    found = yaml.safe_load(path.read_text())
    assert found["system"]["thingName"] == "bench"
    assert found["services"]["a"] == {
        "componentType": "GENERIC",
        "configuration": {"fps": 5},
        "dependencies": ["b:HARD"],
        "version": "1.0.0",
    }
    assert path.stat().st_mode & 0o077 == 0
