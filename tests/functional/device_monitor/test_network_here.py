"""The network facts of a real kernel, in a network namespace of their own, against what iproute2 says."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SCRIPT = """
set -e
mount -t sysfs sysfs /sys
ip link set lo up
for n in 0 1; do
  ip link add port$n type veth peer name far$n
  ip link set port$n up; ip link set far$n up
  ip addr add 192.0.2.$((n * 64 + 7))/26 dev port$n
  ip route add default via 192.0.2.$((n * 64 + 1)) metric $((100 + n * 100))
done
ip -6 addr add 2001:db8::7/64 dev port0 nodad
look() { ip -j addr; "$PYTHON" -c 'import json
from vedette_device_monitor.network import network_facts
print(json.dumps(network_facts()))'; }
look
ip link set far0 down; ip route del default dev port0
look
"""


def test_the_facts_differ_from_those_of_iproute2() -> None:
    """Also NET-01: when the first cable is pulled, the second port is the way out."""
    environ = {**os.environ, "PYTHON": sys.executable, "PYTHONPATH": str(ROOT / "components/device_monitor")}
    try:
        done = subprocess.run(
            ["unshare", "--map-root-user", "--net", "--mount", "sh", "-c", SCRIPT],
            env=environ,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    except FileNotFoundError as error:
        pytest.skip(f"{error.filename} is not installed")
    if done.returncode and any(words in done.stderr for words in ("unshare", "mount:", "ip: not found")):
        pytest.skip(f"no network namespace can be made here: {done.stderr.strip()[:100]}")
    assert done.returncode == 0, done.stderr
    before_ip, before, after_ip, after = [json.loads(line) for line in done.stdout.splitlines() if line.strip()]
    for said, facts, states in (
        (before_ip, before, ["CONNECTED", "CONNECTED"]),
        (after_ip, after, ["NOT_CONNECTED", "CONNECTED"]),
    ):
        ports = {item["name"]: item for item in facts["interfaces"]}
        assert [ports[name]["state"] for name in ("port0", "port1")] == states
        for item in said:
            if item["ifname"].startswith("port"):
                own = [f"{a['local']}/{a['prefixlen']}" for a in item["addr_info"] if a["scope"] == "global"]
                assert ports[item["ifname"]]["mac"] == item["address"]
                assert ports[item["ifname"]]["addresses"] == own
        assert "lo" not in ports
    assert [facts["uplink"] for facts in (before, after)] == ["port0", "port1"]
    assert before["time"]["state"] in {"CONNECTED", "NOT_CONNECTED"}
