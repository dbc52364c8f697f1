"""A server that speaks nothing newer than TLS 1.1 gets no request, whoever calls: devices, and commands by boto3."""

import os
import re
import socket
import ssl
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

CALL = """
import sys
url = sys.argv[1]
if sys.argv[2] == "device":
    from vedette.aws_calls.transport import send
    print(send("GET", url, {}, b"").status)
else:
    import boto3
    from botocore.config import Config
    quick = Config(retries={"total_max_attempts": 1}, connect_timeout=20, read_timeout=20)
    keys = {"aws_access_key_id": "x", "aws_secret_access_key": "y", "region_name": "eu-west-1"}
    found = boto3.client("sts", endpoint_url=url, config=quick, **keys).get_caller_identity()
    print(found["ResponseMetadata"]["HTTPStatusCode"])
"""
BODY = b"<R><GetCallerIdentityResult><Account>1</Account></GetCallerIdentityResult></R>"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(BODY), BODY)


def certificate(folder: Path) -> Path:
    path = folder / "both.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(folder / "key.pem"), "-out", str(path)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    path.write_bytes(path.read_bytes() + (folder / "key.pem").read_bytes())
    return path


def complete(request: bytes) -> bool:
    """Tell whether a request is there with its body, which comes in a record of its own."""
    head, end, body = request.partition(b"\r\n\r\n")
    length = re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)
    return bool(end) and len(body) >= (int(length[1]) if length else 0)


def served(context: ssl.SSLContext, listener: socket.socket, versions: list[str]) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        try:
            with context.wrap_socket(connection, server_side=True) as speaking:
                speaking.settimeout(20)
                got = b""
                # To the end: closing before would break the answer off.
                while not complete(got) and (more := speaking.recv(65536)):
                    got += more
                versions.append(str(speaking.version()))
                speaking.sendall(ANSWER)
        except OSError as error:
            versions.append(f"refused: {type(error).__name__}")


@pytest.fixture(params=["old", "new"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, str, list[str]]]:
    """Serve with a certificate that is trusted, so that only the version can be refused."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate(tmp_path))
    if request.param == "old":
        context.set_ciphers("DEFAULT@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = ssl.TLSVersion.TLSv1_1
    versions: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=served, args=(context, listener, versions), daemon=True)
        thread.start()
        yield str(request.param), f"https://localhost:{listener.getsockname()[1]}/", versions
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(20)


@pytest.mark.parametrize("caller", ["device", "command"])
def test_a_server_of_old_tls_is_spoken_to(server: tuple[str, str, list[str]], tmp_path: Path, caller: str) -> None:
    kind, url, versions = server
    trusted = str(tmp_path / "both.pem")
    environ = {**os.environ, "SSL_CERT_FILE": trusted, "AWS_CA_BUNDLE": trusted}
    done = subprocess.run(
        [sys.executable, "-c", CALL, url, caller], env=environ, capture_output=True, text=True, timeout=50, check=False
    )
    if kind == "new":
        assert done.stdout.strip() == "200", done.stderr
        assert set(versions) == {"TLSv1.3"}, "the same call is answered where the version is not old"
    else:
        assert done.returncode != 0
        assert versions
        assert all(version.startswith("refused") for version in versions)
