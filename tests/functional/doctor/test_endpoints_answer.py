"""Hosts that answer, and those that do not, each in its own way: real sockets and certificates on the loop-back."""

import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.ports import closed_port
from vedette.doctor import Check, State
from vedette.doctor.endpoints import reach


class Host:
    """Listens at a port and speaks TLS, or is silent."""

    def __init__(self, certificate: Path, *, asks: bool = False, silent: bool = False) -> None:
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate)
        if asks:
            # TLS 1.2 refuses within the handshake, as AWS IoT's ports do.
            self.context.maximum_version = ssl.TLSVersion.TLSv1_2
            self.context.verify_mode = ssl.CERT_REQUIRED
            self.context.load_verify_locations(certificate)
        self.silent = silent
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self.listener.getsockname()[1])
        self._held: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            if self.silent:
                self._held.append(connection)
                continue
            try:
                self.context.wrap_socket(connection, server_side=True).close()
            except OSError:
                connection.close()

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self._thread.join(20)
        for connection in self._held:
            connection.close()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    made = {}
    for name in ("localhost", "elsewhere.example"):
        folder = tmp_path_factory.mktemp(name)
        path = folder / "both.pem"
        command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}"]
        command += ["-addext", f"subjectAltName=DNS:{name}", "-keyout", str(folder / "key.pem"), "-out", str(path)]
        subprocess.run(command, check=True, capture_output=True, timeout=60)
        path.write_bytes(path.read_bytes() + (folder / "key.pem").read_bytes())
        made[name] = path
    return made


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def tried(host: str, port: int, trusted: Path, limit_s: float = 20.0) -> Check:
    (check,) = reach([(host, port)], environ={"AWS_CA_BUNDLE": str(trusted)}, limit_s=limit_s)
    assert check.name == f"{host}:{port}"
    return check


def start(stack: ExitStack, certificate: Path, **options: bool) -> int:
    host = Host(certificate, **options)
    stack.callback(host.close)
    return host.port


def test_a_host_that_answers_is_called_away(certificates: dict[str, Path], opened: ExitStack) -> None:
    port = start(opened, certificates["localhost"])
    assert tried("localhost", port, certificates["localhost"]).state is State.OK


def test_a_port_that_asks_for_the_devices_certificate_is_called_away(
    certificates: dict[str, Path], opened: ExitStack
) -> None:
    port = start(opened, certificates["localhost"], asks=True)
    check = tried("localhost", port, certificates["localhost"])
    assert (check.state, "asks for a device's certificate" in check.finding) == (State.OK, True)


def test_who_reads_along_is_taken_for_aws(certificates: dict[str, Path], opened: ExitStack) -> None:
    port = start(opened, certificates["elsewhere.example"])
    for trusted in certificates.values():  # neither its name nor who signed it will do
        check = tried("localhost", port, trusted)
        assert check.state is State.FAILED
        assert check.finding.startswith("its certificate is not trusted")


def test_what_is_missing_is_told_alike(certificates: dict[str, Path], opened: ExitStack) -> None:
    trusted = certificates["localhost"]
    silent = start(opened, trusted, silent=True)
    closed = opened.enter_context(closed_port())
    found = [
        tried("nobody.invalid", 443, trusted),
        tried("localhost", closed, trusted),
        tried("localhost", silent, trusted, limit_s=0.3),
    ]
    assert [check.finding for check in found] == [
        "its name is not resolved",
        "no connection: Connection refused",
        "no answer within 0.3 s",
    ]
    assert {check.state for check in found} == {State.FAILED}
    assert all(check.fix for check in found)


def test_a_bundle_that_is_not_there_ends_in_a_traceback(tmp_path: Path) -> None:
    (check,) = reach([("localhost", 1)], environ={"AWS_CA_BUNDLE": str(tmp_path / "none.pem")})
    assert (check.state, "AWS_CA_BUNDLE" in check.finding) == (State.FAILED, True)
