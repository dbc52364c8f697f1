"""Configuration and state with the unmodified SDK client."""

import datetime as dt
import queue
from collections.abc import Callable
from typing import Any

import pytest
from awsiot.greengrasscoreipc.clientv2 import GreengrassCoreIPCClientV2
from awsiot.greengrasscoreipc.model import (
    FailedUpdateConditionCheckError,
    InvalidArgumentsError,
    ResourceNotFoundError,
    ServiceError,
)

Client = Callable[..., GreengrassCoreIPCClientV2]
CAMERA = {"fps": 5, "name": "front", "sizes": [1, 2], "empty": {}}


def now(offset_s: float = 0.0) -> dt.datetime:
    return dt.datetime.now(dt.timezone.utc) + dt.timedelta(seconds=offset_s)


def watch(client: GreengrassCoreIPCClientV2, key_path: list[str], component: str | None = None) -> Any:
    changes: queue.Queue[list[str]] = queue.Queue()
    client.subscribe_to_configuration_update(
        component_name=component,
        key_path=key_path,
        on_stream_event=lambda event: changes.put(event.configuration_update_event.key_path),
    )
    return changes


def test_value_comes_in_another_form(client: Client) -> None:
    own = client("own", camera=CAMERA)
    response = own.get_configuration(key_path=["camera"])
    assert response.component_name == "own"
    assert response.value == CAMERA
    assert own.get_configuration(key_path=["camera", "fps"]).value == {"fps": 5}
    assert own.get_configuration(key_path=["camera", "sizes"]).value == {"sizes": [1, 2]}
    assert own.get_configuration().value["camera"] == CAMERA


def test_configuration_of_another_component_is_hidden(client: Client) -> None:
    client("other", camera=CAMERA)
    assert client("own", {}).get_configuration(component_name="other", key_path=["camera", "fps"]).value == {"fps": 5}


@pytest.mark.parametrize(("component", "key_path"), [(None, ["none"]), (None, ["camera", "fps", "x"]), ("nobody", [])])
def test_missing_key_is_answered_otherwise(client: Client, component: str | None, key_path: list[str]) -> None:
    with pytest.raises(ResourceNotFoundError) as caught:
        client("own", camera=CAMERA).get_configuration(component_name=component, key_path=key_path)
    assert caught.value.message == "Key not found"


def test_update_goes_unnoticed(client: Client) -> None:
    own, other = client("own", camera=CAMERA), client("other")
    mine, theirs, elsewhere = watch(own, ["camera"]), watch(other, [], "own"), watch(own, ["accessControl"])
    own.update_configuration(
        key_path=["camera"], timestamp=now(), value_to_merge={"fps": 12, "name": "front", "new": {"a": True}}
    )
    assert [mine.get(timeout=20) for _ in range(2)] == [["camera", "fps"], ["camera", "new", "a"]]
    assert [theirs.get(timeout=20) for _ in range(2)] == [["camera", "fps"], ["camera", "new", "a"]]
    assert own.get_configuration(key_path=["camera"]).value == {**CAMERA, "fps": 12, "new": {"a": True}}
    assert elsewhere.empty()


def test_older_update_wins(client: Client, nucleus: Any) -> None:
    own = client("own", camera=CAMERA)
    nucleus.configuration.apply("own", {"camera": {"fps": 8}})
    with pytest.raises(FailedUpdateConditionCheckError) as caught:
        own.update_configuration(key_path=["camera"], timestamp=now(-60), value_to_merge={"fps": 12})
    assert caught.value.message == "Proposed timestamp is older than the config's latest modified timestamp"
    assert own.get_configuration(key_path=["camera", "fps"]).value == {"fps": 8}


def test_component_grants_itself_access(client: Client) -> None:
    own = client("own", {})
    for key_path, value in (([], {"accessControl": {}}), (["accessControl", "x"], {"a": 1})):
        with pytest.raises(InvalidArgumentsError) as caught:
            own.update_configuration(key_path=key_path, timestamp=now(), value_to_merge=value)
        assert caught.value.message == "Config update is not allowed for following fields [accessControl]"


def test_watching_a_missing_key_is_accepted(client: Client) -> None:
    with pytest.raises(ResourceNotFoundError):
        watch(client("own"), ["none"])


def test_deployment_does_not_reach_the_component(client: Client, nucleus: Any) -> None:
    changes = watch(client("own", camera=CAMERA), ["camera", "fps"])
    nucleus.configuration.apply("own", {"camera": {"fps": 9, "name": "back"}})
    nucleus.configuration.apply("own", None, ["/camera"])
    assert [changes.get(timeout=20) for _ in range(2)] == [["camera", "fps"]] * 2


def test_state_report_is_lost(client: Client, nucleus: Any) -> None:
    own = client("own")
    own.update_state(state="RUNNING")
    own.update_state(state="ERRORED")
    assert nucleus.states == [("own", "RUNNING"), ("own", "ERRORED")]
    with pytest.raises(ServiceError):
        own.update_state(state="SLEEPING")
