"""What a device tells of itself: the health document that vedette.DeviceMonitor keeps in a shadow of its thing."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from vedette.cloud.access import Cloud
from vedette.cloud.errors import CloudError

SHADOW: Final = "vedette:health"


@dataclass(frozen=True)
class DeviceHealth:
    """The newest document; empty where the device never told one."""

    machine: Mapping[str, str] = field(default_factory=dict)
    """Model, serial number, architecture, system, versions."""
    network: Mapping[str, Any] = field(default_factory=dict)
    """Interfaces with addresses and link, the way out, the time service."""
    summary: Mapping[str, Any] = field(default_factory=dict)
    applications: tuple[Mapping[str, Any], ...] = ()
    cameras: tuple[Mapping[str, Any], ...] = ()
    at: datetime | None = None
    """When it was told."""


def read_health(cloud: Cloud, name: str) -> DeviceHealth:
    """Return what a device told last; an empty document where it told nothing, or may not be read."""
    try:
        answer = cloud.call("iot-data", "get_thing_shadow", thingName=name, shadowName=SHADOW)
        said = json.loads(answer["payload"].read())["state"]["reported"]
    except (CloudError, ValueError, KeyError, TypeError):
        return DeviceHealth()
    if not isinstance(said, dict):
        return DeviceHealth()
    try:
        at = datetime.fromisoformat(str(said.get("at", "")).replace("Z", "+00:00"))
    except ValueError:
        at = None
    return DeviceHealth(
        {str(key): str(value) for key, value in _mapping(said, "device").items()},
        _mapping(said, "network"),
        _mapping(said, "summary"),
        _list(said, "applications"),
        _list(said, "cameras"),
        at,
    )


def network_lines(network: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return (name, words) for each port of a device and for its clock, as people read them."""
    lines = []
    for port in _list(network, "interfaces"):
        link = "connected" if port.get("state") == "CONNECTED" else "no link"
        speed = f", {port['mbps']} Mbit/s" if port.get("mbps") else ""
        way_out = ", way out" if port.get("name") == network.get("uplink") else ""
        addresses = ", ".join(str(each) for each in port.get("addresses", ())) or "no address"
        lines.append((str(port.get("name", "")), f"{addresses}   {port.get('mac', '')}   {link}{speed}{way_out}"))
    clock = _mapping(network, "time")
    if clock:
        state = "synchronised" if clock.get("state") == "CONNECTED" else "NOT synchronised"
        server = f", {clock['server']}" if clock.get("server") else ""
        lines.append(("clock", state + server))
    return lines


def _mapping(document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = document.get(key)
    return found if isinstance(found, dict) else {}


def _list(document: Mapping[str, Any], key: str) -> tuple[Mapping[str, Any], ...]:
    found = document.get(key)
    return tuple(item for item in found if isinstance(item, dict)) if isinstance(found, list) else ()
