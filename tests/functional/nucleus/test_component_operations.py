"""Operations on components, asked for with the unmodified SDK client."""

import stat
from typing import Any

import pytest
from awsiot.greengrasscoreipc.model import (
    InvalidArgumentsError,
    ResourceNotFoundError,
    ServiceError,
    UnauthorizedError,
)

from vedette.nucleus.guard_process import process_stat

from .conftest import Bench, wait_until
from .ipc_clients import SLEEPER, client_of, command_line, command_line_file, policy, refused

CLI = "aws.greengrass.Cli"


def process_state(pid: int) -> str:
    known = process_stat(pid)
    # What nobody has waited for yet (a container's first process may never) has ended all the same.
    return "gone" if known is None or str(known.state) == "Z" else str(known.state)


def test_component_is_missing_from_the_list(bench: Bench) -> None:
    bench.recipe("a.Sleeper", SLEEPER, version="1.2.3", configuration={"fps": 10})
    bench.recipe("b.Task", {"run": "true"})
    bench.deploy("a.Sleeper", "b.Task")
    bench.nucleus.wait_running()
    bench.heard.state("b.Task", "FINISHED")
    client = command_line(bench)
    listed = {c.component_name: (c.version, c.state, c.configuration) for c in client.list_components().components}
    assert listed == {
        "a.Sleeper": ("1.2.3", "RUNNING", {"fps": 10}),
        "b.Task": ("1.0.0", "FINISHED", {}),
    }
    details = client.get_component_details(component_name="a.Sleeper").component_details
    assert (details.component_name, details.version, details.state) == ("a.Sleeper", "1.2.3", "RUNNING")
    with refused(ResourceNotFoundError, "Component with name nobody not found in Greengrass"):
        client.get_component_details(component_name="nobody")
    with refused(InvalidArgumentsError, "Component name cannot be empty"):
        client.get_component_details(component_name="")
    client.close()


def test_component_without_policy_restarts_others(bench: Bench) -> None:
    bench.recipe("plain", SLEEPER)
    bench.recipe("allowed", SLEEPER, configuration=policy(CLI, "RestartComponent", resources=("plain",)))
    bench.deploy("plain", "allowed")
    plain, allowed = client_of(bench, "plain"), client_of(bench, "allowed")
    with pytest.raises(UnauthorizedError) as caught:
        plain.restart_component(component_name="allowed")
    assert caught.value.message == (
        "Principal plain is not authorized to perform aws.greengrass.Cli:aws.greengrass#RestartComponent "
        "on resource allowed"
    )
    with pytest.raises(UnauthorizedError):
        allowed.restart_component(component_name="allowed")
    assert allowed.restart_component(component_name="plain").restart_status == "SUCCEEDED"
    bench.heard.state("plain", "RUNNING", count=2)
    plain.close()
    allowed.close()


def test_dependent_does_not_restart_with_what_it_needs(bench: Bench) -> None:
    bench.recipe("base", SLEEPER)
    bench.recipe("needs", SLEEPER, needs={"base": "HARD"})
    bench.recipe("likes", SLEEPER, needs={"base": "SOFT"})
    bench.deploy("needs", "likes")
    bench.nucleus.wait_running()
    client = command_line(bench)
    client.restart_component(component_name="base")
    bench.heard.state("needs", "RUNNING", count=2)
    bench.nucleus.wait_running()
    assert bench.heard.states("likes").count("RUNNING") == 1
    client.close()


def test_stopped_component_comes_back_by_itself(bench: Bench) -> None:
    bench.recipe("a", SLEEPER)
    bench.deploy("a")
    bench.nucleus.wait_running()
    pid = bench.pid("a")
    client = command_line(bench)
    assert client.stop_component(component_name="a").stop_status == "SUCCEEDED"
    bench.heard.state("a", "FINISHED")
    wait_until(lambda: process_state(pid) == "gone")
    assert bench.heard.states("a").count("RUNNING") == 1
    client.restart_component(component_name="a")
    bench.heard.state("a", "RUNNING", count=2)
    client.close()


def test_broken_component_is_said_to_restart(bench: Bench) -> None:
    bench.recipe("bad", {"run": "exit 3"})
    bench.deploy("bad")
    bench.heard.state("bad", "BROKEN")
    client = command_line(bench)
    assert client.restart_component(component_name="bad").restart_status == "FAILED"
    client.close()


def test_paused_component_goes_on_working(bench: Bench) -> None:
    bench.recipe("worker", {"run": "sleep 300 & sleep 300"})
    bench.recipe("chief", SLEEPER, configuration=policy("aws.greengrass.ipc.lifecycle", resources=("worker",)))
    bench.deploy("worker", "chief")
    bench.nucleus.wait_running()
    wait_until(lambda: len(children(bench.pid("worker"))) == 2)
    family = [bench.pid("worker"), *children(bench.pid("worker"))]
    chief = client_of(bench, "chief")
    with refused(InvalidArgumentsError, "Component worker is not paused"):
        chief.resume_component(component_name="worker")
    chief.pause_component(component_name="worker")
    assert [process_state(pid) for pid in family] == ["T", "T", "T"]
    assert next(view for view in bench.nucleus.components() if view.name == "worker").paused
    chief.resume_component(component_name="worker")
    wait_until(lambda: all(process_state(pid) == "S" for pid in family))
    with pytest.raises(UnauthorizedError):
        chief.pause_component(component_name="chief")
    chief.pause_component(component_name="worker")
    bench.deploy("chief")  # a paused component can still be stopped
    wait_until(lambda: all(process_state(pid) == "gone" for pid in family))
    with pytest.raises(ResourceNotFoundError):
        chief.pause_component(component_name="worker")
    chief.close()


def children(pid: int) -> list[int]:
    from vedette.nucleus.guard_process import processes

    return [known.pid for known in processes().values() if known.parent == pid]


def test_others_can_read_the_command_line_s_token(bench: Bench) -> None:
    file = command_line_file(bench)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    bench.nucleus.stop()
    assert not file.exists()


def test_metrics_of_a_foreign_component_are_taken(bench: Bench) -> None:
    from awsiot.greengrasscoreipc.model import Metric

    bench.recipe("own", SLEEPER, configuration=policy("aws.greengrass.ipc.componentmetric"))
    bench.deploy("own")
    client = client_of(bench, "own")
    with refused(UnauthorizedError, "Principal own is not authorized to perform"):
        client.put_component_metric(metrics=[Metric(name="n", unit="COUNT", value=1.0)])
    client.close()


def test_component_cancels_deployments(bench: Bench) -> None:
    bench.recipe("own", SLEEPER, configuration=policy(CLI))
    bench.deploy("own")
    client: Any = client_of(bench, "own")
    with refused(UnauthorizedError, "not registered for operation aws.greengrass#CancelLocalDeployment"):
        client.cancel_local_deployment(deployment_id="11111111-1111-1111-1111-111111111111")
    with pytest.raises(ServiceError):
        client.create_debug_password()
    client.close()
