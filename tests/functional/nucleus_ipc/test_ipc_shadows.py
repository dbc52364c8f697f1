"""Shadows with the unmodified SDK client, and what goes out on their topics."""

import json
import queue
from collections.abc import Callable
from typing import Any

import pytest
from awsiot.greengrasscoreipc.clientv2 import GreengrassCoreIPCClientV2
from awsiot.greengrasscoreipc.model import (
    ConflictError,
    InvalidArgumentsError,
    ResourceNotFoundError,
    ServiceError,
    UnauthorizedError,
)

from vedette.nucleus.shadow_document import ShadowDocument
from vedette.nucleus.shadows import ShadowStore

Client = Callable[..., GreengrassCoreIPCClientV2]
PREFIX = "$aws/things/bench-1/shadow/name/s/"


def listen(client: GreengrassCoreIPCClientV2, topic: str) -> Any:
    heard: queue.Queue[tuple[str, Any]] = queue.Queue()
    client.subscribe_to_topic(
        topic=topic,
        on_stream_event=lambda event: heard.put(
            (event.binary_message.context.topic, json.loads(event.binary_message.message))
        ),
    )
    return heard


def update(client: GreengrassCoreIPCClientV2, document: Any, name: str = "s") -> Any:
    payload = document if isinstance(document, bytes) else json.dumps(document).encode()
    return json.loads(client.update_thing_shadow(thing_name="bench-1", shadow_name=name, payload=payload).payload)


def get(client: GreengrassCoreIPCClientV2, name: str = "s") -> Any:
    return json.loads(client.get_thing_shadow(thing_name="bench-1", shadow_name=name).payload)


def test_update_says_something_else_on_the_topics(client: Client) -> None:
    own = client("own")
    heard = listen(client("reader"), PREFIX + "#")
    accepted = update(own, {"state": {"desired": {"fps": 5, "name": "a"}}, "clientToken": "t-1"})
    stamp = {"timestamp": accepted["timestamp"]}
    assert accepted == {
        "version": 1,
        "timestamp": accepted["timestamp"],
        "clientToken": "t-1",
        "state": {"desired": {"fps": 5, "name": "a"}},
        "metadata": {"desired": {"fps": stamp, "name": stamp}},
    }
    assert heard.get(timeout=20) == (
        PREFIX + "update/delta",
        {
            "version": 1,
            "timestamp": accepted["timestamp"],
            "clientToken": "t-1",
            "state": {"fps": 5, "name": "a"},
            "metadata": {"fps": stamp, "name": stamp},
        },
    )
    topic, documents = heard.get(timeout=20)
    assert topic == PREFIX + "update/documents"
    assert "previous" not in documents
    assert documents["current"]["version"] == 1
    assert heard.get(timeout=20) == (PREFIX + "update/accepted", accepted)


def test_delta_goes_on_after_the_report(client: Client) -> None:
    own = client("own")
    update(own, {"state": {"desired": {"fps": 5, "name": "a"}}})
    heard = listen(client("reader"), PREFIX + "#")
    update(own, {"state": {"reported": {"fps": 5, "name": "b"}}})
    assert heard.get(timeout=20)[1]["state"] == {"name": "a"}
    assert heard.get(timeout=20)[1]["previous"]["version"] == 1
    heard.get(timeout=20)
    assert get(own)["state"] == {
        "desired": {"fps": 5, "name": "a"},
        "reported": {"fps": 5, "name": "b"},
        "delta": {"name": "a"},
    }
    assert heard.get(timeout=20)[0] == PREFIX + "get/accepted"
    update(own, {"state": {"reported": {"name": "a"}}})
    assert [heard.get(timeout=20)[0] for _ in range(2)] == [PREFIX + "update/documents", PREFIX + "update/accepted"]
    assert "delta" not in get(own)["state"]


def test_classic_and_named_shadow_are_one(client: Client) -> None:
    own = client("own")
    update(own, {"state": {"desired": {"a": 1}}}, name="")
    with pytest.raises(ResourceNotFoundError):
        get(own)
    assert get(own, "")["state"]["desired"] == {"a": 1}


def test_missing_shadow_is_not_rejected(client: Client) -> None:
    own = client("own")
    heard = listen(client("reader"), PREFIX + "+/rejected")
    with pytest.raises(ResourceNotFoundError) as caught:
        get(own)
    assert (caught.value.message, caught.value.resource_type) == ("No shadow found", "shadow")
    topic, body = heard.get(timeout=20)
    assert topic == PREFIX + "get/rejected"
    assert (body["code"], body["message"]) == (404, "No shadow exists with name: s")


def test_version_conflict_goes_through(client: Client) -> None:
    own = client("own")
    heard = listen(client("reader"), PREFIX + "update/rejected")
    update(own, {"state": {"desired": {"a": 1}}, "version": 1})
    update(own, {"state": {"desired": {"a": 2}}, "version": 1})
    with pytest.raises(ConflictError) as caught:
        update(own, {"state": {"desired": {"a": 3}}, "version": 1, "clientToken": "t"})
    assert caught.value.message == "Version conflict"
    body = heard.get(timeout=20)[1]
    assert (body["code"], body["message"], body["clientToken"]) == (409, "Version conflict", "t")
    assert get(own)["version"] == 2


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (b"{}", "Invalid JSON: "),
        (b"[1]", "Invalid JSON: array found, object expected"),
        ({"x": 1}, "Invalid JSON: state: is missing but it is required"),
        ({"state": 1}, "Invalid JSON: state: integer found, [object, null] expected"),
        ({"state": {"x": 1}}, "Invalid JSON: state: must have desired or reported"),
        ({"state": {"desired": []}}, "Invalid JSON: state.desired: array found, [object, null] expected"),
        ({"state": {}, "version": "1"}, "Invalid JSON: version: string found, number expected"),
        ({"state": {}, "clientToken": "x" * 65}, "Invalid JSON: clientToken: may only be 64 characters long"),
        ({"state": {}, "version": 2}, "Invalid version"),
        ({"state": {"desired": {"a": {"b": {"c": {"d": {"e": {"f": 1}}}}}}}}, None),
        (
            {"state": {"desired": {"a": {"b": {"c": {"d": {"e": {"f": {"g": 1}}}}}}}}},
            "JSON contains too many levels of nesting; maximum is 6",
        ),
        ({"state": {"desired": {"a": "x" * 8184}}}, None),
        ({"state": {"desired": {"a": "x" * 8185}}}, "The payload exceeds the maximum size allowed"),
    ],
)
def test_bad_update_is_accepted(client: Client, document: Any, message: str | None) -> None:
    own = client("own")
    if message is None:
        update(own, document)
        return
    with pytest.raises(InvalidArgumentsError) as caught:
        update(own, document)
    assert caught.value.message == message
    with pytest.raises(ResourceNotFoundError):
        get(own)


@pytest.mark.parametrize(
    ("thing", "name", "message"),
    [
        ("", "s", "ThingName is missing"),
        ("../x", "s", "ThingName must match pattern [a-zA-Z0-9:_-]+"),
        ("t", "a/b", "ShadowName must match pattern [a-zA-Z0-9:_-]+"),
        ("t", "x" * 65, "ShadowName has a maximum length of 64"),
        ("t" * 129, "s", "ThingName has a maximum length of 128"),
    ],
)
def test_bad_name_becomes_a_file(client: Client, thing: str, name: str, message: str) -> None:
    with pytest.raises(InvalidArgumentsError) as caught:
        client("own").get_thing_shadow(thing_name=thing, shadow_name=name)
    assert caught.value.message == message


def test_shadow_is_open_without_a_policy(client: Client) -> None:
    policy = {
        "operations": ["aws.greengrass#GetThingShadow"],
        "resources": ["$aws/things/{iot:thingName}/shadow/name/s"],
    }
    narrow = client("narrow", {"aws.greengrass.ShadowManager": {"p": policy}})
    update(client("own"), {"state": {"desired": {"a": 1}}})
    assert get(narrow)["version"] == 1
    with pytest.raises(UnauthorizedError):
        get(narrow, "other")
    heard = listen(client("reader"), PREFIX + "update/rejected")
    with pytest.raises(UnauthorizedError):
        update(narrow, {"state": {"desired": {"a": 2}}})
    assert (heard.get(timeout=20)[1]["code"]) == 401


def test_deleted_shadow_stays(client: Client, nucleus: Any) -> None:
    own = client("own")
    update(own, {"state": {"desired": {"a": 1}}})
    assert ShadowStore(nucleus.folder / "shadows").names("bench-1") == ["s"]
    heard = listen(client("reader"), PREFIX + "delete/accepted")
    assert own.delete_thing_shadow(thing_name="bench-1", shadow_name="s").payload == b""
    assert heard.get(timeout=20)[1]["version"] == 1
    with pytest.raises(ResourceNotFoundError):
        own.delete_thing_shadow(thing_name="bench-1", shadow_name="s")
    assert ShadowStore(nucleus.folder / "shadows").names("bench-1") == []


def test_list_forgets_names_or_pages(client: Client, nucleus: Any) -> None:
    own = client("own")
    for number in range(30):
        document = ShadowDocument().updated({"desired": {"n": number}}, 0)[0]
        nucleus.shadows.put("bench-1", f"s{number:02}", document)
    first = own.list_named_shadows_for_thing(thing_name="bench-1")
    assert len(first.results) == 25
    second = own.list_named_shadows_for_thing(thing_name="bench-1", next_token=first.next_token)
    assert first.results + second.results == [f"s{number:02}" for number in range(30)]
    assert second.next_token is None
    for bad in ({"page_size": 0}, {"page_size": 101}, {"next_token": "x"}):
        with pytest.raises(InvalidArgumentsError):
            own.list_named_shadows_for_thing(thing_name="bench-1", **bad)


def test_flood_of_requests_is_served(client: Client) -> None:
    own = client("own")
    with pytest.raises(ServiceError) as caught:
        for _ in range(200):
            own.list_named_shadows_for_thing(thing_name="flooded")
    assert caught.value.message == "Too Many Requests"
    own.list_named_shadows_for_thing(thing_name="another")


def test_nucleus_itself_cannot_set_a_shadow(client: Client, nucleus: Any) -> None:
    heard = listen(client("reader"), PREFIX + "update/delta")
    nucleus.on_loop(lambda: nucleus.server.shadows.update("bench-1", "s", b'{"state": {"desired": {"a": 1}}}'))
    assert heard.get(timeout=20)[1]["state"] == {"a": 1}
