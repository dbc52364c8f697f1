"""What an application has of the machine's network: name servers that may change, or nothing at all."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from vedette_app_runtime.sandbox import name_servers

from vedette.doctor.bubblewrap import probe_bubblewrap
from vedette.messages import ApplicationState

from .conftest import Rig

pytestmark = pytest.mark.skipif(not probe_bubblewrap().works, reason="needs bubblewrap")


def test_an_application_keeps_the_name_servers_it_was_started_with(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machines = tmp_path / "resolv.conf"
    machines.write_text("nameserver 127.0.0.71\n")
    monkeypatch.setattr(name_servers, "MACHINES", machines)
    rig.source(
        "import json, time\n"
        "said = None\n"
        "while True:\n"
        "    now = open('/etc/resolv.conf').read()\n"
        "    if now != said:\n"
        "        print(json.dumps({'servers': now.split()[1:]}), flush=True)\n"
        "        said = now\n"
        "    time.sleep(0.05)\n"
    )
    rig.start()
    assert rig.said("servers", 30) == [["127.0.0.71"]]
    fresh = tmp_path / "fresh"
    fresh.write_text("nameserver 127.0.0.72\n")
    fresh.replace(machines)
    assert rig.said("servers", 30, count=2)[-1] == ["127.0.0.72"]


@pytest.fixture
def camera_on_the_network() -> Iterator[socket.socket]:
    """What listens on the machine, at an address that an application reaches by default."""
    with socket.create_server(("127.0.0.2", 0)) as sock:
        yield sock


WITHOUT = """
import json, socket, panoramasdk
def tried(family, address):
    with socket.socket(family) as sock:
        sock.settimeout(20)
        try:
            sock.connect(address)
        except OSError as error:
            return error.strerror
    return None
node = panoramasdk.node()
found = {
    "camera": tried(socket.AF_INET, CAMERA),
    "program": tried(socket.AF_UNIX, ABSTRACT),
    "streams": len(node.inputs.video_in.get()),
}
with socket.create_server(("127.0.0.1", 8080)) as own:
    found["own"] = tried(socket.AF_INET, own.getsockname())
print(json.dumps({"found": found}), flush=True)
while True:
    node.outputs.video_out.put(node.inputs.video_in.get())
"""


def test_an_application_without_a_network_reaches_a_camera_or_lacks_its_frames(
    rig: Rig, camera_on_the_network: socket.socket
) -> None:
    with socket.socket(socket.AF_UNIX) as abstract:
        abstract.bind(b"\0vedette-test-" + rig.folder.name.encode())
        abstract.listen(1)
        text = WITHOUT.replace("CAMERA", repr(camera_on_the_network.getsockname()))
        rig.source(text.replace("ABSTRACT", repr(abstract.getsockname())))
        rig.camera("door").start()
        rig.output()
        rig.start()
        before = rig.said("found", 30)[0]
        # What the guide says of the default; programs' abstract sockets are closed where the kernel can do that.
        assert before["camera"] is None
        assert before["program"] in (None, "Operation not permitted")
        rig.configure(network="none")
        found = rig.said("found", 30, count=2)[1]
    assert found["camera"] in ("Connection refused", "Network is unreachable")
    assert found["program"] in ("Connection refused", "Operation not permitted")
    assert found["streams"] == 1
    assert found["own"] is None
    lease, _ = rig.look("door").frame()
    assert lease.header.width == 64


def test_the_network_is_denied_without_what_it_takes(rig: Rig) -> None:
    rig.source("print('it runs')\n")
    rig.configuration.update(network="none", sandbox="off")
    rig.start()
    status = rig.status(lambda s: s.state == ApplicationState.FAILED)
    assert "denied the network by bubblewrap alone" in (status.detail or "")
    assert "it runs" not in rig.console()
