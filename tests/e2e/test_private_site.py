"""A site without internet: device, operator and cameras, each in a network of its own, and VPC endpoints alone.

Everything reaches AWS by its real names, over TLS, through endpoints that answer exactly the names of
docs/guide/deploy.md; the device's firewall lets nothing else out. Then each endpoint is taken away in turn, the device
starts anew, and what does not work is what the page says. Needs root, iproute2, nftables, dnsmasq, chrony, and
ministack (an environment of its own: its botocore is another). Takes a quarter of an hour::

    VEDETTE_PRIVATE_SITE=/path/to/ministack pytest -s tests/e2e/test_private_site.py
"""

import contextlib
import json
import os
import secrets
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import pytest

from vedette.cloud.endpoints import DEVICE
from vedette.cloud.operations import OPTIONAL

from .site.layout import (
    ACCOUNT,
    ADDRESSES,
    AWS_ADDRESS,
    CAMERA_ADDRESS,
    DEVICE_ADDRESS,
    DEVICE_ON_CAMERAS,
    GROUP,
    OPERATOR_ADDRESS,
    REGION,
    THING,
    address,
    hosts,
    ports,
)
from .suite import EXAMPLES, STREET, VEDETTE

MINISTACK: Final = os.environ.get("VEDETTE_PRIVATE_SITE", "")
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not MINISTACK, reason="takes a quarter of an hour and root: VEDETTE_PRIVATE_SITE=.../ministack"),
    pytest.mark.timeout(1800),
]
ROOT: Final = Path(__file__).parents[2]
SPACES: Final = ("vdt-aws", "vdt-dev", "vdt-cam", "vdt-op")
ROLE: Final = f"arn:aws:iam::{ACCOUNT}:role/SiteApplication"
_MINUTE_S: Final = 75.0
"""Metrics go out once a minute."""
ASKING = """
import json as _json, os as _os, threading as _threading, urllib.request as _request
def _ask():
    while not _threading.Event().wait(10):
        asked = _request.Request(_os.environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"],
                                 headers={"Authorization": _os.environ["AWS_CONTAINER_AUTHORIZATION_TOKEN"]})
        try:
            _request.urlopen(asked, timeout=20).read()
        except OSError:
            pass
_threading.Thread(target=_ask, daemon=True).start()
"""


def run(*command: str | Path, space: str = "", **options: Any) -> "subprocess.CompletedProcess[str]":
    inside = ("ip", "netns", "exec", space) if space else ()
    words = [*inside, *map(str, command)]
    options.setdefault("check", True)
    return subprocess.run(words, capture_output=True, text=True, timeout=300, **options)  # noqa: PLW1510 - it is set


def spawn(*command: str | Path, space: str, log: Path, **options: Any) -> "subprocess.Popen[str]":
    with log.open("a") as output:
        return subprocess.Popen(
            ["ip", "netns", "exec", space, *map(str, command)], stdout=output, stderr=output, text=True, **options
        )


def within(seconds: float, what: str, look: Callable[[], Any]) -> Any:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        found = look()
        if found:
            return found
        time.sleep(1.0)
    raise AssertionError(f"not within {seconds:.0f} s: {what}")


def firewall(own: Mapping[str, tuple[int, ...]], extra: str = "") -> str:
    """Return rules that let out what is named and nothing else; of what comes in, answers alone."""
    lines = [f"ip daddr {where} tcp dport {{ {', '.join(map(str, open_))} }} accept" for where, open_ in own.items()]
    allowed = "\n".join(lines)
    return f"""flush ruleset
table inet site {{
  chain out {{ type filter hook output priority 0; policy drop;
    oif lo accept
    ct state established,related accept
    meta l4proto ipv6-icmp accept
    ip daddr {AWS_ADDRESS} udp dport {{ 53, 123 }} accept
    {allowed}
    {extra}
    counter log prefix "site-denied " drop
  }}
  chain in {{ type filter hook input priority 0; policy drop;
    iif lo accept
    ct state established,related accept
    meta l4proto {{ icmp, ipv6-icmp }} accept
  }}
}}
"""


class PrivateSite:
    """The networks and the processes in them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.password = "planted" + secrets.token_hex(8)
        self.processes: list[subprocess.Popen[str]] = []
        self.device: subprocess.Popen[str] | None = None
        self.environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder / "home"),
            "XDG_RUNTIME_DIR": str(folder),
            "PYTHONPATH": str(ROOT),
            "NO_COLOR": "1",
        }
        (folder / "home").mkdir()

    # -- networks --------------------------------------------------------------------------------------------------

    def build(self) -> None:
        for space in SPACES:
            run("ip", "netns", "add", space)
            run("ip", "link", "set", "lo", "up", space=space)
            run("sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1", space=space)
        run("ip", "link", "add", "br0", "type", "bridge", space="vdt-aws")
        run("ip", "link", "set", "br0", "up", space="vdt-aws")
        for mine in (AWS_ADDRESS, *(item for found in ADDRESSES.values() for item, _ in found)):
            run("ip", "addr", "add", f"{mine}/24", "dev", "br0", space="vdt-aws")
        # eth0 cameras, eth1 the way to AWS: Panorama's two networks.
        self.cable("vdt-dev", "eth0", DEVICE_ON_CAMERAS, "vdt-cam", "eth0", CAMERA_ADDRESS)
        self.cable("vdt-dev", "eth1", DEVICE_ADDRESS, "vdt-aws", "p1", None)
        self.cable("vdt-op", "eth0", OPERATOR_ADDRESS, "vdt-aws", "p2", None)
        for space in ("vdt-dev", "vdt-op", "vdt-cam"):
            where = Path("/etc/netns") / space
            where.mkdir(parents=True, exist_ok=True)
            (where / "resolv.conf").write_text(f"nameserver {AWS_ADDRESS}\noptions timeout:2 attempts:1\n")

    @staticmethod
    def cable(one: str, end: str, own: str, other: str, its_end: str, its: str | None) -> None:
        run("ip", "link", "add", end, "netns", one, "type", "veth", "peer", "name", its_end, "netns", other)
        run("ip", "addr", "add", f"{own}/24", "dev", end, space=one)
        run("ip", "link", "set", end, "up", space=one)
        if its is None:
            run("ip", "link", "set", its_end, "master", "br0", space=other)
        else:
            run("ip", "addr", "add", f"{its}/24", "dev", its_end, space=other)
        run("ip", "link", "set", its_end, "up", space=other)

    def let_out(self, without: str = "") -> None:
        """Load the device's firewall: the page's endpoints, but for one; cameras by RTSP."""
        own = {address(item.service): item.ports for item in DEVICE.values() if item.service != without}
        run("nft", "-f", "-", space="vdt-dev", input=firewall(own, f"ip daddr {CAMERA_ADDRESS} tcp dport 554 accept"))

    # -- processes -------------------------------------------------------------------------------------------------

    def start_aws(self) -> None:
        aws = spawn(
            sys.executable, "-m", "tests.e2e.site.aws_side", self.folder, "--ministack", MINISTACK,
            space="vdt-aws", log=self.folder / "aws.log", stdin=subprocess.PIPE, env=self.environ,
        )  # fmt: skip
        self.processes.append(aws)
        within(90, "AWS answers", lambda: (self.folder / "bundle.pem").exists() or aws.poll() is not None)
        assert aws.poll() is None, (self.folder / "aws.log").read_text()
        named = [f"--host-record={host},{address(service)}" for service in ADDRESSES for host in hosts(service)]
        nothing = self.folder / "no-settings"
        nothing.touch()
        names = spawn(
            "dnsmasq", "--keep-in-foreground", "--no-resolv", "--no-hosts", f"--conf-file={nothing}", "--user=root",
            f"--listen-address={AWS_ADDRESS}", "--bind-interfaces", "--log-queries", "--log-facility=-", "--pid-file=",
            *named, space="vdt-aws", log=self.folder / "names.log",
        )  # fmt: skip
        clock = spawn(
            "chronyd", "-x", "-d", "-U", f"bindaddress {AWS_ADDRESS}", "local stratum 8", "allow", "cmdport 0",
            f"pidfile {self.folder}/chronyd.pid", "bindcmdaddress /", space="vdt-aws", log=self.folder / "clock.log",
        )  # fmt: skip
        self.processes += [names, clock]

    def start_camera(self) -> None:
        camera = spawn(
            sys.executable, "-m", "vedette.rtsp_server", STREET, "--path", "street", "--host", CAMERA_ADDRESS,
            "--port", "554", "--user", "viewer", space="vdt-cam", log=self.folder / "camera.log",
            stdin=subprocess.PIPE, env=self.environ,
        )  # fmt: skip
        assert camera.stdin is not None
        camera.stdin.write(self.password + "\n")
        camera.stdin.flush()
        self.processes.append(camera)

    def vedette(self, *arguments: str | Path, code: int = 0, **options: Any) -> str:
        """Run an operator's command in the operator's network; nothing tells it where AWS is but its names."""
        own = {
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_CA_BUNDLE": str(self.folder / "bundle.pem"),
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        done = run(
            VEDETTE, *arguments, space="vdt-op", env={**self.environ, **own}, cwd=self.folder, check=False, **options
        )
        assert done.returncode == code, f"{arguments}: {done.stdout}\n{done.stderr}"
        return done.stdout

    def start_device(self, *, install: bool = False) -> float:
        """Start the device; return when."""
        (self.folder / "state.json").unlink(missing_ok=True)
        began = time.time()
        environ = {**self.environ, "SSL_CERT_FILE": str(self.folder / "bundle.pem")}
        self.device = spawn(
            sys.executable, "-m", "tests.e2e.site.device_side", self.folder / "image", self.folder,
            *(["--install"] if install else []), space="vdt-dev", log=self.folder / "device.out", env=environ,
        )  # fmt: skip
        return began

    def stop_device(self) -> None:
        if self.device is not None:
            self.device.terminate()
            self.device.wait(40)
            self.device = None

    def state(self) -> Mapping[str, Any]:
        assert self.device is not None
        assert self.device.poll() is None, (self.folder / "device.out").read_text()
        try:
            found: Mapping[str, Any] = json.loads((self.folder / "state.json").read_text())
        except OSError:
            return {"works": {}, "frames": 0}
        return found

    def requests(self, since: float, client: str = DEVICE_ADDRESS) -> list[Mapping[str, Any]]:
        found = [json.loads(line) for line in (self.folder / "requests.jsonl").read_text().splitlines()]
        return [item for item in found if item["at"] >= since and item["client"] == client]

    def done(self, since: float) -> set[str]:
        """Return the functions of the device that worked since then."""
        works = {name for name, word in self.state()["works"].items() if word == "yes"}
        took = {item["action"] for item in self.requests(since) if item["status"] < 300}
        seen = {"metrics": "PutMetricData", "roles": "AssumeRole"}
        works |= {name for name, action in seen.items() if action in took}
        described = json.loads(self.vedette("device", "describe", THING, "--json"))
        told = described.get("health_at")
        if told and datetime.fromisoformat(told).timestamp() >= since:
            works.add("health")
        return works

    def end(self) -> None:
        self.stop_device()
        for process in reversed(self.processes):
            if process.stdin is not None:
                # AWS's side ends its own processes when this closes; a signal would leave them behind.
                process.stdin.close()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(20)
            process.terminate()
            process.wait(30)
        for space in SPACES:
            run("ip", "netns", "del", space, check=False)
            shutil.rmtree(Path("/etc/netns") / space, ignore_errors=True)


@pytest.fixture(scope="module")
def site(machine_runs_suites: None) -> Iterator[PrivateSite]:
    if os.geteuid() != 0:
        pytest.skip("making network namespaces takes root")
    missing = [word for word in ("ip", "nft", "dnsmasq", "chronyd") if shutil.which(word) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    folder = Path(tempfile.mkdtemp(prefix="vedette-site-", dir="/tmp"))
    made = PrivateSite(folder)
    try:
        made.build()
        made.let_out()
        operator = {address(item): ports(item) for item in ADDRESSES}
        run("nft", "-f", "-", space="vdt-op", input=firewall(operator))
        made.start_aws()
        made.start_camera()
        yield made
    finally:
        made.end()
        if not os.environ.get("VEDETTE_KEEP_SITE"):
            shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def deployed(site: PrivateSite) -> tuple[PrivateSite, float]:
    """An operator without internet provisions, registers a camera, publishes and deploys; the device installs it."""
    folder, vedette = site.folder, site.vedette
    vedette("device", "provision", THING, "--group", GROUP, "--nucleus", "lite", "--private")
    with tarfile.open(folder / f"vedette-{THING}.tar.gz") as archive:
        archive.extractall(folder, filter="tar")
    unpacked = folder / f"vedette-{THING}"
    with (unpacked / "rootCA.pem").open("ab") as authorities:  # what plays Amazon's authority here
        authorities.write((folder / "bundle.pem").read_bytes())
    installer = {**site.environ, "ROOT_PREFIX": str(folder / "image")}
    run(unpacked / "install.sh", space="vdt-dev", env=installer)
    url = f"rtsp://{CAMERA_ADDRESS}/street"
    login = f"{site.password}\n"
    vedette("camera", "add", "lobby", "--url", url, "--user", "viewer", "--password-stdin", input=login)
    project = folder / "people-counter"
    shutil.copytree(EXAMPLES / "people-counter", project, ignore=shutil.ignore_patterns(".vedette"))
    (application,) = project.glob("packages/*/src/application.py")
    application.write_text(ASKING + application.read_text())
    # As docs/guide/environments.md has it for devices without internet; the one step that is taken where there is some.
    package = application.parents[1]
    wheels = ("-r", package / "requirements.txt", "-d", application.with_name("wheels"))
    run(sys.executable, "-m", "pip", "download", "-q", *wheels)
    vedette("publish", "--wheels", "none")
    vedette(
        "deploy", project, "--to", f"thing-group/{GROUP}", "--nucleus", "lite", "--camera", "camera_node=lobby",
        "--role", ROLE, "--yes", "--no-wait",
    )  # fmt: skip
    began = site.start_device(install=True)
    within(180, "video on the device", lambda: site.state()["works"].get("video") == "yes")
    return site, began


EVERYTHING: Final = {
    "document",
    "artifacts",
    "credentials",
    "secret",
    "logs",
    "metrics",
    "roles",
    "health",
    "online",
    "video",
}


def test_a_site_without_internet_lacks_something(deployed: tuple[PrivateSite, float]) -> None:
    site, began = deployed
    within(_MINUTE_S + 30, "everything works", lambda: site.done(began) >= EVERYTHING)
    listed = json.loads(site.vedette("device", "list", "--json"))["devices"]
    assert [(item["name"], item["status"]) for item in listed] == [(THING, "ONLINE")]
    told = json.loads(site.vedette("device", "describe", THING, "--json"))
    found = {item["name"]: item["addresses"] for item in told["network"]["interfaces"]}
    assert found == {"eth0": [f"{DEVICE_ON_CAMERAS}/24"], "eth1": [f"{DEVICE_ADDRESS}/24"]}
    # Of what was asked for by name, all is on the page, and TLS is not older than 1.2.
    spoken = site.requests(0.0) + site.requests(0.0, OPERATOR_ADDRESS)
    known = {host for service in ADDRESSES for host in hosts(service)}
    assert {item["host"].partition(":")[0] for item in spoken} <= known
    assert {item["tls"] for item in spoken} <= {"TLSv1.2", "TLSv1.3"}
    assert {item["service"] for item in site.requests(0.0)} == {item.service for item in DEVICE.values()}
    asked = [line.split() for line in (site.folder / "names.log").read_text().splitlines() if " query[A] " in line]
    assert {words[-3] for words in asked if words[-1] == DEVICE_ADDRESS} <= known
    # IAM has no endpoint in most regions: looking an application's role up there is done where it can be.
    optional = {f"{service}.amazonaws.com" for service in OPTIONAL}
    assert {words[-3] for words in asked if words[-1] == OPERATOR_ADDRESS} <= known | optional


def test_cameras_are_reached_through_the_device(deployed: tuple[PrivateSite, float]) -> None:
    """Also that local traffic is RTSP and NTP alone, and that the device forwards nothing between its networks."""
    site, _ = deployed
    assert run("sysctl", "-n", "net.ipv4.ip_forward", space="vdt-dev").stdout.strip() == "0"
    run("ip", "route", "add", f"{CAMERA_ADDRESS}/32", "via", DEVICE_ADDRESS, space="vdt-aws")
    probe = f"import socket; socket.create_connection(({CAMERA_ADDRESS!r}, 554), 4)"
    assert run(sys.executable, "-c", probe, space="vdt-aws", check=False).returncode != 0
    assert run(sys.executable, "-c", probe, space="vdt-dev", check=False).returncode == 0
    pid_file = f"pidfile {site.folder}/chronyd-client.pid"
    clock = run("chronyd", "-Q", "-t", "8", f"server {AWS_ADDRESS} iburst", pid_file, space="vdt-dev")
    assert "System clock wrong by" in clock.stdout + clock.stderr
    denied = run("nft", "list", "chain", "inet", "site", "out", space="vdt-dev").stdout
    assert "counter packets 0" in denied, f"the device tried something that the page does not name: {denied}"


def test_an_unplugged_device_stays_online(deployed: tuple[PrivateSite, float]) -> None:
    """And comes back by itself."""
    site, _ = deployed

    def status() -> str:
        (found,) = json.loads(site.vedette("device", "list", "--json"))["devices"]
        return str(found["status"])

    within(30, "online", lambda: status() == "ONLINE")
    run("ip", "link", "set", "p1", "down", space="vdt-aws")
    try:
        # AWS IoT drops a connection that was silent for one and a half of its keep-alives, 90 s; ministack does not.
        time.sleep(5)
        run("ss", "-K", "dst", DEVICE_ADDRESS, "sport", "=", ":8883", space="vdt-aws")
        within(30, "offline", lambda: status() == "OFFLINE")
    finally:
        run("ip", "link", "set", "p1", "up", space="vdt-aws")
    within(120, "online again", lambda: status() == "ONLINE")


@pytest.mark.parametrize("service", sorted({item.service for item in DEVICE.values()}))
def test_an_endpoint_that_is_missing_breaks_something_else(deployed: tuple[PrivateSite, float], service: str) -> None:
    site, _ = deployed
    (endpoint,) = (item for item in DEVICE.values() if item.service == service)
    site.stop_device()
    site.let_out(without=service)
    try:
        began = site.start_device()
        # Video needs no endpoint: what was installed runs, with the login that was kept.
        within(120, "video", lambda: site.state()["works"].get("video") == "yes")
        left = EVERYTHING - set(endpoint.breaks)
        within(_MINUTE_S + 60, f"all but {service}", lambda: site.done(began) >= left)
        assert not site.done(began) & set(endpoint.breaks)
    finally:
        site.stop_device()
        site.let_out()


def test_an_operators_endpoint_that_is_missing_is_not_named(deployed: tuple[PrivateSite, float]) -> None:
    site, _ = deployed
    left = {address(item): ports(item) for item in ADDRESSES if item != "greengrass"}
    run("nft", "-f", "-", space="vdt-op", input=firewall(left))
    said = site.vedette("device", "list", "--json", code=1)
    assert "greengrass" in said
