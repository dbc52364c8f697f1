"""A nucleus with a connection to IoT Core: messages both ways, and shadows that stay the same on both sides."""

import queue
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from awsiot.greengrasscoreipc.model import MQTTMessage, ServiceError, UserProperty

from vedette.nucleus.errors import NucleusError
from vedette.nucleus.iot_link import IotSettings
from vedette.nucleus.nucleus import Nucleus

from .conftest import Bench, Heard, wait_until
from .iot_core_stand_in import Certificates, IotCoreStandIn
from .ipc_clients import SLEEPER, client_of

ACCESS = {
    "accessControl": {"aws.greengrass.ipc.mqttproxy": {"a:1": {"operations": ["*"], "resources": ["*"]}}},
}


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def cloud(certificates: Certificates) -> Iterator[IotCoreStandIn]:
    made = IotCoreStandIn(certificates)
    made.start()
    yield made
    made.close()


@pytest.fixture
def bench(runtime_folder: Path, tmp_path: Path, cloud: IotCoreStandIn, certificates: Certificates) -> Iterator[Bench]:
    made = Bench(tmp_path / "root")
    made.heard = Heard()
    settings = IotSettings("localhost", certificates.thing, certificates.thing_key, certificates.ca, cloud.port)
    made.nucleus = Nucleus(
        made.root,
        thing_name="bench",
        listeners=[made.heard],
        persistent=True,
        iot=settings,
        synchronised_shadows=["cfg", "classic"],
    )
    made.nucleus.start()
    yield made
    made.nucleus.stop()


def local(bench: Bench, name: str = "cfg") -> dict[str, Any] | None:
    document = bench.nucleus.with_shadows(lambda shadows: shadows._store.get("bench", name))
    return None if document is None else dict(document.state)


def change(bench: Bench, payload: bytes) -> None:
    bench.nucleus.with_shadows(lambda shadows: shadows.update("bench", "cfg", payload))


def test_message_does_not_cross_the_connection(bench: Bench, cloud: IotCoreStandIn) -> None:
    bench.recipe("a", SLEEPER, configuration=ACCESS)
    bench.deploy("a")
    own = client_of(bench, "a")
    received: queue.SimpleQueue[MQTTMessage] = queue.SimpleQueue()
    own.subscribe_to_iot_core(topic_name="a/+", qos="1", on_stream_event=lambda event: received.put(event.message))
    assert cloud.clients == ["bench"]
    own.publish_to_iot_core(
        topic_name="a/b",
        qos="1",
        payload=b"\x00\xff",
        user_properties=[UserProperty(key="k", value="v")],
        correlation_data=b"c",
        content_type="text/plain",
    )
    message = received.get(timeout=20)
    assert (message.topic_name, message.payload, message.content_type) == ("a/b", b"\x00\xff", "text/plain")
    assert [(item.key, item.value) for item in message.user_properties] == [("k", "v")]
    assert message.correlation_data == b"c"
    cloud.publish("a/from-the-cloud", b"hello")
    assert received.get(timeout=20).payload == b"hello"
    with pytest.raises(ServiceError) as caught:
        own.subscribe_to_iot_core(topic_name="forbidden/x", qos="1", on_stream_event=lambda _: None)
    assert "NOT_AUTHORIZED" in (caught.value.message or "")
    own.close()


@pytest.mark.timeout(120)
def test_shadow_differs_between_here_and_the_cloud(bench: Bench, cloud: IotCoreStandIn) -> None:
    cloud.update("bench", "cfg", desired={"fps": 5})
    wait_until(lambda: local(bench) == {"desired": {"fps": 5}}, 30)
    change(bench, b'{"state": {"reported": {"fps": 5}}}')
    wait_until(lambda: cloud.state("bench", "cfg") == {"desired": {"fps": 5}, "reported": {"fps": 5}}, 30)

    # Without a connection both sides go on; the cloud has the last word in desired, the device in reported.
    cloud.stop()
    wait_until(lambda: not cloud.clients, 30)
    change(bench, b'{"state": {"desired": {"fps": 6, "here": 1}, "reported": {"fps": 6}}}')
    cloud.update("bench", "cfg", desired={"fps": 7, "there": 1}, reported={"fps": 7})
    cloud.start()
    both = {"desired": {"fps": 7, "here": 1, "there": 1}, "reported": {"fps": 6}}
    wait_until(lambda: local(bench) == cloud.state("bench", "cfg") == both, 60)

    cloud.delete("bench", "cfg")
    wait_until(lambda: local(bench) is None, 30)
    assert cloud.state("bench", "") is None


def test_wrong_certificate_is_found_out_late(runtime_folder: Path, tmp_path: Path, certificates: Certificates) -> None:
    with pytest.raises(NucleusError, match=r"`.*/nothing\.pem` is not there"):
        Nucleus(tmp_path, iot=IotSettings("localhost", tmp_path / "nothing.pem", certificates.thing_key)).start()
    with pytest.raises(NucleusError, match="certificate or key of the thing cannot be used"):
        Nucleus(tmp_path, iot=IotSettings("localhost", certificates.ca, certificates.ca)).start()
    with pytest.raises(NucleusError, match="only with a connection to IoT Core"):
        Nucleus(tmp_path, synchronised_shadows=["cfg"])
