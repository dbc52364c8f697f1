"""What is said of the ports an application wants to be reached at, and how they are opened."""

import pytest

from vedette.application import InboundPort, PortRoute
from vedette.cli.failure import Failure
from vedette.cli.inbound import port_notes, read_opened
from vedette.documents.resolution import OpenedPort


def test_a_port_that_stays_closed_is_not_mentioned() -> None:
    # GIVEN the ports of AWS's debug-server and another one
    ports = [InboundPort(port=80, description="http"), InboundPort(port=8090)]
    routes = [
        PortRoute(container_port=80, host_port=8080),
        PortRoute(container_port=9, host_port=9, address="10.0.0.1"),
    ]
    notes = list(port_notes(ports, routes))
    assert notes == [
        (False, "port 80 (http) of the application is port 8080 of this machine"),
        (False, "port 9 of the application is port 9 of 10.0.0.1"),
        (False, "port 8090 of the application stays closed; --open 8080:8090 opens it"),
    ]


@pytest.mark.parametrize(
    ("text", "opened"),
    [
        ("8080", OpenedPort(8080)),
        ("8080:80", OpenedPort(8080, 80)),
        ("127.0.0.1:8080:80", OpenedPort(8080, 80, "127.0.0.1")),
    ],
)
def test_a_port_to_open_is_misread(text: str, opened: OpenedPort) -> None:
    assert read_opened([text]) == (opened,)


@pytest.mark.parametrize(
    "text", ["", "http", "0", "70000", "8080:0", "1.2.3:80:80", "8080:80:80", "-1", "300.1.1.1:80:80"]
)
def test_what_is_no_port_is_opened(text: str) -> None:
    with pytest.raises(Failure, match=r"--open takes \[ADDRESS:\]HOST"):
        read_opened([text])
