"""What the device tells of its network: ports as they are, the way out, and whether its clock is set."""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from vedette_device_monitor import network
from vedette_device_monitor.health import condensed
from vedette_device_monitor.network import NetworkWatch, network_facts, time_facts

from vedette.health import HealthBook

ROUTES = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"


def interface(sys: Path, name: str, mac: str, *, carrier: str = "1", hardware: bool = True, speed: str = "") -> None:
    folder = sys / "class/net" / name
    folder.mkdir(parents=True)
    (folder / "address").write_text(f"{mac}\n")
    (folder / "carrier").write_text(f"{carrier}\n")
    if hardware:
        (folder / "device").mkdir()
    if speed:
        (folder / "speed").write_text(speed)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Return /proc and /sys of a machine with two ports, one cable, a container engine and a tunnel."""
    sys, proc = tmp_path / "sys", tmp_path / "proc"
    interface(sys, "eth0", "02:00:00:00:00:01", speed="1000")
    interface(sys, "eth1", "02:00:00:00:00:02", carrier="0", speed="-1")
    interface(sys, "lo", "00:00:00:00:00:00", hardware=False)
    interface(sys, "docker0", "02:42:00:00:00:03", hardware=False)
    interface(sys, "ifb0", "02:00:00:00:00:04", hardware=False)
    (proc / "net").mkdir(parents=True)
    rows = [f"{name}\t00000000\t010200C0\t0003\t0\t0\t{metric}" for name, metric in (("eth1", 200), ("eth0", 100))]
    (proc / "net/route").write_text(ROUTES + "".join(f"{row}\t00000000\t0\t0\t0\n" for row in rows))
    monkeypatch.setattr(network, "_addresses", lambda: {"eth0": ["192.0.2.7/24"], "docker0": ["192.0.2.99/24"]})
    return proc, sys


def says(**answers: str) -> network.Run:
    def run(command: Sequence[str]) -> str:
        return answers.get(command[0], "")

    return run


def test_a_port_is_not_told_or_a_container_is(machine: tuple[Path, Path]) -> None:
    facts = network_facts(*machine, says(), unsynchronised=True)
    assert facts["interfaces"] == [
        {
            "name": "eth0",
            "mac": "02:00:00:00:00:01",
            "state": "CONNECTED",
            "addresses": ["192.0.2.7/24"],
            "mbps": 1000,
        },
        {"name": "eth1", "mac": "02:00:00:00:00:02", "state": "NOT_CONNECTED", "addresses": []},
    ]
    assert facts["uplink"] == "eth0", "the smallest metric is the way out"
    assert facts["time"] == {"state": "NOT_CONNECTED"}


def test_the_uplink_is_another_after_its_cable_was_pulled(machine: tuple[Path, Path]) -> None:
    proc, _ = machine
    route = proc / "net/route"
    route.write_text("\n".join(line for line in route.read_text().splitlines() if "\t100\t" not in line))
    assert network_facts(*machine, says(), unsynchronised=True)["uplink"] == "eth1"
    route.write_text(ROUTES)
    (proc / "net/ipv6_route").write_text(f"{'0' * 32} 00 {'0' * 32} 00 {'0' * 32} 00000400 1 0 00000003 eth1\n")
    assert network_facts(*machine, says(), unsynchronised=True)["uplink"] == "eth1"


@pytest.mark.parametrize(
    ("answers", "server"),
    [
        ({"chronyc": "^,-,192.0.2.4,2,6\n^,*,192.0.2.5,2,6,377,31,-0.00001\n"}, "192.0.2.5"),
        ({"timedatectl": "ServerName=ntp.example\nServerAddress=192.0.2.6\n"}, "ntp.example"),
        ({"timedatectl": "ServerAddress=192.0.2.6\n"}, "192.0.2.6"),
        ({"ntpq": "     remote\n====\n+192.0.2.8 .GPS.\n*192.0.2.7 .GPS. 1 u\n"}, "192.0.2.7"),
        ({"chronyc": "^,?,192.0.2.4,0\n"}, None),
    ],
)
def test_the_time_server_is_not_told(answers: dict[str, str], server: str | None) -> None:
    assert time_facts(says(**answers), unsynchronised=False).get("server") == server
    assert time_facts(says(**answers), unsynchronised=False)["state"] == "CONNECTED"


def test_a_network_that_cannot_be_seen_ends_the_monitor() -> None:
    answers: list[Any] = [{"uplink": "eth0"}, OSError("no netlink")]

    def look() -> dict[str, Any]:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        found: dict[str, Any] = answer
        return found

    watch = NetworkWatch(look)
    assert watch.facts == {}
    watch.run_once()
    watch.run_once()
    assert watch.facts == {"uplink": "eth0"}, "what was seen stays"
    stop = threading.Event()
    stop.set()
    answers.append({"uplink": "eth1"})
    watch.run(stop)
    assert watch.facts == {"uplink": "eth1"}


def test_the_network_is_not_in_the_health_document() -> None:
    document = HealthBook(lambda: 100.0, lambda: 1_000.0).document()
    assert condensed(document, {"thing": "a"}, {"uplink": "eth0"})["network"] == {"uplink": "eth0"}
    assert "network" not in condensed(document, {"thing": "a"})
