"""AWS as a private site sees it: one address for each VPC endpoint, TLS, the real names, and nothing else.

Runs in a network namespace of its own. Behind the endpoints are ministack (IoT with MQTT, S3, Secrets Manager, logs,
metrics, STS), the Greengrass stand-in, and here the two that neither has: IoT's credentials provider, and the data
plane by which a core device learns what it is to install. Every request is written down, one JSON line each.
"""

import argparse
import hashlib
import http.client
import json
import os
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs

import boto3
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from vedette.cloud_stand_in import StandIn
from vedette.cloud_stand_in.artifacts import read_from_s3

from .layout import ACCOUNT, ADDRESSES, GATEWAY_PORT, GROUP_ARN, REGION, hosts

_GATEWAY: Final = f"http://127.0.0.1:{GATEWAY_PORT}"
_START_S: Final = 60.0


def _authority(folder: Path) -> None:
    """Write the stand-in's authority and one certificate for all endpoints: ca.pem, server.pem."""
    key, ca_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Private site's AWS")])
    now = datetime.now(timezone.utc)

    def builder(name: x509.Name, public: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        made = x509.CertificateBuilder().subject_name(name).issuer_name(ca_name).public_key(public)
        made = made.serial_number(x509.random_serial_number())
        return made.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=2))

    ca = (
        builder(ca_name, ca_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    names = [x509.DNSName(name) for service in ADDRESSES for host in hosts(service) for name in (host, f"*.{host}")]
    leaf = (
        builder(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "endpoints")]), key.public_key())
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "ca.pem").write_bytes(ca.public_bytes(pem))
    (folder / "server.pem").write_bytes(leaf.public_bytes(pem) + private)


class Site:
    """What the endpoints answer from."""

    def __init__(self, folder: Path, stand_in: StandIn) -> None:
        self.folder, self.stand_in = folder, stand_in
        self._log = (folder / "requests.jsonl").open("a", buffering=1)
        self._lock = threading.Lock()
        own: dict[str, Any] = {"endpoint_url": _GATEWAY, "region_name": REGION}
        keys = {"aws_access_key_id": ACCOUNT, "aws_secret_access_key": "testing"}
        self.iot, self.sts = (boto3.client(name, **own, **keys) for name in ("iot", "sts"))

    def note(self, **facts: Any) -> None:
        with self._lock:
            self._log.write(json.dumps({"at": time.time(), **facts}) + "\n")

    def credentials(self, alias: str, certificate: bytes | None) -> tuple[int, bytes]:
        """IoT's credentials provider: for whoever shows an active certificate."""
        if certificate is None:
            return 403, b'{"message": "no client certificate"}'
        found = self.iot.describe_certificate(certificateId=hashlib.sha256(certificate).hexdigest())
        if found["certificateDescription"]["status"] != "ACTIVE":
            return 403, b'{"message": "the certificate is not active"}'
        role = self.stand_in.role_aliases[alias]["roleArn"]
        made = self.sts.assume_role(RoleArn=role, RoleSessionName="site")["Credentials"]
        document = {
            "accessKeyId": made["AccessKeyId"],
            "secretAccessKey": made["SecretAccessKey"],
            "sessionToken": made["SessionToken"],
            "expiration": made["Expiration"].astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        return 200, json.dumps({"credentials": document}).encode()

    def document(self, thing: str) -> tuple[int, bytes]:
        """The data plane: what a core device is to install, with the recipes."""
        self.stand_in.fleet.add_devices([thing], [GROUP_ARN])
        found = self.stand_in.fleet.device_document(GROUP_ARN)
        store = self.stand_in.components
        recipes = {
            name["componentName"]: dict(made.text)
            for name in store.list_components("PRIVATE")
            for made in store.versions(name["componentName"])
        }
        return 200, json.dumps({"document": found, "recipes": recipes}).encode()


def _upstream(service: str, stand_in: StandIn) -> tuple[str, int]:
    if service in {"greengrass", "iot.api"}:
        return "127.0.0.1", int(stand_in.url.rpartition(":")[2])
    return "127.0.0.1", GATEWAY_PORT


def _action(path: str, headers: Message, body: bytes) -> str:
    target = headers.get("X-Amz-Target", "")
    if target:
        return target.rpartition(".")[2]
    if "x-www-form-urlencoded" in headers.get("Content-Type", ""):
        return parse_qs(body.decode(errors="replace")).get("Action", [""])[0]
    return path.partition("?")[0][:80]


def _handler(service: str, site: Site) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _any(self) -> None:
            body = self._body()
            try:
                status, headers, data = self._answer(body)
            except (OSError, http.client.HTTPException, KeyError, IndexError) as error:
                status, headers, data = 503, {}, f"{type(error).__name__}: {error}".encode()
            site.note(
                client=self.client_address[0],
                service=service,
                host=self.headers.get("Host", ""),
                tls=self.connection.version() if isinstance(self.connection, ssl.SSLSocket) else "",
                action=_action(self.path, self.headers, body),
                method=self.command,
                status=status,
            )
            self.send_response_only(status)
            for name, value in headers.items():
                if name.lower() not in {"content-length", "transfer-encoding", "connection"}:
                    self.send_header(name, value)
            length = headers.get("content-length") if self.command == "HEAD" else None
            self.send_header("Content-Length", length or str(len(data)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

        def _body(self) -> bytes:
            if self.headers.get("Expect", "").lower() == "100-continue":
                self.send_response_only(100)
                self.end_headers()
            if "chunked" in self.headers.get("Transfer-Encoding", ""):
                parts = []
                while size := int(self.rfile.readline().split(b";")[0], 16):
                    parts.append(self.rfile.read(size))
                    self.rfile.readline()
                while self.rfile.readline().strip():
                    pass
                return b"".join(parts)
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))

        def _answer(self, body: bytes) -> tuple[int, Mapping[str, str], bytes]:
            if service == "iot.credentials":
                certificate = self.connection.getpeercert(binary_form=True)
                return (*_with_no_headers(site.credentials(self.path.split("/")[2], certificate)),)
            if service == "iot.data" and self.path.startswith("/greengrass/"):
                return (*_with_no_headers(site.document(self.path.rpartition("/")[2])),)
            host, port = _upstream(service, site.stand_in)
            connection = http.client.HTTPConnection(host, port, timeout=30)
            try:
                # A message of chunks was put together; its signature is of the chunks, which no stand-in checks.
                kept = {k: v for k, v in self.headers.items() if k.lower() not in {"transfer-encoding", "expect"}}
                kept["Content-Length"] = str(len(body))
                connection.request(self.command, self.path, body, kept)
                answer = connection.getresponse()
                data = answer.read()
            finally:
                connection.close()
            if service == "iot.api" and self.path.startswith("/endpoint"):
                data = data.replace(f":{GATEWAY_PORT}".encode(), b"")  # AWS's endpoints name no port
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, data

        do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = _any  # noqa: N815 - the base class's names

        def log_message(self, *_: object) -> None:
            """``note`` does it."""

    return Handler


def _with_no_headers(answer: tuple[int, bytes]) -> tuple[int, Mapping[str, str], bytes]:
    return answer[0], {}, answer[1]


class _Server(ThreadingHTTPServer):
    """TLS is spoken on the thread of the connection: a client that is slow to begin holds up nobody."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler], context: ssl.SSLContext):
        self._context = context
        super().__init__(address, handler)

    def finish_request(self, request: Any, client_address: Any) -> None:
        request.settimeout(40)
        with self._context.wrap_socket(request, server_side=True) as speaking:
            super().finish_request(speaking, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients that break off are what the test is about."""


def _serve(service: str, site: Site, folder: Path) -> None:
    for address, ports in ADDRESSES[service]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(folder / "server.pem")
        if service == "iot.credentials":
            context.verify_mode = ssl.CERT_OPTIONAL
            context.load_verify_locations(folder / "iot-ca.pem")
        for port in ports:
            if port != 8883:  # MQTT is ministack's own listener
                server = _Server((address, port), _handler(service, site), context)
                threading.Thread(target=server.serve_forever, daemon=True).start()


def _ministack(command: str, folder: Path) -> "subprocess.Popen[bytes]":
    environ = {
        **os.environ,
        "MINISTACK_HOST": "amazonaws.com",
        "MINISTACK_REGION": REGION,
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "GATEWAY_PORT": str(GATEWAY_PORT),
        "BIND_HOST": "127.0.0.1",
        "SFTP_ENABLED": "0",
        "LOG_LEVEL": "WARNING",
    }
    with (folder / "ministack.log").open("wb") as log:
        process = subprocess.Popen([command], env=environ, stdout=log, stderr=log, cwd=folder)
    until = time.monotonic() + _START_S
    while time.monotonic() < until and process.poll() is None:
        connection = http.client.HTTPConnection("127.0.0.1", GATEWAY_PORT, timeout=5)
        try:
            connection.request("GET", "/_ministack/iot/ca.pem")
            answer = connection.getresponse()
            text = answer.read()
            if answer.status == 200:
                (folder / "iot-ca.pem").write_bytes(text)
                return process
        except OSError:
            threading.Event().wait(0.2)
        finally:
            connection.close()
    process.kill()
    raise SystemExit(f"ministack does not answer, see {folder / 'ministack.log'}")


def _prepare(site: Site) -> None:
    """Make what the stacks of infra/ make."""
    document = json.dumps({"Version": "2012-10-17", "Statement": []})
    site.iot.create_policy(policyName="VedetteDevicePolicy", policyDocument=document)
    site.iot.update_indexing_configuration(
        thingIndexingConfiguration={"thingIndexingMode": "REGISTRY", "thingConnectivityIndexingMode": "STATUS"}
    )
    iam = boto3.client(
        "iam", endpoint_url=_GATEWAY, region_name=REGION, aws_access_key_id=ACCOUNT, aws_secret_access_key="testing"
    )
    trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    for name in ("VedetteTokenExchangeRole", "SiteApplication"):
        policy = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy)
    site.stand_in.role_aliases["VedetteTokenExchangeRoleAlias"] = {
        "roleAlias": "VedetteTokenExchangeRoleAlias",
        "roleArn": f"arn:aws:iam::{ACCOUNT}:role/VedetteTokenExchangeRole",
    }


def main() -> int:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--ministack", required=True)
    given = parser.parse_args()
    folder: Path = given.folder
    _authority(folder)
    process = _ministack(given.ministack, folder)
    try:
        fetch = read_from_s3(_GATEWAY, REGION)
        with StandIn(fetch, upstream=_GATEWAY, region=REGION, pace=50) as stand_in:
            site = Site(folder, stand_in)
            _prepare(site)
            for service in ADDRESSES:
                _serve(service, site, folder)
            (folder / "bundle.pem").write_bytes((folder / "ca.pem").read_bytes() + (folder / "iot-ca.pem").read_bytes())
            sys.stdout.write("ready\n")
            sys.stdout.flush()
            sys.stdin.read()  # until whoever started this ends, or closes it
    finally:
        process.terminate()
        process.wait(20)
    return 0


if __name__ == "__main__":
    sys.exit(main())
