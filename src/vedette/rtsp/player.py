"""Plays a camera's stream: SETUP, PLAY, and then its pictures, each as soon as its last packet is here."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import Final
from urllib.parse import urljoin

from vedette.rtsp.assembly import NalAssembly, assembly_of
from vedette.rtsp.client import ANSWER_TIMEOUT_S, CONNECT_TIMEOUT_S, ProbeResult, check, describe
from vedette.rtsp.coded_picture import MOST_PICTURE_BYTES, CodedPicture, Whole
from vedette.rtsp.dialogue import Dialogue, fresh_nonce
from vedette.rtsp.errors import AnswerRefused, ConnectionClosed, NoVideo, ProbeError, TransportRefused
from vedette.rtsp.interleaving import Run
from vedette.rtsp.jpeg_images import JpegAssembly
from vedette.rtsp.links import DatagramLink, InterleavedLink, Link
from vedette.rtsp.message import Response
from vedette.rtsp.reordering import Reordering
from vedette.rtsp.rtp import Bye, RtpPacket, SenderReport, parse, parse_control, receiver_report
from vedette.rtsp.sdp import Media
from vedette.rtsp.transport import Agreed, parse_answer

_WAIT_S: Final = 0.1
_REPORT_S: Final = 5.0
# Servers forget who has been silent for this long, unless they say otherwise.
_SESSION_S: Final = 60
_SHORTEST_SESSION_S: Final = 10
_HALF: Final = 1 << 31
# The first two bytes of a packet that has nothing in its head but what all have, and ends nothing.
_NO_MARK: Final = 0x8000


class Player:
    """One stream that plays; made by :func:`play`. Take :meth:`pictures`, in one thread, until it raises or ends.

    ``media`` describes the stream, ``transport`` is how it comes: tcp or udp.
    """

    def __init__(
        self,
        described: ProbeResult,
        dialogue: Dialogue,
        link: Link,
        session: str,
        timeout_s: int,
        closing: threading.Event,
    ) -> None:
        address = described.address
        self.address = address
        self.media: Media = described.video
        self.transport = "udp" if isinstance(link, DatagramLink) else "tcp"
        self.heard_at = time.monotonic()
        """When the last packet came (monotonic, s), whether or not it ended a picture."""
        self._url = _aggregate(described)
        self._where = f"{address.host} port {address.port}"
        self._dialogue = dialogue
        self._link = link
        self._session = ("Session", session)
        self.closing = closing
        """Set it, from any thread, to end :meth:`pictures`."""
        self._alive_every_s = max(_SHORTEST_SESSION_S, timeout_s) / 2
        self._alive_method = "GET_PARAMETER"
        self._own = int.from_bytes(os.urandom(4), "big")
        self._order = Reordering(waits=self.transport == "udp")
        assembly = assembly_of(self.media.codec, self.media.size)
        if assembly is None:
            raise NoVideo(f"{self.media.codec_name} cannot be taken out of RTP here")
        self._assembly = assembly
        self._source: int | None = None
        self._report: SenderReport | None = None
        self._stamp: int | None = None
        self._ticks = 0
        self._began: tuple[int, int, int] | None = None

    @property
    def endless(self) -> int:
        """How many pictures had no end."""
        return self._assembly.endless

    @property
    def complaint(self) -> str:
        """Why no picture can be made of what comes, where that is known; else empty."""
        if isinstance(self._assembly, JpegAssembly) and self._assembly.unsized:
            return "its JPEG images are over 2040 pixels, and it does not say how large: set a smaller size, or H.264"
        return ""

    def pictures(self) -> Iterator[CodedPicture]:
        """Yield pictures until ``closing`` is set.

        :raises ConnectionClosed: when the server has ended the stream or the connection.
        :raises NotRtsp: when what comes makes no sense any more.
        """
        alive_at = report_at = time.monotonic()
        while not self.closing.is_set():
            for found in self._link.receive(_WAIT_S):
                if found is None:
                    self._run_on()
                elif isinstance(found, Response):
                    self._hear(found)
                elif found.control:
                    self._take_control(found.data)
                elif (packet := parse(found.data)) and packet.kind == self.media.payload_type:
                    yield from self._take(packet)
                    self._run_on()
            now = time.monotonic()
            if now - report_at > _REPORT_S and self._source is not None:
                report_at = now
                self._link.send_control(
                    receiver_report(self._own, self._source, highest=self._order.highest, lost=self._order.lost)
                )
            if now - alive_at > self._alive_every_s:
                alive_at = now
                self._keep_alive()

    def close(self) -> None:
        """Tell the server that nobody looks any more, without waiting for its answer."""
        try:
            self._dialogue.send("TEARDOWN", self._url, self._session)
        except ProbeError:
            pass
        finally:
            self._link.close()
            self._dialogue.close()

    def _take(self, packet: RtpPacket) -> Iterator[CodedPicture]:
        mono_ns = time.monotonic_ns()
        self.heard_at = mono_ns / 1e9
        if packet.source != self._source:
            self._source, self._report = packet.source, None
        if self._began is None or packet.stamp != self._began[0]:
            before, self._began = self._began, (packet.stamp, mono_ns, time.time_ns())
        else:
            before = None
        for each, lost in self._order.add(packet, mono_ns):
            for whole in self._assembly.add(each, lost=lost):
                ended_by_next = before is not None and whole.stamp == before[0]
                yield self._timed(whole, before if ended_by_next and before is not None else self._began)

    def _run_on(self) -> None:
        """Take in one go the packets that come next and only go on with a NAL unit: most of a large picture's."""
        if not isinstance(self._assembly, NalAssembly) or not isinstance(self._link, InterleavedLink):
            return
        unit, number, kind = self._assembly.open_unit, self._order.next_of_run(), self.media.payload_type
        if unit is None or number is None or kind is None or self._source is None:
            return
        if len(unit.data) > MOST_PICTURE_BYTES:
            # Too large for a picture: the next packet by itself is the end of it.
            return
        like = Run(_NO_MARK | kind, number, unit.stamp << 32 | self._source, unit.lead)
        if count := self._link.run(like, unit.data):
            self._order.ran(count)
            self.heard_at = time.monotonic()

    def _timed(self, whole: Whole, began: tuple[int, int, int]) -> CodedPicture:
        if self._stamp is not None:
            self._ticks += _signed(whole.stamp - self._stamp)
        self._stamp = whole.stamp
        clock_hz = self.media.clock_hz
        camera_ns = None
        if self._report is not None:
            camera_ns = self._report.wall_ns + _signed(whole.stamp - self._report.stamp) * 1_000_000_000 // clock_hz
        pts_ns = self._ticks * 1_000_000_000 // clock_hz
        return CodedPicture(whole.data, whole.key, self._ticks, pts_ns, camera_ns, began[1], began[2])

    def _take_control(self, data: memoryview) -> None:
        for report in parse_control(data):
            if isinstance(report, Bye):
                if report.source == self._source:
                    raise ConnectionClosed(f"{self._where} has ended the stream")
            elif self._source in (None, report.source):
                self._report = report

    def _keep_alive(self) -> None:
        self._dialogue.send(self._alive_method, self._url, self._session)

    def _hear(self, response: Response) -> None:
        """Take the answer to what keeps the stream alive."""
        if self._dialogue.is_asked(response):
            self._keep_alive()
        elif response.code in (405, 501, 551) and self._alive_method != "OPTIONS":
            self._alive_method = "OPTIONS"
            self._keep_alive()


def play(
    url: str,
    user: str | None = None,
    password: str | None = None,
    *,
    transport: str = "tcp",
    playable: Callable[[Media], None] = lambda _: None,
    closing: threading.Event | None = None,
    timeout_s: float = ANSWER_TIMEOUT_S,
    connect_timeout_s: float = CONNECT_TIMEOUT_S,
    authority: str | None = None,
    nonce: Callable[[], str] = fresh_nonce,
) -> Player:
    """Play the video of the stream at ``url``; over the other ``transport`` where the server has not got this one.

    ``playable(media)`` may raise before anything is played. See :func:`vedette.rtsp.client.describe` for the others.

    :raises AddressError: when the URL is not one of RTSP.
    :raises ProbeError: one subclass for each cause.
    """
    described, dialogue = describe(
        url,
        user,
        password,
        timeout_s=timeout_s,
        connect_timeout_s=connect_timeout_s,
        authority=authority,
        nonce=nonce,
    )
    closing = closing or threading.Event()
    try:
        playable(described.video)
        try:
            return _start(described, dialogue, transport, closing)
        except TransportRefused:
            # Never pictures in the clear where TLS was asked for.
            if described.address.tls:
                raise
            return _start(described, dialogue, "udp" if transport == "tcp" else "tcp", closing)
    except BaseException:
        dialogue.close()
        raise


def _start(described: ProbeResult, dialogue: Dialogue, transport: str, closing: threading.Event) -> Player:
    address = described.address
    where = f"{address.host} port {address.port}"
    datagrams: DatagramLink | None = None
    try:
        wanted = "RTP/AVP/TCP;unicast;interleaved=0-1"
        if transport == "udp" and not address.tls:
            datagrams = DatagramLink(dialogue.connection.sock, where)
            wanted = "RTP/AVP;unicast;client_port={}-{}".format(*datagrams.ports)
        answer = dialogue.request("SETUP", _control(described), ("Transport", wanted))
        check(answer, "SETUP", address, dialogue.login)
        agreed = parse_answer(answer.first("transport") or "")
        session, _, options = (answer.first("session") or "").partition(";")
        if agreed is None or not session.strip():
            raise AnswerRefused(f"{address.host} answered SETUP without a session or a transport", code=answer.code)
        if (agreed.channels is None) is not (datagrams is not None):
            raise TransportRefused(f"{address.host} does not send over {transport.upper()}", code=answer.code)
        headers = (("Session", session.strip()), ("Range", "npt=0.000-"))
        answer = dialogue.request("PLAY", _aggregate(described), *headers)
        check(answer, "PLAY", address, dialogue.login)
        link = _link(dialogue, datagrams, agreed, where)
        return Player(described, dialogue, link, session.strip(), _timeout_of(options), closing)
    except BaseException:
        if datagrams is not None:
            datagrams.close()
        raise


def _link(dialogue: Dialogue, datagrams: DatagramLink | None, agreed: Agreed, where: str) -> Link:
    sock, rest = dialogue.connection.give_up_reading()
    if datagrams is None:
        return InterleavedLink(sock, agreed.channels or (0, 1), rest, where)
    datagrams.open(agreed.ports, agreed.source, rest)
    return datagrams


def _control(described: ProbeResult) -> str:
    """Return the address of the video (RFC 2326, C.1.1): its own, or relative to that of the whole."""
    control = described.video.control or "*"
    if control == "*":
        return described.base
    if "://" in control:
        return control
    # A base without a slash at its end is one: cameras mean "behind it".
    base = described.base if described.base.endswith("/") else f"{described.base}/"
    return base + control.lstrip("/")


def _aggregate(described: ProbeResult) -> str:
    control = described.session.control
    return urljoin(described.base, control) if control and "://" in control else described.base


def _timeout_of(options: str) -> int:
    for option in options.split(";"):
        name, _, value = option.strip().partition("=")
        if name.lower() == "timeout" and value.isascii() and value.isdigit():
            return int(value[:6])
    return _SESSION_S


def _signed(difference: int) -> int:
    """Return the difference of two numbers of 32 bits that wrap."""
    return (difference + _HALF & 0xFFFFFFFF) - _HALF
