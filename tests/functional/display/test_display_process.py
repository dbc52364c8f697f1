"""The display's own process on a local nucleus, with the permissions of its recipe and no others."""

import asyncio
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from awsiot.greengrasscoreipc import connect
from awsiot.greengrasscoreipc.clientv2 import GreengrassCoreIPCClientV2
from awsiot.greengrasscoreipc.model import BinaryMessage, PublishMessage

from tests.waiting import eventually
from vedette.messages import CameraState, CameraStatus, DisplayStatus
from vedette.nucleus.configuration import ConfigurationStore
from vedette.nucleus.ipc import IpcServer
from vedette.nucleus.secrets import SecretStore
from vedette.nucleus.shadows import ShadowStore

ROOT = Path(__file__).parents[3]
EVERYTHING = {"aws.greengrass.ipc.pubsub": {"test:1": {"operations": ["*"], "resources": ["*"]}}}


class Nucleus:
    """The IPC of a local nucleus, which starts the display as its recipe says."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.configuration = ConfigurationStore()
        self.server = IpcServer(
            folder / "ipc.socket",
            configuration=self.configuration,
            secrets=SecretStore(folder / "secrets.json"),
            shadows=ShadowStore(folder / "shadows"),
            thing_name="bench-1",
            on_state=lambda _component, _state: None,
        )
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        asyncio.run_coroutine_threadsafe(self.server.start(), self.loop).result(5)
        self.stopped = False

    def token(self, component: str, configuration: dict[str, Any]) -> str:
        self.configuration.set_defaults(component, configuration)

        async def issue() -> str:
            return self.server.tokens.issue(component)

        return asyncio.run_coroutine_threadsafe(issue(), self.loop).result(5)

    def start_display(self) -> "subprocess.Popen[str]":
        recipe = yaml.safe_load((ROOT / "recipes" / "vedette.Display.yaml").read_text())
        configuration = {**recipe["ComponentConfiguration"]["DefaultConfiguration"], "port": 0, "rtspPort": 0}
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT / "components" / "display"),
            "AWS_GG_NUCLEUS_DOMAIN_SOCKET_FILEPATH_FOR_COMPONENT": str(self.folder / "ipc.socket"),
            "SVCUID": self.token("vedette.Display", configuration),
            "AWS_IOT_THING_NAME": "bench-1",
        }
        return subprocess.Popen(
            [sys.executable, "-m", "vedette_display"], cwd=self.folder, env=environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def client(self) -> GreengrassCoreIPCClientV2:
        token = self.token("test", {"accessControl": EVERYTHING})
        raw = connect(ipc_socket=str(self.folder / "ipc.socket"), authtoken=token, timeout=20)
        return GreengrassCoreIPCClientV2(raw)

    def stop(self) -> None:
        if not self.stopped:
            self.stopped = True
            asyncio.run_coroutine_threadsafe(self.server.stop(), self.loop).result(5)
            self.loop.call_soon_threadsafe(self.loop.stop)
            self.thread.join(5)
            self.loop.close()


@pytest.fixture
def nucleus() -> Iterator[Nucleus]:
    # A short path: a socket's has 107 bytes at most.
    with tempfile.TemporaryDirectory(prefix="disp-") as folder:
        running = Nucleus(Path(folder))
        yield running
        running.stop()


@pytest.fixture
def process(nucleus: Nucleus) -> Iterator["subprocess.Popen[str]"]:
    started = nucleus.start_display()
    yield started
    started.kill()
    started.communicate(timeout=10)


def page_of(client: GreengrassCoreIPCClientV2) -> str:
    heard: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def handle(event: Any) -> None:
        heard.put(event.binary_message.message)

    client.subscribe_to_topic(topic=DisplayStatus.topic(), on_stream_event=handle)
    return DisplayStatus.model_validate_json(heard.get(timeout=20)).page


def test_display_hears_nothing_with_its_own_permissions(nucleus: Nucleus, process: "subprocess.Popen[str]") -> None:
    client = nucleus.client()
    page = page_of(client)
    status = CameraStatus(camera_id="dock-01234567", name="dock", state=CameraState.WRONG_PASSWORD, since=time.time())
    topic = CameraStatus.topic(status.camera_id)

    def told() -> bool:
        message = PublishMessage(binary_message=BinaryMessage(message=status.encode()))
        client.publish_to_topic(topic=topic, publish_message=message)
        with urllib.request.urlopen(f"{page.partition('?')[0]}api/health", timeout=10) as answer:
            document = json.load(answer)
        return bool(document["summary"]["words"] == "1 problem: dock, wrong password")

    eventually(told, "the camera's wrong password in the health document")
    client.close()
    process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=20)[0]
    assert process.returncode == 0, said
    assert "ERROR" not in said
    assert "WARNING" not in said


def test_lost_nucleus_leaves_the_display_behind(nucleus: Nucleus, process: "subprocess.Popen[str]") -> None:
    client = nucleus.client()
    page_of(client)
    client.close()
    nucleus.stop()
    said = process.communicate(timeout=10)[0]
    assert process.returncode == 3, said
