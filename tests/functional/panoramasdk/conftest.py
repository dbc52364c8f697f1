"""panoramasdk in this process, with a host of the test's at the other end of its socket, and real rings."""

import array
import contextlib
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from vedette_app_runtime import protocol
from vedette_app_runtime.sdk_folder import SOURCE

from vedette.rings import I420, FrameHeader, RingReader, RingWriter, connect, frame_bytes, listen
from vedette.rings.calls import CallHandler, CallServer, Description, FrameView, TensorBuffer, TensorSpec, TensorView

sys.path.insert(0, str(SOURCE))

import panoramasdk
from panoramasdk._connection import Connection
from panoramasdk._runtime import Runtime, _Process

WIDTH, HEIGHT = 64, 48


class Camera:
    """A camera's ring; frame n has luma 16 + n."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.writer = RingWriter(listen(path))

    def show(self, number: int, width: int = WIDTH, height: int = HEIGHT) -> None:
        """Publish frame ``number``, captured ``number`` seconds and 7 microseconds after the epoch."""
        slot = self.writer.reserve(frame_bytes(I420, width, height))
        assert slot is not None, "every slot is leased"
        pixels = np.frombuffer(slot.buffer, np.uint8)
        pixels[: width * height] = 16 + number
        pixels[width * height :] = 128
        del pixels
        wall_ns = number * 1_000_000_000 + 7_000
        self.writer.publish(slot, FrameHeader(0, wall_ns, time.monotonic_ns(), width, height, I420))


def writer_of(node: Any, stream: str) -> Any:
    """Return the ring of an output once it is there."""
    sink = node.outputs.video_out._sink("video_out", stream)
    deadline = time.monotonic() + 20
    while sink._writer is None:
        assert time.monotonic() < deadline
    return sink._writer


def grey(number: int) -> int:
    """Return the value that every pixel of frame ``number`` has in BGR."""
    return round(1.164383 * number)


class Host:
    """The host's end: what the application is told, and what it says."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.inputs: list[str] = ["video_in"]
        self.cameras: list[list[str]] = []
        self.parameters: dict[str, Any] = {}
        self.outputs: dict[str, bool] = {"video_out": True}
        self.models: list[str] = []
        self.heard: list[protocol.Packet] = []
        self._closing: list[Callable[[], None]] = []
        self._changed = threading.Condition()
        self._rings: dict[tuple[str, str], str] = {}
        self.give_outputs = True

    def attach(self) -> Runtime:
        """Make the process's runtime, attached to this host."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.sock = ours
        hello = protocol.Hello(
            protocol.VERSION, "test", self.inputs, self.cameras, self.parameters, self.outputs, self.models, False
        )
        self.send(hello)
        runtime = Runtime(lambda: Connection(theirs))
        _Process.runtime = runtime
        thread = threading.Thread(target=self._listen, name="host")
        thread.start()
        # Joined before its socket is closed: a closed number that is polled waits out its time.
        self._closing += [lambda: ours.shutdown(socket.SHUT_RDWR), thread.join, ours.close, runtime.close]
        return runtime

    def send(self, packet: protocol.Packet, sock: socket.socket | None = None) -> None:
        """Send a packet; the socket that goes with it is ours no longer."""
        rights = [] if sock is None else [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [sock.fileno()]))]
        self.sock.sendmsg([protocol.encode(packet)], rights)
        if sock is not None:
            sock.close()

    def add_cameras(self, *names: str) -> None:
        """Lead cameras to video_in; before attach()."""
        self.cameras += [["video_in", name, f"rtsp://{name}/"] for name in names]

    def connect_camera(self, index: int, *, ahead: bool = False) -> Camera:
        """Start a camera and connect the application to it."""
        camera = Camera(str(self.folder / f"camera{index}.sock"))
        self._closing.append(camera.writer.close)
        self.send(protocol.CameraSocket(index, ahead), connect(camera.path))
        return camera

    def started(self, *names: str) -> tuple[Any, list[Camera]]:
        """Attach with cameras of these names on video_in, all connected; return (a node, the cameras)."""
        self.add_cameras(*names)
        self.attach()
        return panoramasdk.node(), [self.connect_camera(index) for index in range(len(names))]

    def settled(self, *names: str) -> tuple[Any, list[Camera]]:
        """Attach as :meth:`started`, and get frame 1 of every camera."""
        node, cameras = self.started(*names)
        for index, camera in enumerate(cameras):
            camera.show(1)
            while len(node.inputs.video_in.get(timeout=20)) <= index:
                pass
        return node, cameras

    def said(self, wanted: Callable[[Any], Any], timeout_s: float = 20) -> Any:
        """Wait for a packet from the application."""
        with self._changed:
            found = self._changed.wait_for(lambda: [p for p in self.heard if wanted(p)], timeout_s)
        assert found, f"it only said {self.heard[-5:]}"
        return found[-1]

    def look(self, port: str, stream: str) -> Any:
        """Read what the application puts; it has to have put once."""
        with self._changed:
            assert self._changed.wait_for(lambda: (port, stream) in self._rings, 20)
        reader = RingReader(connect(self._rings[port, stream]), credit=4)
        self._closing.insert(0, reader.close)
        return reader

    def serve_model(
        self,
        name: str,
        specs: Sequence[TensorSpec],
        answer: Callable[[dict[str, Any]], list[Any]],
        look: Callable[[FrameView], list[Any]] | None = None,
    ) -> Any:
        """Start a server for a model and connect the application; return a function that ends it.

        ``look`` answers calls with a frame.
        """
        path = str(self.folder / f"{name}.{len(self._closing)}.sock")
        server = CallServer(listen(path), ModelHandler(specs, answer, look))

        def serve() -> None:
            with contextlib.suppress(SystemExit):
                server.serve()

        thread = threading.Thread(target=serve, name="model")
        thread.start()

        def end() -> None:
            server.close()
            thread.join(5)

        self._closing.append(end)
        self.send(protocol.ModelSocket(name), connect(path))
        return end

    def close(self) -> None:
        for each in self._closing:
            each()

    def _listen(self) -> None:
        while True:
            try:
                data = self.sock.recv(protocol.MAX_PACKET_BYTES)
            except OSError:
                return
            if not data:
                return
            packet = protocol.decode(data)
            if isinstance(packet, protocol.OutputWanted) and self.give_outputs:
                path = str(self.folder / f"{packet.port}.{packet.stream}.sock")
                self.send(protocol.OutputSocket(packet.port, packet.stream), listen(path))
                with self._changed:
                    self._rings[packet.port, packet.stream] = path
            with self._changed:
                self.heard.append(packet)
                self._changed.notify_all()


class ModelHandler(CallHandler):
    """Answers by a function: arrays by input name -> list of arrays."""

    def __init__(
        self,
        specs: Sequence[TensorSpec],
        answer: Callable[[dict[str, Any]], list[Any]],
        look: Callable[[FrameView], list[Any]] | None,
    ) -> None:
        self._specs = tuple(specs)
        self._answer = answer
        self._look = look

    @property
    def description(self) -> Description:
        return Description(self._specs, (TensorSpec("out", "float32", (-1,)),), self._look is not None)

    @property
    def output_bytes(self) -> int:
        return 4096

    def run(self, inputs: Sequence[TensorView]) -> Sequence[TensorBuffer]:
        arrays = {view.name: np.frombuffer(view.buffer, view.dtype).reshape(view.shape).copy() for view in inputs}
        return self._tensors(self._answer(arrays))

    def run_frame(self, frame: FrameView) -> Sequence[TensorBuffer]:
        return super().run_frame(frame) if self._look is None else self._tensors(self._look(frame))

    @staticmethod
    def _tensors(given: Sequence[Any]) -> list[TensorBuffer]:
        outputs = [np.ascontiguousarray(each) for each in given]
        return [TensorBuffer(f"out{i}", str(each.dtype), each.shape, each) for i, each in enumerate(outputs)]


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    monkeypatch.setattr("panoramasdk._runtime._REPORT_S", 0.05)
    made = Host(tmp_path)
    try:
        yield made
    finally:
        made.close()
        _Process.runtime = None
