"""What is said of the ports an application wants to be reached at."""

from pathlib import Path

import pytest

from vedette.application import InboundPort, PortRoute
from vedette.cli.inbound import first_unprivileged_port, port_notes


def test_a_port_that_cannot_be_opened_is_not_mentioned() -> None:
    # GIVEN the ports of AWS's debug-server: 80, which its graph leads 8080 to
    ports = [InboundPort(port=80, description="http"), InboundPort(port=8090)]
    routes = [PortRoute(container_port=80, host_port=8080), PortRoute(container_port=8090, host_port=8090)]
    notes = list(port_notes(ports, routes, 1024))
    assert [warns for warns, _ in notes] == [True, False, True]
    assert "cannot open port 80 (http): without root's rights ports begin at 1024" in notes[0][1]
    assert notes[1][1] == "the application opens port 8090 on this machine itself"
    assert "port 8080 does not lead to the application's port 80" in notes[2][1]
    # WHEN the kernel lets everybody open port 80
    assert [warns for warns, _ in port_notes(ports, routes, 80)] == [False, False, True]


@pytest.mark.parametrize(("text", "port"), [("80\n", 80), ("", 1024), (None, 1024)])
def test_the_kernels_setting_is_misread(tmp_path: Path, text: str | None, port: int) -> None:
    setting = tmp_path / "ip_unprivileged_port_start"
    if text is not None:
        setting.write_text(text)
    assert first_unprivileged_port(setting) == port
