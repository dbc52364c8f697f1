"""Publish/subscribe through the local nucleus, a bare asyncio server and, where one runs, AWS's nucleus lite.

usage: bus.py [--rounds N] [--messages N] [--also NAME=SOCKET] [--json]
       bus.py --soak N       so many messages; prints the memory of the server every tenth of them

``--also`` takes its token from the environment: ``LITE_TOKEN`` for ``lite=SOCKET``.

The same client measures all of them in turn, in every round: one connection that publishes, one that is subscribed.

* messages/s: 16 publishes under way at a time; until the last message is delivered
* one-way: from the first byte of a publish to the whole message at the subscriber, one at a time, median
* CPU: what the server's process used for a message

``asyncio``: 60 lines that do nothing but hand messages on: no authorisation, no filters, no bound on what waits.
"""

import argparse
import asyncio
import base64
import json
import os
import select
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

import figures
import processes

from vedette.nucleus.ipc.eventstream import Decoder, HeaderValue, Message, encode

SIZES: Final = (100, 7000)
WINDOW: Final = 16
TOPIC: Final = "bench/topic"
PREFIX: Final = "aws.greengrass#"
COMPONENT: Final = "vedette.Benchmark"
_LIMIT_S: Final = 60.0


def request(operation: str, stream: int, body: dict[str, Any]) -> bytes:
    """Return a request's frame, as the SDK client writes it."""
    headers: dict[str, HeaderValue] = {
        ":content-type": "application/json",
        "service-model-type": f"{PREFIX}{operation}Request",
        ":message-type": 0,
        ":message-flags": 0,
        ":stream-id": stream,
        "operation": PREFIX + operation,
    }
    return encode(Message(headers, json.dumps(body).encode()))


class Client:
    """A connection that counts frames by their length alone: the client must not be what is measured."""

    def __init__(self, path: str, token: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(_LIMIT_S)
        self.socket.connect(path)
        self._rest = b""
        connect: dict[str, HeaderValue] = {
            ":version": "0.1.0",
            ":message-type": 4,
            ":message-flags": 0,
            ":stream-id": 0,
        }
        self.socket.sendall(encode(Message(connect, json.dumps({"authToken": token}).encode())))
        self.wait(1)

    def wait(self, count: int) -> None:
        """Wait until so many frames have come."""
        while count > 0:
            count -= self.take()

    def take(self) -> int:
        """Read once; return how many frames have become whole."""
        data = self.socket.recv(1 << 18)
        if not data:
            raise SystemExit("the nucleus closed the connection")
        data = self._rest + data
        at = count = 0
        while len(data) - at >= 4 and len(data) - at >= (size := int.from_bytes(data[at : at + 4], "big")):
            at += size
            count += 1
        self._rest = data[at:]
        return count


@dataclass
class Server:
    """What is measured: a name, where it listens, a token, and its process where it is known."""

    name: str
    path: str
    token: str
    pid: int | None = None


@dataclass(frozen=True)
class Figures:
    """One round of one server at one size."""

    rate: float
    one_way_ms: float
    cpu_us: float | None


def measure(server: Server, size: int, messages: int) -> Figures:
    """Return what one server does with messages of so many bytes."""
    listener, publisher = Client(server.path, server.token), Client(server.path, server.token)
    listener.socket.sendall(request("SubscribeToTopic", 1, {"topic": TOPIC}))
    listener.wait(1)
    payload = base64.b64encode(bytes(size)).decode()
    body = {"topic": TOPIC, "publishMessage": {"binaryMessage": {"message": payload}}}
    frames = [request("PublishToTopic", stream, body) for stream in range(1, 2 * messages + 1)]
    pids = [] if server.pid is None else [server.pid]
    delays = []
    for frame in frames[:messages]:
        begun = time.perf_counter()
        publisher.socket.sendall(frame)
        listener.wait(1)
        delays.append(time.perf_counter() - begun)
        publisher.wait(1)
    cpu = processes.cpu_s(pids)
    begun = time.perf_counter()
    sent = acknowledged = delivered = 0
    while delivered < messages:
        while sent < messages and sent - acknowledged < WINDOW:
            publisher.socket.sendall(frames[messages + sent])
            sent += 1
        ready, _, _ = select.select([publisher.socket, listener.socket], [], [], _LIMIT_S)
        if not ready:
            raise SystemExit(f"{server.name}: {messages - delivered} messages were lost")
        acknowledged += publisher.take() if publisher.socket in ready else 0
        delivered += listener.take() if listener.socket in ready else 0
    took = time.perf_counter() - begun
    used = processes.cpu_s(pids) - cpu
    for client in (listener, publisher):
        client.socket.close()
    return Figures(messages / took, median(delays) * 1e3, used / messages * 1e6 if pids else None)


# -- the servers


class Bare(asyncio.Protocol):
    """Hands every message on to whoever is subscribed to anything."""

    subscribers: "list[tuple[asyncio.Transport, int]]" = []  # noqa: RUF012 -- one server a process

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        self.transport = transport
        self.decoder = Decoder()

    def data_received(self, data: bytes) -> None:
        """Answer every frame."""
        self.decoder.receive_data(data)
        while (message := self.decoder.next_event()) is not None:
            self.answer(message)

    def answer(self, message: Message) -> None:
        """Answer a frame."""
        write: Callable[[bytes], None] = self.transport.write  # type: ignore[attr-defined]
        stream = message.integer(":stream-id")
        operation = message.headers.get("operation")
        if operation is None:
            write(encode(Message({":message-type": 5, ":message-flags": 1, ":stream-id": 0})))
            return
        body = json.loads(message.payload)
        if operation == f"{PREFIX}SubscribeToTopic":
            self.subscribers[:] = [(self.transport, stream)]  # type: ignore[list-item]
        else:
            event = {"binaryMessage": {**body["publishMessage"]["binaryMessage"], "context": {"topic": body["topic"]}}}
            for transport, number in self.subscribers:
                transport.write(self.frame(number, 0, "SubscriptionResponseMessage", event))
        flags = 0 if operation == f"{PREFIX}SubscribeToTopic" else 2
        write(self.frame(stream, flags, f"{str(operation).removeprefix(PREFIX)}Response", {}))

    @staticmethod
    def frame(stream: int, flags: int, shape: str, body: dict[str, Any]) -> bytes:
        """Return an answer's or event's frame."""
        headers: dict[str, HeaderValue] = {
            ":message-type": 0,
            ":message-flags": flags,
            ":stream-id": stream,
            ":content-type": "application/json",
            "service-model-type": PREFIX + shape,
        }
        return encode(Message(headers, json.dumps(body).encode()))


async def serve_bare(path: str) -> None:
    """Serve until the process is ended."""
    server = await asyncio.get_running_loop().create_unix_server(Bare, path)
    sys.stdout.write("-\n")
    sys.stdout.flush()
    await server.serve_forever()


async def serve_vedette(path: str, personality: str) -> None:
    """Serve as the local nucleus does, with one component that may use every topic."""
    from vedette.nucleus.configuration import ConfigurationStore
    from vedette.nucleus.ipc import IpcServer, personality_named
    from vedette.nucleus.secrets import SecretStore
    from vedette.nucleus.shadows import ShadowStore

    configuration = ConfigurationStore()
    policy = {"bench:1": {"operations": ["*"], "resources": ["bench/*"]}}
    configuration.set_defaults(COMPONENT, {"accessControl": {"aws.greengrass.ipc.pubsub": policy}})
    server = IpcServer(
        Path(path),
        configuration=configuration,
        secrets=SecretStore(None),
        shadows=ShadowStore(None),
        thing_name="bench",
        on_state=lambda _component, _state: None,
        personality=personality_named(personality),
    )
    await server.start()
    sys.stdout.write(server.tokens.issue(COMPONENT) + "\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


def started(name: str, folder: Path) -> tuple[Server, "subprocess.Popen[str]"]:
    """Start a server as a process of its own; return it when it listens."""
    path = str(folder / f"{name}.sock")
    process = subprocess.Popen([sys.executable, __file__, "--serve", name, path], stdout=subprocess.PIPE, text=True)
    line = process.stdout.readline() if process.stdout is not None else ""
    if not line:
        raise SystemExit(f"server {name} did not start")
    return Server(name, path, line.strip(), process.pid), process


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--messages", type=int, default=2000)
    parser.add_argument("--also", action="append", default=[], metavar="NAME=SOCKET")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--soak", type=int, default=0, metavar="N")
    parser.add_argument("--serve", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.soak:
        return soak(options.soak)
    if options.serve:
        name, path = options.serve
        asyncio.run(serve_bare(path) if name == "asyncio" else serve_vedette(path, "java"))
        return 0
    with tempfile.TemporaryDirectory(prefix="bus-") as folder:
        servers, children = [], []
        for name in ("asyncio", "vedette"):
            server, process = started(name, Path(folder))
            servers.append(server)
            children.append(process)
        for text in options.also:
            name, _, path = text.partition("=")
            servers.append(Server(name, path, os.environ[f"{name.upper()}_TOKEN"]))
        try:
            found = rounds(servers, options.rounds, options.messages)
        finally:
            for process in children:
                process.kill()
                process.wait()
    report(found, [server.name for server in servers], as_json=options.json)
    return 0


def soak(messages: int) -> int:
    """Send many messages of 100 bytes and print the memory of the server as they go."""
    with tempfile.TemporaryDirectory(prefix="bus-") as folder:
        server, process = started("vedette", Path(folder))
        try:
            for tenth in range(11):
                if tenth:
                    for _ in range(10):
                        measure(server, 100, messages // 200)
                rss = processes.memory([process.pid]).rss_mb
                sys.stdout.write(f"{tenth * messages // 10:>9} messages  {rss:6.1f} MB\n")
                sys.stdout.flush()
        finally:
            process.kill()
            process.wait()
    return 0


def rounds(servers: list[Server], count: int, messages: int) -> dict[tuple[str, int], list[Figures]]:
    """Measure all servers in turn, ``count`` times; in every other round in the opposite order."""
    found: dict[tuple[str, int], list[Figures]] = {}
    for number in range(count):
        for size in SIZES:
            for server in servers if number % 2 == 0 else reversed(servers):
                found.setdefault((server.name, size), []).append(measure(server, size, messages))
    return found


def _ratio(ours: list[Figures], theirs: list[Figures], value: Callable[[Figures], float]) -> float:
    return round(figures.paired([value(item) for item in ours], [value(item) for item in theirs]), 2)


def report(found: dict[tuple[str, int], list[Figures]], names: list[str], *, as_json: bool) -> None:
    """Print medians, and the medians of the ratios of each round."""
    rows, document = [], []
    for size in SIZES:
        ours = found["vedette", size]
        for name in names:
            theirs = found[name, size]
            known = [item.cpu_us for item in theirs if item.cpu_us is not None]
            server_cpu = median(known) if known else None
            values = {
                "bytes": size,
                "server": name,
                "messages_s": round(median(item.rate for item in theirs)),
                "one_way_ms": round(median(item.one_way_ms for item in theirs), 3),
                "cpu_us": "-" if server_cpu is None else round(server_cpu, 1),
                "vedette_messages": round(figures.paired([i.rate for i in ours], [i.rate for i in theirs]), 2),
                "vedette_one_way": round(
                    figures.paired([i.one_way_ms for i in ours], [i.one_way_ms for i in theirs]), 2
                ),
            }
            document.append(values)
            rows.append([f"{name}, {size} B", *(str(value) for value in list(values.values())[2:])])
    head = ("", "messages/s", "one-way ms", "CPU us", "vedette: messages x", "one-way x")
    figures.tell({"bus": document}, figures.table(head, rows), as_json=as_json)


if __name__ == "__main__":
    sys.exit(main())
