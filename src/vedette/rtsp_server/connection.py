"""One viewer's connection: requests in, answers and pictures out."""

import asyncio
import contextlib
import logging
import os
import socket
import time
from collections.abc import Callable
from enum import Enum
from typing import Any, Final, Protocol
from urllib.parse import unquote, urlsplit

from vedette.rtsp.errors import RtspError
from vedette.rtsp_server import description as sdp
from vedette.rtsp_server import transport as transports
from vedette.rtsp_server.login import Login
from vedette.rtsp_server.mounts import Mount
from vedette.rtsp_server.requests import Request, RequestReader, encode_answer
from vedette.rtsp_server.rtp import Packer
from vedette.rtsp_server.viewer import DatagramWire, InterleavedWire, Viewer, Wire

_log = logging.getLogger(__name__)

# From the first byte of a request to its last, and from the connection to the first picture.
_REQUEST_S: Final = 10.0
_BEGIN_S: Final = 30.0
# A viewer over UDP shows by requests or receiver reports that it is there.
_SESSION_S: Final = 60
_GRACE_S: Final = 15.0
_DESCRIBE_S: Final = 10.0
_REFUSED_LOGIN_S: Final = 0.5
_MOST_REFUSED: Final = 8
_READ_BYTES: Final = 16 * 1024
_METHODS: Final = "OPTIONS, DESCRIBE, SETUP, PLAY, PAUSE, GET_PARAMETER, SET_PARAMETER, TEARDOWN"
_WITHOUT_LOGIN: Final = frozenset({"OPTIONS"})


class State(Enum):
    """What a connection has come to."""

    INIT = "init"
    READY = "ready"
    PLAYING = "playing"


_ALLOWED: Final = {
    "OPTIONS": (State.INIT, State.READY, State.PLAYING),
    "DESCRIBE": (State.INIT, State.READY, State.PLAYING),
    # Again before PLAY: a viewer that has thought better of its transport.
    "SETUP": (State.INIT, State.READY),
    "PLAY": (State.READY, State.PLAYING),
    "PAUSE": (State.READY, State.PLAYING),
    "GET_PARAMETER": (State.INIT, State.READY, State.PLAYING),
    "SET_PARAMETER": (State.INIT, State.READY, State.PLAYING),
    "TEARDOWN": (State.INIT, State.READY, State.PLAYING),
}


class Reader(Protocol):
    """Where requests come from."""

    async def read(self, most: int, /) -> bytes:
        """Return what has come, nothing at the end."""


class Connection:
    """Serves one connection until it ends; ``find`` returns the mount of a path.

    ``first``: what has been read of it. ``datagrams``: whether RTP may go over UDP, were it not for TLS.
    """

    def __init__(
        self,
        reader: Reader,
        writer: asyncio.StreamWriter,
        *,
        find: Callable[[str], tuple[str, Mount] | None],
        login: Login | None,
        first: bytes = b"",
        datagrams: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._find = find
        self._login = login
        self._first = first
        # Pictures in the clear beside an encrypted connection are not what a viewer of rtsps:// asks for, and who comes
        # through HTTP is reached by nothing else.
        self._datagrams_allowed = datagrams and writer.get_extra_info("ssl_object") is None
        self._clock = clock
        self._nonce = os.urandom(16).hex()
        self._state = State.INIT
        self._session = os.urandom(8).hex()
        self._mount: Mount | None = None
        self._path = ""
        self._viewer: Viewer | None = None
        self._refused = 0
        self._heard_at = clock()
        self._over_udp = False
        self._listening: list[socket.socket] = []

    @property
    def watches(self) -> str | None:
        """The path it shows, None when it shows none."""
        return self._path if self._state is State.PLAYING else None

    async def serve(self) -> None:
        """Answer requests until the viewer hangs up, breaks the rules or falls silent."""
        requests = RequestReader()
        requests.receive_data(self._first)
        began = self._clock()
        partial_since: float | None = None
        try:
            while True:
                try:
                    while (request := requests.next_request()) is not None:
                        if not await self._answer(request):
                            return
                        self._heard_at = self._clock()
                        partial_since = None
                except RtspError as error:
                    _log.info("a connection is ended: %s", error)
                    self._send(encode_answer(None, 400, [("Connection", "close")]))
                    return
                now = self._clock()
                partial_since = (partial_since or now) if requests.partial else None
                left_s = self._patience_s(now, began, partial_since)
                if left_s <= 0:
                    return
                try:
                    data = await asyncio.wait_for(self._reader.read(_READ_BYTES), min(left_s, 5.0))
                except asyncio.TimeoutError:
                    continue
                if not data:
                    return
                requests.receive_data(data)
        except (OSError, asyncio.IncompleteReadError):
            return
        finally:
            self._end_stream()

    def _patience_s(self, now: float, began: float, partial_since: float | None) -> float:
        """Return for how long the viewer may stay silent from now on."""
        limits = [float("inf")]
        if partial_since is not None:
            limits.append(partial_since + _REQUEST_S)
        if self._state is not State.PLAYING:
            limits.append(max(began, self._heard_at) + _BEGIN_S)
        elif self._over_udp:
            limits.append(self._heard_at + _SESSION_S + _GRACE_S)
        return min(limits) - now

    async def _answer(self, request: Request) -> bool:
        """Answer one request; False when the connection is over."""
        if request.method not in _ALLOWED:
            return self._reply(request, 501)
        if self._login is not None and request.method not in _WITHOUT_LOGIN:
            given = request.headers.get("authorization")
            if not self._login.accepts(given, request.method, self._nonce):
                return await self._refuse(request, given)
        if wanted := request.headers.get("require") or request.headers.get("proxy-require"):
            # ONVIF's back channel, for one: a viewer that gets this answer asks again without.
            return self._reply(request, 551, [("Unsupported", wanted)])
        if self._state not in _ALLOWED[request.method]:
            return self._reply(request, 455)
        if request.method in ("PLAY", "PAUSE") and not self._of_this_session(request):
            return self._reply(request, 454)
        steps = {"DESCRIBE": self._describe, "SETUP": self._set_up, "PLAY": self._play, "PAUSE": self._pause}
        if request.method in steps:
            return await steps[request.method](request)
        if request.method == "TEARDOWN":
            # The connection stays: recorders play the next stream in it.
            self._end_stream()
            self._session = os.urandom(8).hex()
            return self._reply(request, 200)
        headers = [("Public", _METHODS)] if request.method == "OPTIONS" else []
        if self._state is not State.INIT:
            headers.append(("Session", f"{self._session};timeout={_SESSION_S}"))
        return self._reply(request, 200, headers)

    async def _refuse(self, request: Request, given: str | None) -> bool:
        if given is not None:
            self._refused += 1
            await asyncio.sleep(_REFUSED_LOGIN_S * (self._refused > 1))
        challenge = self._login.challenge(self._nonce) if self._login else ""
        self._reply(request, 401, [("WWW-Authenticate", challenge)])
        return self._refused < _MOST_REFUSED

    async def _describe(self, request: Request) -> bool:
        found = self._find(_path_of(request.url))
        if found is None:
            return self._reply(request, 404)
        path, mount = found
        description = await mount.describe(_DESCRIBE_S)
        if description is None:
            return self._reply(request, 503)
        host = self._writer.get_extra_info("sockname")[0]
        body = sdp.encode(description, name=path, host=host, session=int(self._session[:8], 16))
        base = request.url.rstrip("/") + "/"
        return self._reply(request, 200, [("Content-Type", "application/sdp"), ("Content-Base", base)], body)

    async def _set_up(self, request: Request) -> bool:
        if self._viewer is not None:
            self._end_stream(goodbye=False)
        found = self._find(_path_of(request.url))
        if found is None:
            return self._reply(request, 404)
        path, mount = found
        description = await mount.describe(_DESCRIBE_S)
        if description is None:
            return self._reply(request, 503)
        made = self._wire(transports.parse(request.headers.get("transport", "")))
        if made is None:
            return self._reply(request, 461)
        wire, answer = made
        numbers = os.urandom(10)
        packer = Packer(
            description.codec,
            ssrc=int.from_bytes(numbers[:4], "big"),
            sequence=int.from_bytes(numbers[4:6], "big"),
            offset=int.from_bytes(numbers[6:], "big"),
            name=f"vedette-{self._session[:8]}",
        )
        self._viewer = Viewer(packer, wire, stuck=self._stuck)
        self._mount, self._path, self._state = mount, path, State.READY
        answer += f";ssrc={packer.ssrc:08X}"
        return self._reply(request, 200, [("Transport", answer), ("Session", f"{self._session};timeout={_SESSION_S}")])

    async def _play(self, request: Request) -> bool:
        if self._viewer is None or self._mount is None:
            return self._reply(request, 455)
        again = self._state is State.PLAYING
        self._state = State.PLAYING
        packer = self._viewer.packer
        where = f"url={request.url.rstrip('/')}/{sdp.CONTROL};seq={packer.sequence}"
        # After a pause, or where somebody seeks in what is live: nobody knows yet which stamp the next picture has.
        begins = packer.next_stamp
        self._reply(
            request,
            200,
            [
                ("Session", f"{self._session};timeout={_SESSION_S}"),
                ("Range", "npt=now-" if begins is None else "npt=0.000-"),
                ("RTP-Info", where if begins is None else f"{where};rtptime={begins}"),
            ],
        )
        self._viewer.playing = True
        if not again:
            self._mount.join(self._viewer)
        return True

    async def _pause(self, request: Request) -> bool:
        if self._viewer is not None:
            self._viewer.playing = False
        if self._mount is not None and self._viewer is not None:
            self._mount.leave(self._viewer)
        self._state = State.READY
        return self._reply(request, 200, [("Session", f"{self._session};timeout={_SESSION_S}")])

    def _wire(self, offered: list[transports.Interleaved | transports.Datagrams]) -> tuple[Wire, str] | None:
        """Return the first transport that can be had and what is answered of it."""
        for transport in offered:
            if isinstance(transport, transports.Interleaved):
                wire = InterleavedWire(self._writer.transport, transport.rtp, transport.rtcp)
                return wire, f"RTP/AVP/TCP;unicast;interleaved={transport.rtp}-{transport.rtcp}"
            if not self._datagrams_allowed:
                continue
            try:
                pair = self._datagrams(transport)
            except OSError as error:
                _log.warning("no ports for UDP: %s", error.strerror)
                continue
            return pair
        return None

    def _datagrams(self, transport: transports.Datagrams) -> tuple[Wire, str]:
        local, peer = self._writer.get_extra_info("sockname"), self._writer.get_extra_info("peername")
        rtp, rtcp = _udp_pair(local)
        # Only ever to whoever asks: "destination" would make this server shoot at others.
        to_rtp, to_rtcp = ((peer[0], port, *peer[2:]) for port in (transport.rtp, transport.rtcp))
        wire = DatagramWire(rtp, rtcp, to_rtp, to_rtcp)
        for sock in (rtp, rtcp):
            asyncio.get_running_loop().add_reader(sock.fileno(), self._hear, wire, sock, peer[0])
            self._listening.append(sock)
        self._over_udp = True
        ports = f"{rtp.getsockname()[1]}-{rtcp.getsockname()[1]}"
        answer = f"RTP/AVP;unicast;client_port={transport.rtp}-{transport.rtcp};server_port={ports}"
        return wire, answer

    def _hear(self, wire: DatagramWire, sock: socket.socket, host: str) -> None:
        with contextlib.suppress(OSError):
            _, sender = sock.recvfrom(2048)
            if sender[0] == host:
                self._heard_at = self._clock()
                wire.came(sock, sender)

    def _stuck(self) -> None:
        _log.warning("a viewer of %s takes nothing any more and is told off", self._path)
        self._writer.transport.abort()

    def _end_stream(self, *, goodbye: bool = True) -> None:
        viewer, self._viewer = self._viewer, None
        loop = asyncio.get_running_loop()
        for sock in self._listening:
            loop.remove_reader(sock.fileno())
        self._listening.clear()
        if viewer is not None:
            if self._mount is not None:
                self._mount.leave(viewer)
            viewer.close(goodbye=goodbye)
            if viewer.left_out:
                _log.info("a slow viewer of %s missed %d pictures", self._path, viewer.left_out)
        self._mount, self._state, self._over_udp = None, State.INIT, False

    def _of_this_session(self, request: Request) -> bool:
        return request.headers.get("session", self._session).partition(";")[0].strip() == self._session

    def _reply(self, request: Request, code: int, headers: Any = (), body: bytes = b"") -> bool:
        self._send(encode_answer(request, code, headers, body))
        return True

    def _send(self, data: bytes) -> None:
        if not self._writer.transport.is_closing():
            self._writer.write(data)


def _path_of(url: str) -> str:
    """Return the path of the mount that a request is about."""
    path = unquote(urlsplit(url).path).strip("/")
    return path.removesuffix(sdp.CONTROL).rstrip("/")


def _udp_pair(local: tuple[Any, ...]) -> tuple[socket.socket, socket.socket]:
    """Return sockets at an even port and the one after it.

    :raises OSError: when there are none.
    """
    family = socket.AF_INET6 if ":" in local[0] else socket.AF_INET
    for _ in range(32):
        rtp = _udp(family, local, 0)
        port = rtp.getsockname()[1]
        with contextlib.suppress(OSError):
            if port % 2 == 0:
                return rtp, _udp(family, local, port + 1)
            below = _udp(family, local, port - 1)
            return below, rtp
        rtp.close()
    raise OSError(0, "no two ports beside one another are free")


def _udp(family: socket.AddressFamily, local: tuple[Any, ...], port: int) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1024 * 1024)
        sock.bind((local[0], port, *local[2:]))
    except OSError:
        sock.close()
        raise
    return sock
