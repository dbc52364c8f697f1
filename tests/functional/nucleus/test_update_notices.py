"""Components that are asked before a deployment: about its time, and about their new configuration."""

import queue
import threading
import time
from typing import Any

import pytest
from awsiot.greengrasscoreipc.model import (
    ConfigurationValidityReport,
    InvalidArgumentsError,
    ServiceError,
)

from vedette.bus import Unauthorized
from vedette.nucleus.deployment import ComponentDeployment, Deployment
from vedette.nucleus.errors import NucleusError

from .conftest import Bench
from .ipc_clients import SLEEPER, bus_of, client_of, command_line, policy, refused
from .test_local_deployments import deploy as deploy_locally


@pytest.fixture
def component(bench: Bench) -> Any:
    """A component that runs, and its client."""
    bench.recipe("own", SLEEPER, configuration={"fps": 10})
    bench.recipe("own", SLEEPER, version="2.0.0", configuration={"fps": 10})
    bench.recipe("other", SLEEPER)
    bench.nucleus.deploy(Deployment(components={"own": ComponentDeployment(version="1.0.0")}))
    bench.nucleus.wait_running()
    client = client_of(bench, "own")
    yield client
    client.close()


def events_of(subscribe: Any) -> "queue.Queue[Any]":
    events: queue.Queue[Any] = queue.Queue()
    subscribe(on_stream_event=events.put)
    return events


def deployment(notify_s: float | None = 30.0, *, validation_s: float = 20.0, **merge: Any) -> Deployment:
    return Deployment(
        components={"own": ComponentDeployment(version="1.0.0", merge=merge), "other": ComponentDeployment()},
        notify_s=notify_s,
        validation_s=validation_s,
    )


class Deploying(threading.Thread):
    """A deployment on a thread of its own."""

    def __init__(self, bench: Bench, wanted: Deployment) -> None:
        super().__init__(daemon=True)
        self._nucleus = bench.nucleus
        self._wanted = wanted
        self.error: Exception | None = None
        self.start()

    def run(self) -> None:
        try:
            self._nucleus.deploy(self._wanted)
        except NucleusError as error:
            self.error = error

    def done(self) -> None:
        self.join(20)
        assert not self.is_alive()


def test_deployment_does_not_wait_for_who_asked_for_time(bench: Bench, component: Any) -> None:
    events = events_of(component.subscribe_to_component_updates)
    wanted = deployment()
    deploying = Deploying(bench, wanted)
    notice = events.get(timeout=20).pre_update_event
    assert (notice.deployment_id, notice.is_ggc_restarting) == (wanted.deployment_id, False)
    begun = time.monotonic()
    component.defer_component_update(deployment_id=wanted.deployment_id, message="busy", recheck_after_ms=600)
    assert events.get(timeout=20).pre_update_event.deployment_id == wanted.deployment_id
    assert time.monotonic() - begun >= 0.6
    assert "other" not in {view.name for view in bench.nucleus.components()}
    component.defer_component_update(deployment_id=wanted.deployment_id, recheck_after_ms=0)
    assert events.get(timeout=20).post_update_event.deployment_id == wanted.deployment_id
    deploying.done()
    assert "other" in {view.name for view in bench.nucleus.components()}


def test_silent_component_holds_a_deployment_for_ever(bench: Bench, component: Any) -> None:
    events = events_of(component.subscribe_to_component_updates)
    wanted = deployment(notify_s=0.3)
    deploying = Deploying(bench, wanted)
    events.get(timeout=20)
    deploying.done()
    with refused(ServiceError, "Time limit to respond to PreComponentUpdateEvent exceeded"):
        component.defer_component_update(deployment_id=wanted.deployment_id, recheck_after_ms=0)


def test_deferral_of_a_stranger_counts(bench: Bench, component: Any) -> None:
    with refused(InvalidArgumentsError, "not subscribed"):
        component.defer_component_update(deployment_id="d", recheck_after_ms=0)


def test_local_deployment_asks_components_to_agree(bench: Bench, component: Any) -> None:
    events = events_of(component.subscribe_to_component_updates)
    client = command_line(bench)
    assert deploy_locally(client, root_component_versions_to_add={"other": "1.0.0"}).status == "SUCCEEDED"
    assert events.empty(), "the Java nucleus skips the notice for local deployments"
    client.close()


def test_rejected_configuration_is_set(bench: Bench, component: Any) -> None:
    events = events_of(component.subscribe_to_validate_configuration_updates)
    wanted = deployment(fps=99)
    deploying = Deploying(bench, wanted)
    asked = events.get(timeout=20).validate_configuration_update_event
    assert asked.configuration == {"fps": 99}
    assert asked.deployment_id == wanted.deployment_id
    report = ConfigurationValidityReport(status="REJECTED", deployment_id=asked.deployment_id, message="too fast")
    component.send_configuration_validity_report(configuration_validity_report=report)
    deploying.done()
    assert str(deploying.error) == "own rejects its new configuration: too fast"
    assert bench.nucleus.configuration.get("own") == {"fps": 10}
    assert "other" not in {view.name for view in bench.nucleus.components()}
    with refused(InvalidArgumentsError, "either timed out or was never made"):
        component.send_configuration_validity_report(configuration_validity_report=report)


def test_accepted_configuration_is_not_set(bench: Bench, component: Any) -> None:
    events = events_of(component.subscribe_to_validate_configuration_updates)
    deploying = Deploying(bench, deployment(fps=12))
    asked = events.get(timeout=20).validate_configuration_update_event
    report = ConfigurationValidityReport(status="ACCEPTED", deployment_id=asked.deployment_id)
    component.send_configuration_validity_report(configuration_validity_report=report)
    deploying.done()
    assert deploying.error is None
    assert bench.nucleus.configuration.get("own") == {"fps": 12}


def test_component_that_does_not_answer_gets_the_configuration_all_the_same(bench: Bench, component: Any) -> None:
    events = events_of(component.subscribe_to_validate_configuration_updates)
    deploying = Deploying(bench, deployment(fps=12, validation_s=0.3))
    events.get(timeout=20)
    deploying.done()
    assert "own did not say within 0.3 s" in str(deploying.error)
    assert bench.nucleus.configuration.get("own") == {"fps": 10}


def test_component_is_asked_about_nothing_or_about_another_version(bench: Bench, component: Any) -> None:
    events = events_of(component.subscribe_to_validate_configuration_updates)
    bench.nucleus.deploy(deployment())
    bench.nucleus.deploy(deployment(fps=10))
    components = {"own": ComponentDeployment(version="2.0.0", merge={"fps": 99})}
    bench.nucleus.deploy(Deployment(components=components))
    assert events.empty()
    assert bench.nucleus.configuration.get("own") == {"fps": 99}


def test_the_components_bus_holds_a_deployment_up_or_hears_nothing_of_it(bench: Bench, component: Any) -> None:
    bus = bus_of(bench, "own")
    heard: queue.Queue[tuple[str, bool]] = queue.Queue()
    bus.watch_updates(lambda deployment_id, begins: heard.put((deployment_id, begins)))
    wanted = deployment(notify_s=60.0)
    Deploying(bench, wanted).done()  # within 20 s: nobody waits for an answer
    assert [heard.get(timeout=20), heard.get(timeout=20)] == [
        (wanted.deployment_id, True),
        (wanted.deployment_id, False),
    ]
    with pytest.raises(Unauthorized):
        bus.list_components()
    bus.close()


def test_the_components_bus_lists_other_components_than_there_are(bench: Bench) -> None:
    bench.recipe("own", SLEEPER, configuration=policy("aws.greengrass.Cli", "ListComponents"))
    bench.nucleus.deploy(Deployment(components={"own": ComponentDeployment(version="1.0.0")}))
    bench.nucleus.wait_running()
    bus = bus_of(bench, "own")
    assert ("own", "1.0.0", "RUNNING") in bus.list_components()
    bus.close()
