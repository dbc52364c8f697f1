"""This process's side of the application: its ports and models, wired as the host says."""

import os
import socket
import threading
import time
from typing import Any, Callable, Dict, List, Optional, Tuple

from . import _protocol as protocol
from ._activity import Activity
from ._connection import Connection, attach
from ._errors import HostGone
from ._main_frames import MainFrames
from ._models import Model
from ._ports import OutputPort, ParameterPort, Ports, VideoPort, port
from ._sinks import Sink
from ._streams import Stream, detach_descriptor

_HELLO_TIMEOUT_S = 30.0
_REPORT_S = 1.0


class Runtime:
    """Ports, models and the connection to the host. There is one in a process (see :func:`current`).

    A process forked from it (multiprocessing) has the same ports, and attaches to the host by itself when it first
    uses one.
    """

    def __init__(self, connect: "Callable[[], Connection]" = attach) -> None:
        self._connect = connect
        self._attaching = threading.RLock()
        self._attached = False
        self.activity = Activity()
        self.models: Dict[str, Model] = {}
        self._inputs: Dict[str, port] = {}
        self._outputs: Dict[str, port] = {}
        self._streams: List[Tuple[str, Stream]] = []
        self._sinks: Dict[Tuple[str, str], Sink] = {}
        self._sinks_lock = threading.Lock()
        self._parents: List[object] = []
        self.ready()
        self.inputs = Ports("input", self._inputs)
        self.outputs = Ports("output", self._outputs)

    def ready(self) -> None:
        """Attach to the host unless that was done; every use of a port or model begins with this."""
        if self._attached:
            return
        with self._attaching:
            if not self._attached:
                connection = self._connect()
                self._wire(connection, self._hello(connection))
                self._attached = True
                self._thread = threading.Thread(target=self._serve, args=(connection,), name="panoramasdk", daemon=True)
                self._thread.start()

    def abandon(self) -> None:
        """After a fork, in the child: let go of the parent's connections and begin anew at the next use."""
        # What belongs to the parent is kept from being collected: closing it would say good-bye in the parent's name.
        self._parents += [self.models, self._sinks, self._streams, self._connection]
        detach_descriptor(self._connection.fileno())
        for each in self._inputs.values():
            if isinstance(each, VideoPort):
                each.abandon()
        self._sinks = {}
        self._sinks_lock = threading.Lock()
        self._attaching = threading.RLock()
        self.activity = Activity()
        self._attached = False

    def close(self) -> None:
        """End every connection; the ports stay, unusable."""
        self._connection.shut_down()
        self._thread.join(_REPORT_S)
        self._connection.close()
        for each in self._inputs.values():
            if isinstance(each, VideoPort):
                each.close()
        for model in self.models.values():
            model.close()
        for sink in list(self._sinks.values()):
            sink.close()

    def _hello(self, connection: Connection) -> protocol.Hello:
        received = connection.receive(_HELLO_TIMEOUT_S)
        if received is None:
            raise RuntimeError("the application's host did not answer within {:.0f} s".format(_HELLO_TIMEOUT_S))
        hello, _ = received
        if not isinstance(hello, protocol.Hello) or hello.version != protocol.VERSION:
            raise RuntimeError(
                "the application's host and panoramasdk are of different versions: install vedette.AppRuntime again"
            )
        return hello

    def _wire(self, connection: Connection, hello: protocol.Hello) -> None:
        self._connection = connection
        for name, value in hello.parameters.items():
            parameter = self._inputs.setdefault(name, ParameterPort(name, self.ready, self.activity))
            parameter.rebind(self.activity)
            if isinstance(parameter, ParameterPort):
                parameter.value = value
                parameter.record = self._record if hello.record else None
        streams = []
        count: Dict[str, int] = {}
        for port_name, _, _ in hello.cameras:
            count[port_name] = count.get(port_name, 0) + 1
        for index, (port_name, stream_id, stream_uri) in enumerate(hello.cameras):
            lost = self._tells(protocol.CameraLost(index))
            stream = Stream(stream_id, stream_uri, lost, keep_latest=count[port_name] > 1)
            apart = Stream(stream_id, stream_uri, self._tells(protocol.MainLost(index)))
            stream.main = MainFrames(apart, self._tells(protocol.MainWanted(index)))
            streams.append((port_name, stream))
        self._streams = streams
        for name in hello.media_inputs:
            video = self._inputs.setdefault(name, VideoPort(name, self.ready, self.activity))
            video.rebind(self.activity)
            if isinstance(video, VideoPort):
                video.rewire([stream for port_name, stream in streams if port_name == name])
        for name, connected in hello.outputs.items():
            output = self._outputs.setdefault(name, OutputPort(name, self.ready, self.activity, self._sink))
            output.rebind(self.activity)
            if isinstance(output, OutputPort):
                output.connected = connected
                output.record = self._record if hello.record else None
        self.models = {name: Model(name, self._tells(protocol.ModelLost(name))) for name in hello.models}

    def _record(self, fields: Dict[str, Any]) -> None:
        self._connection.send(protocol.Record(fields))

    def _tells(self, packet: protocol.Packet) -> "Callable[[], None]":
        return lambda: self._connection.send(packet)

    def _sink(self, port_name: str, stream: str) -> Sink:
        with self._sinks_lock:
            sink = self._sinks.get((port_name, stream))
            if sink is None:
                sink = self._sinks[(port_name, stream)] = Sink(port_name, stream, self._ask_for_socket)
            return sink

    def _ask_for_socket(self, port_name: str, stream: str) -> None:
        self._connection.send(protocol.OutputWanted(port_name, stream))

    def _serve(self, connection: Connection) -> None:
        """Hear the host, and report once a second, until it ends."""
        report_at = time.monotonic() + _REPORT_S
        while True:
            try:
                received = connection.receive(report_at - time.monotonic())
                if received is not None:
                    self._apply(*received)
            except (HostGone, protocol.ProtocolError, ValueError):
                # ValueError: the connection was closed here. Of an unreadable packet nothing good can follow either.
                self._end(connection)
                return
            if time.monotonic() >= report_at:
                report_at = time.monotonic() + _REPORT_S
                connection.send(self._report())

    def _end(self, connection: Connection) -> None:
        if connection is self._connection:
            for each in self._inputs.values():
                if isinstance(each, VideoPort):
                    each.wake(gone=True)
            for model in self.models.values():
                model.host_gone()

    def _apply(self, packet: protocol.Packet, sock: Optional[socket.socket]) -> None:
        if isinstance(packet, protocol.Parameter):
            parameter = self._inputs.get(packet.port)
            if isinstance(parameter, ParameterPort):
                parameter.value = packet.value
        elif isinstance(packet, protocol.CameraState):
            port_name, stream = self._streams[packet.camera]
            stream.note(packet.paused, packet.detail, packet.uri)
            self._wake(port_name)
        elif isinstance(packet, protocol.CameraSocket) and sock is not None:
            port_name, stream = self._streams[packet.camera]
            stream.offer(sock, (lambda: self._wake(port_name)) if packet.ahead else None)
            self._wake(port_name)
        elif isinstance(packet, protocol.MainState):
            self._main(packet.camera).apart = packet.apart
        elif isinstance(packet, protocol.MainSocket) and sock is not None:
            self._main(packet.camera).stream.offer(sock)
        elif isinstance(packet, protocol.ModelState):
            self.models[packet.model].note(packet.state, packet.detail)
        elif isinstance(packet, protocol.ModelSocket) and sock is not None:
            self.models[packet.model].offer(sock)
        elif isinstance(packet, protocol.OutputSocket) and sock is not None:
            self._sink(packet.port, packet.stream).offer(sock)
        else:
            raise protocol.ProtocolError("the host sent {}".format(type(packet).__name__))

    def _main(self, camera: int) -> MainFrames:
        main = self._streams[camera][1].main
        if main is None:
            raise protocol.ProtocolError("camera {} has no main stream".format(camera))
        return main

    def _wake(self, port_name: str) -> None:
        video = self._inputs.get(port_name)
        if isinstance(video, VideoPort):
            video.wake()

    def _report(self) -> protocol.Report:
        activity = self.activity
        with self._sinks_lock:
            sinks = list(self._sinks.values())
        return protocol.Report(
            activity.gets,
            activity.puts,
            activity.calls,
            activity.call_ms(),
            activity.last_activity,
            activity.waiting,
            [[index, stream.frames] for index, (_, stream) in enumerate(self._streams)],
            [[s.port, s.stream, s.frames, s.width, s.height, s.left_out] for s in sinks],
            dict(activity.reads),
        )


class _Process:
    """What there is one of in a process."""

    runtime: Optional[Runtime] = None
    lock = threading.Lock()


def current() -> Runtime:
    """Return this process's runtime; the first call attaches to the host.

    :raises RuntimeError: when the process is not part of an application that Vedette has started.
    """
    runtime = _Process.runtime
    if runtime is not None:
        return runtime
    with _Process.lock:
        if _Process.runtime is None:
            _Process.runtime = Runtime()
        return _Process.runtime


def _after_fork() -> None:
    _Process.lock = threading.Lock()
    if _Process.runtime is not None:
        _Process.runtime.abandon()


os.register_at_fork(after_in_child=_after_fork)
