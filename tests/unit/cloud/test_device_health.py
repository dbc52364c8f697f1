"""What a device tells of itself, as `vedette device describe` shows it."""

import io
import json
from typing import Any

import pytest

from vedette.cloud.device_health import network_lines, read_health


class Shadows:
    """AWS with one shadow."""

    def __init__(self, payload: bytes) -> None:
        self.payload = payload

    def call(self, service: str, operation: str, **arguments: Any) -> dict[str, Any]:
        assert (service, operation, arguments["shadowName"]) == ("iot-data", "get_thing_shadow", "vedette:health")
        return {"payload": io.BytesIO(self.payload)}


def reported(state: Any) -> Any:
    return read_health(Shadows(json.dumps({"state": {"reported": state}}).encode()), "a")  # type: ignore[arg-type]


def test_ports_or_clock_are_not_shown() -> None:
    eth0, eth1 = ({"name": f"eth{n}", "mac": f"02:00:00:00:00:0{n + 1}"} for n in (0, 1))
    found = reported(
        {
            "at": "2026-05-31T12:00:00Z",
            "device": {"model": "Jetson"},
            "network": {
                "interfaces": [
                    {**eth0, "state": "CONNECTED", "addresses": ["192.0.2.7/24"], "mbps": 1000},
                    {**eth1, "state": "NOT_CONNECTED", "addresses": []},
                ],
                "uplink": "eth0",
                "time": {"state": "NOT_CONNECTED", "server": "192.0.2.1"},
            },
        }
    )  # fmt: skip
    assert found.at is not None
    assert found.at.timestamp() == 1780228800
    assert dict(network_lines(found.network)) == {
        "eth0": "192.0.2.7/24   02:00:00:00:00:01   connected, 1000 Mbit/s, way out",
        "eth1": "no address   02:00:00:00:00:02   no link",
        "clock": "NOT synchronised, 192.0.2.1",
    }


@pytest.mark.parametrize("state", [None, [], "x", {"at": 7, "device": [], "network": "x", "applications": {"a": 1}}])
def test_a_document_of_somebody_else_ends_the_command(state: Any) -> None:
    found = reported(state)
    assert (found.machine, found.network, found.applications) == ({}, {}, ())
    assert network_lines(found.network) == []
    assert not read_health(Shadows(b"not json"), "a").machine  # type: ignore[arg-type]
