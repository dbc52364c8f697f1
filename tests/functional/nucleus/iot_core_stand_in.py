"""A stand-in for AWS IoT Core: an MQTT 5 broker with mutual TLS, and device shadows on its topics.

No more of MQTT than the SDK's client needs: QoS 0 and 1, properties handed on as they came, retained messages. Shadows
are kept by the nucleus's own ``ShadowService``, which is tested elsewhere; what it adds is the client's token.
"""

import asyncio
import datetime as dt
import json
import re
import ssl
import threading
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from vedette.nucleus.ipc.broker import Broker
from vedette.nucleus.ipc.errors import ConflictError, IpcRefusal, ResourceNotFoundError
from vedette.nucleus.ipc.shadow_service import ShadowService
from vedette.nucleus.ipc.topics import filter_pattern
from vedette.nucleus.shadows import ShadowStore

REQUEST = re.compile(r"\$aws/things/(?P<thing>[^/]*)/shadow(/name/(?P<name>[^/]*))?/(?P<what>update|delete|get)")
CONNECT, PUBLISH, PUBACK, SUBSCRIBE, UNSUBSCRIBE, PINGREQ, DISCONNECT = 1, 3, 4, 8, 10, 12, 14


class Certificates:
    """An authority, a server's and a thing's certificate, as files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "stand-in authority")])
        self.ca = self._write("ca", self._name, self._key, authority=True)
        self.server, self.server_key = self.issue("localhost")
        self.thing, self.thing_key = self.issue("thing")

    def issue(self, name: str) -> tuple[Path, Path]:
        """Return files of a new certificate and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        path = self._write(name, subject, key, authority=False)
        key_path = self.folder / f"{name}.key"
        key_path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return path, key_path

    def _write(self, name: str, subject: x509.Name, key: ec.EllipticCurvePrivateKey, *, authority: bool) -> Path:
        now = dt.datetime.now(dt.timezone.utc)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        path = self.folder / f"{name}.pem"
        path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        return path


class IotCoreStandIn:
    """The broker, on a thread of its own; ``start`` and ``stop`` may follow one another on one port."""

    def __init__(self, certificates: Certificates) -> None:
        self.port = 0
        self.clients: list[str] = []
        """Client ids that are connected."""
        self.store = ShadowStore()
        self._broker = Broker()
        self.shadows = ShadowService(self.store, self._broker, lambda *_request: None)
        self._broker.subscribe("#", lambda topic, payload, _source: self._spread(topic, payload, b"\x00", 0))
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificates.server, certificates.server_key)
        self._context.load_verify_locations(certificates.ca)
        self._context.verify_mode = ssl.CERT_REQUIRED
        self._sessions: dict[asyncio.StreamWriter, dict[str, re.Pattern[str]]] = {}
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()
        self._server: asyncio.Server | None = None

    def start(self) -> None:
        """Listen."""

        async def listen() -> None:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=self._context)
            self.port = self._server.sockets[0].getsockname()[1]

        asyncio.run_coroutine_threadsafe(listen(), self.loop).result(20)

    def stop(self) -> None:
        """Drop everybody and listen no more."""

        async def end() -> None:
            if self._server is not None:
                self._server.close()
            for writer in list(self._sessions):
                writer.transport.abort()
            while self._sessions:  # noqa: ASYNC110 -- what ends them is the other coroutines
                await asyncio.sleep(0.01)

        asyncio.run_coroutine_threadsafe(end(), self.loop).result(20)

    def close(self) -> None:
        """End the thread."""
        self.stop()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(20)
        self.loop.close()

    def update(self, thing: str, name: str, **state: Any) -> None:
        """Change a shadow as the console does."""
        self._on_loop(lambda: self.shadows.update(thing, name, json.dumps({"state": state}).encode()))

    def delete(self, thing: str, name: str) -> None:
        """Delete a shadow as the console does."""
        self._on_loop(lambda: self.shadows.delete(thing, name))

    def state(self, thing: str, name: str) -> dict[str, Any] | None:
        """Return the state of a shadow, None when there is none."""
        document = self._on_loop(lambda: self.store.get(thing, name))
        return None if document is None else dict(document.state)

    def publish(self, topic: str, payload: bytes) -> None:
        """Publish as somebody else."""
        self._on_loop(lambda: self._spread(topic, payload, b"\x00", 0))

    def _on_loop(self, work: Any) -> Any:
        async def call() -> Any:
            return work()

        return asyncio.run_coroutine_threadsafe(call(), self.loop).result(20)

    # -- MQTT

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = ""
        try:
            while True:
                head = (await reader.readexactly(1))[0]
                body = await reader.readexactly(await _length(reader))
                kind = head >> 4
                if kind == CONNECT:
                    at = 10 + 1 + body[10]  # name, version, flags, keep alive, properties
                    client = body[at + 2 : at + 2 + int.from_bytes(body[at : at + 2], "big")].decode()
                    self.clients.append(client)
                    self._sessions[writer] = {}
                    writer.write(b"\x20\x03\x00\x00\x00")
                elif kind == PUBLISH:
                    self._published(writer, head, body)
                elif kind == SUBSCRIBE:
                    topic_filter = _text(body, 3 + body[2])
                    refused = topic_filter.startswith("forbidden/")
                    if not refused:
                        self._sessions[writer][topic_filter] = filter_pattern(topic_filter)
                    writer.write(b"\x90\x04" + body[:2] + b"\x00" + (b"\x87" if refused else b"\x01"))
                elif kind == UNSUBSCRIBE:
                    self._sessions[writer].pop(_text(body, 3 + body[2]), None)
                    writer.write(b"\xb0\x04" + body[:2] + b"\x00\x00")
                elif kind == PINGREQ:
                    writer.write(b"\xd0\x00")
                elif kind == DISCONNECT:
                    return
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            return
        finally:
            self._sessions.pop(writer, None)
            if client:
                self.clients.remove(client)
            writer.close()

    def _published(self, writer: asyncio.StreamWriter, head: int, body: bytes) -> None:
        qos = head >> 1 & 3
        topic = _text(body, 0)
        at = 2 + len(topic.encode())
        if qos:
            writer.write(b"\x40\x02" + body[at : at + 2])
            at += 2
        properties = body[at : at + 1 + body[at]]
        payload = body[at + len(properties) :]
        found = REQUEST.fullmatch(topic)
        if found is None:
            self._spread(topic, payload, properties, qos)
        else:
            self._shadow(found, json.loads(payload or b"{}"))

    def _shadow(self, found: "re.Match[str]", body: dict[str, Any]) -> None:
        thing, name, what = found["thing"], found["name"] or "", found["what"]
        token = {"clientToken": body["clientToken"]} if "clientToken" in body else {}
        try:
            if what == "update":
                self.shadows.update(thing, name, json.dumps(body).encode())  # answers with the token itself
            elif what == "delete":
                self.shadows.delete(thing, name)
                self._spread(f"{found.string}/accepted", json.dumps(token).encode(), b"\x00", 0)
            else:
                document = {**self.shadows.get(thing, name), **token}
                self._spread(f"{found.string}/accepted", json.dumps(document).encode(), b"\x00", 0)
        except IpcRefusal as refusal:
            code = 404 if isinstance(refusal, ResourceNotFoundError) else 400
            code = 409 if isinstance(refusal, ConflictError) else code
            rejected = json.dumps({"code": code, "message": str(refusal), **token}).encode()
            self._spread(f"{found.string}/rejected", rejected, b"\x00", 0)

    def _spread(self, topic: str, payload: bytes, properties: bytes, qos: int) -> None:
        del qos
        name = topic.encode()
        body = len(name).to_bytes(2, "big") + name + properties + payload
        packet = b"\x30" + _encoded(len(body)) + body
        for writer, filters in list(self._sessions.items()):
            if any(pattern.fullmatch(topic) for pattern in filters.values()):
                writer.write(packet)


async def _length(reader: asyncio.StreamReader) -> int:
    value = shift = 0
    while True:
        byte = (await reader.readexactly(1))[0]
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value


def _encoded(value: int) -> bytes:
    found = bytearray()
    while True:
        value, byte = divmod(value, 128)
        found.append(byte | (128 if value else 0))
        if not value:
            return bytes(found)


def _text(body: bytes, at: int) -> str:
    size = int.from_bytes(body[at : at + 2], "big")
    return body[at + 2 : at + 2 + size].decode()
