"""The ports of applications: what a routing rule opens, what stays closed, and two applications at one port."""

import errno
import json
import os
import platform
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from vedette_app_runtime.network.guard import PortGuard
from vedette_app_runtime.network.rules import PortRules
from vedette_app_runtime.sandbox.launch import launcher_command

from tests.ports import free_port

from .conftest import Rig

SERVER = """
import json, http.server, socket, threading, urllib.request
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = ("NAME at " + self.path).encode()
        self.send_response(200); self.send_header("Content-Length", str(len(body))); self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass
server = http.server.ThreadingHTTPServer(("0.0.0.0", 80), Answer)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(json.dumps({"itself": urllib.request.urlopen("http://localhost:80/itself").read().decode()}), flush=True)
if HOST_PORT:
    print(json.dumps({"device": urllib.request.urlopen("http://127.0.0.2:HOST_PORT/d").read().decode()}), flush=True)
threading.Event().wait()
"""


def server(name: str, host_port: int = 0) -> str:
    """Return an application that listens on port 80, and asks itself; with ``host_port``, also from outside."""
    return SERVER.replace("NAME", name).replace("HOST_PORT", str(host_port))


def guarded(guard: PortGuard, command: list[str]) -> list[str]:
    return launcher_command([*guard.arguments(), "-", "-", "-", "-"], command)


def _guard_trouble() -> str | None:
    guard = PortGuard(PortRules([], "127.64.0.1"))
    try:
        with subprocess.Popen(guarded(guard, ["/bin/true"]), pass_fds=guard.fds):
            guard.begin()
        return guard.trouble
    finally:
        guard.close()


TROUBLE = _guard_trouble() if platform.machine() in ("x86_64", "aarch64") else "this processor is not supported"
pytestmark = pytest.mark.skipif(
    TROUBLE is not None, reason=f"this kernel does not tell of an application's calls: {TROUBLE}"
)


def answer(port: int, host: str = "127.0.0.1") -> str:
    with urllib.request.urlopen(f"http://{host}:{port}/x", timeout=20) as answered:
        return str(answered.read().decode())


def rule(host_port: int, container_port: int = 80, **more: str) -> list[dict[str, int | str]]:
    return [{"containerPort": container_port, "hostPort": host_port, **more}]


def test_two_applications_cannot_both_listen_on_port_80(rig: Rig, tmp_path: Path) -> None:
    # GIVEN two instances whose code listens on port 80, without root's rights, and a rule for each
    other = Rig(tmp_path / "other")
    try:
        for each, name in ((rig, "first"), (other, "second")):
            each.configuration["instance"] = name
            each.configuration["ports"] = rule(free_port())
            each.source(server(name, each.configuration["ports"][0]["hostPort"]))
            each.start()
        for each, name in ((rig, "first"), (other, "second")):
            # THEN each finds its own server at port 80, and the outside finds both, each at its own port
            assert each.said("itself", 30) == [f"{name} at /itself"]
            host_port = each.configuration["ports"][0]["hostPort"]
            # THEN it reaches the device's port by an address of the device as well, as a debug client does
            assert each.said("device", 30) == [f"{name} at /d"]
            assert answer(host_port) == f"{name} at /x"
            opened = each.status(lambda s: bool(s.ports), 30).ports
            assert [(port.container_port, port.host_port, port.detail) for port in opened] == [(80, host_port, "")]
        # WHEN the first is given another port
        moved = free_port()
        was = rig.configuration["ports"][0]["hostPort"]
        rig.source(server("first"))
        rig.configure(ports=rule(moved))
        rig.said("itself", 30, count=2)
        # THEN it is there, and no longer where it was
        assert answer(moved) == "first at /x"
        with pytest.raises(urllib.error.URLError):
            answer(was)
    finally:
        other.close()


def test_a_port_without_a_confirmed_rule_can_be_reached(rig: Rig) -> None:
    rig.source(
        "import json, socket\n"
        "server = socket.create_server(('', 0))\n"
        "print(json.dumps({'refused': False}), flush=True)\n"
        "server.accept()\n".replace("('', 0)", f"('', {(port := free_port())})")
    )
    rig.start()
    rig.said("refused", 30)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=20)
    listening = subprocess.run(["cat", "/proc/net/tcp", "/proc/net/tcp6"], capture_output=True, text=True, check=True)
    everywhere = [line for line in listening.stdout.splitlines() if f"{'0' * 8}:{port:04X} " in line]
    assert everywhere == []


def test_a_listener_on_any_port_evades_the_rules(rig: Rig) -> None:
    rig.source(
        "import json, socket\n"
        "bound = socket.socket(); bound.bind(('', 0))\n"
        "try:\n    bound.listen(); error = None\nexcept PermissionError as refused:\n    error = refused.errno\n"
        "unbound = socket.socket(); unbound.listen()\n"
        "print(json.dumps({'seen': [error, unbound.getsockname()[0]]}), flush=True)\n"
        "import time; time.sleep(100)\n"
    )
    rig.start()
    (error, host), *_ = rig.said("seen", 30)
    assert error == 13
    assert host.startswith("127.")
    assert host != "127.0.0.1"


def test_the_device_port_is_taken_and_nobody_says_by_whom(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("", 0)) as taken:
        rig.configuration["ports"] = rule(taken.getsockname()[1])
        rig.source(server("one"))
        rig.start()
        status = rig.status(lambda s: "Address already in use" in s.detail, 30)
    assert status.errors >= 1
    name = Path("/proc/self/comm").read_text().strip()
    assert f"Address already in use, by {name}; choose another one in the override" in caplog.text


def test_loopback_services_of_the_machine_are_the_applications(rig: Rig) -> None:
    # GIVEN something that listens on the machine's loopback, as a nucleus's credential server does
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        rig.source(
            "import json, socket\n"
            "def ask(*at):\n"
            "    family = socket.AF_INET6 if ':' in at[0] else socket.AF_INET\n"
            "    with socket.socket(family) as sock:\n        sock.settimeout(20)\n        return sock.connect_ex(at)\n"
            f"seen = [ask('127.0.0.1', {port}), ask('::1', {port}), ask('::ffff:127.0.0.1', {port})]\n"
            "print(json.dumps({'seen': seen}), flush=True)\nimport time; time.sleep(100)\n"
        )
        rig.start()
        assert rig.said("seen", 30) == [[111, 111, 111]]
        # WHEN the machine's own network is configured
        rig.configure(network="machine")
        (first, *_), *_ = [rig.said("seen", 30, count=2)[1]]
    assert first == 0


def test_asynchronous_and_child_processes_lose_their_own_servers(rig: Rig) -> None:
    rig.source(
        "import asyncio, json, subprocess, sys\n"
        "async def main():\n"
        "    async def serve(reader, writer):\n"
        "        writer.write(await reader.readline()); await writer.drain(); writer.close()\n"
        "    await asyncio.start_server(serve, None, 443)\n"
        "    reader, writer = await asyncio.open_connection('localhost', 443)\n"
        "    writer.write(b'hello\\n')\n"
        "    print(json.dumps({'echo': (await reader.readline()).decode()}), flush=True)\n"
        '    code = \'import socket; s = socket.create_connection(("localhost", 443)); s.send(b"child\\\\n");'
        " print(s.recv(9).decode().strip())'\n"
        "    child = await asyncio.create_subprocess_exec(sys.executable, '-c', code, stdout=subprocess.PIPE)\n"
        "    out, _ = await child.communicate()\n"
        "    print(json.dumps({'child': out.decode().strip()}), flush=True)\n"
        "    await asyncio.sleep(100)\n"
        "asyncio.run(main())\n"
    )
    rig.start()
    assert rig.said("echo", 30) == ["hello\n"]
    assert rig.said("child", 30) == ["child"]


def test_a_kernel_that_refuses_stops_the_application(tmp_path: Path) -> None:
    # GIVEN a program that is under such a filter already: the kernel gives one listener only
    outer, inner = (PortGuard(PortRules([], "127.64.0.1")) for _ in range(2))
    try:
        script = "import subprocess, sys; sys.exit(subprocess.run(sys.argv[1:], close_fds=False).returncode)"
        marker = tmp_path / "it ran"
        line = [sys.executable, "-c", script, *guarded(inner, ["/usr/bin/touch", str(marker)])]
        with subprocess.Popen(guarded(outer, line), pass_fds=(*outer.fds, *inner.fds)) as process:
            outer.begin()
            inner.begin()
            assert process.wait(30) == 0
        assert outer.trouble is None
        assert inner.trouble is not None
        assert os.strerror(16) in inner.trouble or "16" in inner.trouble
        assert marker.exists()
    finally:
        outer.close()
        inner.close()


def test_a_connection_within_the_application_costs_a_client(rig: Rig) -> None:
    # GIVEN a rule for one address of the device only
    rig.configuration["ports"] = rule(port := free_port(), address="127.0.0.1")
    rig.source(server("one"))
    rig.start()
    rig.said("itself", 30)
    assert answer(port) == "one at /x"
    with pytest.raises(urllib.error.URLError):
        answer(port, "127.0.0.2")
    assert json.dumps(rig.said("itself")) == '["one at /itself"]'


def test_what_goes_round_the_guard_reaches_the_machine(tmp_path: Path) -> None:
    # GIVEN services of the machine: on its loopback, and under an abstract name
    name = b"\0vedette-" + os.fsencode(tmp_path.name) + b"-%d" % os.getpid()
    program = """
import json, socket, sys
def error(deed, *arguments):
    try:
        deed(*arguments)
    except OSError as failed:
        return failed.errno
    return 0
tcp, unix = lambda: socket.socket(), lambda: socket.socket(socket.AF_UNIX)
port, name = int(sys.argv[1]), bytes.fromhex(sys.argv[2])
own, unnamed = unix(), unix()
own.bind(b"\\0vedette-own"); own.listen(1)
unnamed.bind(b""); unnamed.listen(1)
print(json.dumps({
    "fast open": error(tcp().sendto, b"GET / HTTP/1.0", 0x20000000, ("127.0.0.1", port)),
    "credentials of the device": error(tcp().connect, ("169.254.169.254", 80)),
    "another application": error(tcp().connect, ("127.80.1.1", port)),
    "abstract": error(unix().connect, name),
    "own abstract": error(unix().connect, b"\\0vedette-own"),
    "own abstract without a name": error(unix().connect, unnamed.getsockname()),
}))
"""
    guard = PortGuard(PortRules([], "127.64.0.1"))
    try:
        with (
            socket.create_server(("127.0.0.1", 0)) as server_socket,
            socket.create_server(("127.80.1.1", server_socket.getsockname()[1])),
            socket.socket(socket.AF_UNIX) as abstract,
        ):
            abstract.bind(name)
            abstract.listen(1)
            line = [sys.executable, "-c", program, str(server_socket.getsockname()[1]), name.hex()]
            with subprocess.Popen(guarded(guard, line), pass_fds=guard.fds, stdout=subprocess.PIPE) as process:
                guard.begin()
                output, _ = process.communicate(timeout=30)
    finally:
        guard.close()
    assert json.loads(output) == {
        "fast open": errno.EOPNOTSUPP,
        "credentials of the device": errno.ENETUNREACH,
        "another application": errno.ECONNREFUSED,
        "abstract": errno.EPERM,
        "own abstract": 0,
        "own abstract without a name": 0,
    }


def test_addresses_that_cannot_be_end_the_guard(rig: Rig) -> None:
    # GIVEN an application that binds with pointers to nowhere, and with an address of IPv6 that Python does not take
    rig.source(
        "import ctypes, json, socket, struct\n"
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        "def bind(sock, place, length):\n"
        "    done = libc.bind(sock.fileno(), place, ctypes.c_uint(length))\n"
        "    return ctypes.get_errno() if done else 0\n"
        "sock = socket.socket()\n"
        "found = [bind(sock, ctypes.c_void_p(p), n) for p in (0, 1 << 63, (1 << 64) - 1) for n in (16, 2**32 - 1)]\n"
        "odd = struct.pack('=HHI16sI', socket.AF_INET6, 0, 0xFFFFFFFF, bytes(15) + b'\\1', 0xFFFFFFFF)\n"
        "found.append(bind(socket.socket(socket.AF_INET6), odd, len(odd)))\n"
        "odd = struct.pack('=HHI16sI', socket.AF_INET6, 0, 0xFFFFFFFF, bytes(16), 0xFFFFFFFF)\n"
        "found.append(bind(socket.socket(socket.AF_INET6), odd, len(odd)))\n"
        "print(json.dumps({'odd': found}), flush=True)\n"
        f"port = {free_port()}\n"
        "server = socket.create_server(('0.0.0.0', port))\n"
        "client = socket.create_connection(('127.0.0.1', port), 20)\n"
        "print(json.dumps({'served': server.getsockname()[0]}), flush=True)\n"
        "import time; time.sleep(100)\n"
    )
    rig.start()
    assert all(each in (0, errno.EFAULT, errno.EINVAL, errno.EADDRNOTAVAIL) for each in rig.said("odd", 40)[0])
    # THEN the calls after them are still looked at
    assert rig.said("served", 20)[0].startswith("127.")
