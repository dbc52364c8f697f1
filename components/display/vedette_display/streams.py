"""Every output as an RTSP stream: ``rtsp://device:8554/<instance>/<stream>``, and ``.../plain`` without overlays.
Over TLS, where that is configured: ``rtsps://device:8322/...``.

For players and recorders: VLC, ffmpeg, GStreamer, OpenCV, a network video recorder. Encoded while somebody plays it,
once for all who do; clips and recordings of the same output share the encoder.
"""

import errno
import hashlib
import hmac
import logging
import ssl
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple
from urllib.parse import quote

from vedette.rtsp_server import H264, LiveMount, Login, StreamServer, access_unit
from vedette_display.camera_views import camera_of
from vedette_display.encoders import CLOCK_HZ, AccessUnit
from vedette_display.video import VideoFeeds, VideoVariant

logger = logging.getLogger(__name__)

USER: Final = "viewer"
PORTS_TRIED: Final = 20
PLAIN: Final = "plain"
CLEAR: Final = "rtsp"
SECURE: Final = "rtsps"
CAMERAS: Final = "camera"
"""Below it are the cameras' own pictures. An application of that name has its outputs there as well."""
LINGER_S: Final = 2.0
"""How long an encoder goes on for nobody: players ask what there is, hang up, and come back to play."""
_NS: Final = 1_000_000_000


Look = Callable[[str, str], Callable[[], None]]


class Address(NamedTuple):
    """Where an output can be played, with overlays and without, and the same over TLS; empty where it is not served."""

    annotated: str = ""
    plain: str = ""
    secure: str = ""
    secure_plain: str = ""


class Places(NamedTuple):
    """Where streams are served: an address of this device, ports in the clear and over TLS; None: not so."""

    bind: str
    port: int | None
    secure_port: int | None = None
    tls: ssl.SSLContext | None = None


def password_of(key: str) -> str:
    """Return the password of the streams: made of the page's key, which cannot be told from it."""
    return hmac.new(key.encode(), b"vedette rtsp", hashlib.sha256).hexdigest()[:20]


class Streams:
    """Serves the outputs and camera views it is told of.

    ``look`` is told what somebody plays, and returns what ends it. ``host``: as others name this device.
    ``password``: None lets everybody look who reaches the port.
    """

    def __init__(
        self,
        feeds: VideoFeeds,
        places: Places,
        host: str,
        password: str | None,
        look: Look = lambda _output_id, _purpose: lambda: None,
    ) -> None:
        self._feeds = feeds
        self._look = look
        self._places = places
        self._host = f"[{host}]" if ":" in host else host
        self._password = password
        self._server: StreamServer | None = None
        self._ports: dict[str, int] = {}
        """By scheme, where it is listened."""
        self._paths: dict[str, str] = {}
        self._mounts: dict[str, list[_Mount]] = {}

    def start(self) -> None:
        """Begin to listen, at the next free port where the wanted one is taken.

        :raises OSError: when the address cannot be used.
        """
        places = self._places
        if places.port is not None:
            self._ports[CLEAR] = self._open(places.port, None)
        if places.secure_port is not None and places.tls is not None:
            self._ports[SECURE] = self._open(places.secure_port, places.tls)
        for scheme, port in self._ports.items():
            logger.info("outputs are streamed at %s://%s:%d/<instance>/<stream>", scheme, self._host, port)

    def _open(self, port: int, tls: ssl.SSLContext | None) -> int:
        candidates = [0] if port == 0 else [*range(port, min(65536, port + PORTS_TRIED)), 0]
        for candidate in candidates:
            try:
                return self._listen(candidate, tls)
            except OSError as error:
                if error.errno != errno.EADDRINUSE or candidate == candidates[-1]:
                    raise
        raise OSError(errno.EADDRINUSE, "no port is free")

    def _listen(self, port: int, tls: ssl.SSLContext | None) -> int:
        if self._server is not None:
            return self._server.listen(port, tls)
        login = None if self._password is None else Login(USER, self._password)
        server = StreamServer(self._places.bind, port, login=login, tls=tls)
        server.start()
        self._server = server
        return server.port

    def stop(self) -> None:
        """End every stream."""
        if self._server is not None:
            self._server.stop()
            self._server = None
            self._ports.clear()
        for mounts in self._mounts.values():
            for mount in mounts:
                mount.end()
        self._mounts.clear()

    def serve(self, output_ids: Iterable[str]) -> None:
        """Serve these outputs and camera views, no others; called every second, mostly does nothing."""
        if self._server is None:
            return
        wanted = set(output_ids)
        for output_id in [known for known in self._mounts if known not in wanted]:
            for mount in self._mounts.pop(output_id):
                self._server.remove(mount.path)
                mount.end()
        for output_id in sorted(wanted - self._mounts.keys()):
            path = self._path(output_id)
            mounts = [_Mount(path, output_id, VideoVariant(), self._feeds, self._look)]
            if camera_of(output_id) is None:
                plain = VideoVariant(overlays=False)
                mounts.append(_Mount(f"{path}/{PLAIN}", output_id, plain, self._feeds, self._look))
            for mount in mounts:
                self._server.add(mount.path, mount.mount)
            self._mounts[output_id] = mounts

    def addresses(self) -> dict[str, Address]:
        """Return where each output can be played, with user and password: for whoever holds the page's key alone."""
        return {
            output_id: Address(
                *(self._address(scheme, mount) for scheme in (CLEAR, SECURE) for mount in (mounts[0], mounts[-1]))
            )
            for output_id, mounts in self._mounts.items()
        }

    def _address(self, scheme: str, mount: "_Mount") -> str:
        port = self._ports.get(scheme)
        login = "" if self._password is None else f"{USER}:{self._password}@"
        return "" if port is None else f"{scheme}://{login}{self._host}:{port}/{quote(mount.path)}"

    @property
    def players(self) -> int:
        """How many play something now."""
        return sum(mount.mount.viewers for mounts in list(self._mounts.values()) for mount in mounts)

    def _path(self, output_id: str) -> str:
        """Return ``<instance>/<stream>``, with the port between where that is another output's; it stays the same."""
        if output_id not in self._paths and (camera_id := camera_of(output_id)) is not None:
            # The id of a camera changes with its definition, its name does not.
            short = f"{CAMERAS}/{camera_id[:-9] or camera_id}"
            self._paths[output_id] = f"{CAMERAS}/{camera_id}" if short in self._paths.values() else short
        if output_id not in self._paths:
            instance, port, stream = output_id.rsplit(".", 2)
            short = f"{instance}/{stream}"
            taken = short in self._paths.values()
            self._paths[output_id] = f"{instance}/{port}/{stream}" if taken else short
        return self._paths[output_id]


class _Mount:
    """One output in one variant: its feed runs while somebody plays it."""

    def __init__(self, path: str, output_id: str, variant: VideoVariant, feeds: VideoFeeds, look: Look) -> None:
        self.path = path
        self._output_id = output_id
        self._variant = variant
        self._feeds = feeds
        self._look = look
        self._detach: Callable[[], None] | None = None
        self.mount = LiveMount(H264, watched=self._watched, key_wanted=self._key_wanted, linger_s=LINGER_S)

    def end(self) -> None:
        """Take no more from the feed."""
        detach, self._detach = self._detach, None
        if detach is not None:
            detach()

    def _watched(self, watched: bool) -> None:
        if not watched:
            self.end()
        elif self._detach is None:
            look_away = self._look(self._output_id, "stream")
            detach = self._feeds.attach(self._output_id, self._variant, self._publish)

            def end() -> None:
                detach()
                look_away()

            self._detach = end

    def _key_wanted(self) -> None:
        self._feeds.want_key(self._output_id, self._variant)

    def _publish(self, unit: AccessUnit) -> None:
        pts_ns = unit.pts * _NS // CLOCK_HZ
        self.mount.publish(access_unit(H264, unit.data, pts_ns=pts_ns, wall_ns=unit.capture_wall_ns))
