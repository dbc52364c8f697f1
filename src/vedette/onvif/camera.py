"""Asks one camera what it is and which streams it has: ONVIF device service, media services of both versions."""

import contextlib
import http.client
import os
import socket
import ssl
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Final
from urllib.parse import urlsplit
from xml.sax.saxutils import escape

from vedette.onvif import envelope
from vedette.onvif.envelope import Token, find, local, text_of
from vedette.onvif.errors import LoginNeeded, NotOnvif, OnvifError, OnvifLoginRefused, OnvifUnreachable
from vedette.redaction import split_credentials
from vedette.rtsp.authentication import authorize, parse_challenges, strongest

_DEVICE: Final = "http://www.onvif.org/ver10/device/wsdl"
_MEDIA: Final = "http://www.onvif.org/ver10/media/wsdl"
_MEDIA2: Final = "http://www.onvif.org/ver20/media/wsdl"
_SCHEMA: Final = "http://www.onvif.org/ver10/schema"
_MOST_PROFILES: Final = 16
_MOST_TEXT: Final = 120
_CODECS: Final = {"H264": "H.264", "H265": "H.265", "JPEG": "MJPEG", "MPEG4": "MPEG-4 Part 2"}


@dataclass(frozen=True)
class StreamProfile:
    """One stream of a camera. ``codec`` is a name for people; numbers are None where the camera does not say."""

    name: str
    url: str
    codec: str
    width: int | None
    height: int | None
    fps: float | None


@dataclass(frozen=True)
class CameraDescription:
    """What a camera says of itself."""

    maker: str
    model: str
    firmware: str
    profiles: tuple[StreamProfile, ...]


@dataclass
class _Client:
    """Requests to one camera's services; the login goes to its own host only."""

    host: str
    user: str | None
    password: str | None = field(repr=False)
    deadline: float
    clock: Callable[[], float]
    now: Callable[[], datetime]
    ahead: timedelta = timedelta()

    def ask(self, service: str, body: str, *, login: bool = True) -> ET.Element:
        """Send one request and return the answer's first element."""
        token = None
        if login and self.user is not None:
            token = Token(self.user, self.password or "", os.urandom(16), self.now() + self.ahead)
        document = envelope.encode(body, token)
        code, answer, challenges = self._post(service, document, {})
        if code == 401 and login and self.user is not None:
            # Some cameras want the login of HTTP instead of, or besides, that of WS-Security.
            # Never basic: that would be the password itself.
            challenge = strongest(each for each in parse_challenges(challenges) if each.scheme == "digest")
            if challenge is not None:
                authorization = authorize(
                    challenge,
                    method="POST",
                    uri=urlsplit(service).path or "/",
                    user=self.user,
                    password=self.password or "",
                    client_nonce=os.urandom(8).hex(),
                )
                code, answer, _ = self._post(service, document, {"Authorization": authorization})
        if code in (401, 403):
            raise self._refused()
        content = envelope.decode(answer)
        told = envelope.fault(content)
        if told is not None:
            codes, reason = told
            if "NotAuthorized" in codes or "FailedAuthentication" in codes or "authori" in reason.lower():
                raise self._refused()
            raise NotOnvif(f"{self.host} refuses: {_clean(reason or codes)}")
        if code != 200 or not len(content):
            raise NotOnvif(f"{self.host} answered {code} where an ONVIF service was expected")
        return content[0]

    def _refused(self) -> OnvifError:
        if self.user is None:
            return LoginNeeded(f"{self.host} tells its streams only after a login")
        return OnvifLoginRefused(f"{self.host} refuses user {self.user}")

    def _post(self, service: str, document: bytes, more: dict[str, str]) -> tuple[int, bytes, list[str]]:
        parts = urlsplit(service)
        timeout_s = max(0.1, self.deadline - self.clock())
        connection: http.client.HTTPConnection
        if parts.scheme == "https":
            # Cameras bear certificates of their own making; what goes over here holds no password in the clear.
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            connection = http.client.HTTPSConnection(self.host, parts.port or 443, timeout=timeout_s, context=context)
        else:
            connection = http.client.HTTPConnection(self.host, parts.port or 80, timeout=timeout_s)
        headers = {"Content-Type": "application/soap+xml; charset=utf-8", "Connection": "close", **more}
        try:
            connection.request("POST", parts.path or "/", document, headers)
            response = connection.getresponse()
            return response.status, self._read(response), response.headers.get_all("WWW-Authenticate") or []
        except (TimeoutError, socket.gaierror, ConnectionError, OSError) as error:
            port = parts.port or (443 if parts.scheme == "https" else 80)
            why = "refuses the connection" if isinstance(error, ConnectionRefusedError) else "does not answer"
            raise OnvifUnreachable(f"{self.host} port {port} {why}") from error
        except http.client.HTTPException as error:
            raise NotOnvif(f"{self.host} port {parts.port or 80} does not speak HTTP") from error
        finally:
            connection.close()

    def _read(self, response: http.client.HTTPResponse) -> bytes:
        """Return the body; bounded in size and, however slowly it drips, in time."""
        body = b""
        while len(body) <= envelope.MAX_BYTES:
            chunk = response.read1(65_536)
            if not chunk:
                return body
            body += chunk
            if self.clock() > self.deadline:
                raise TimeoutError
        raise NotOnvif(f"{self.host} answers with over {envelope.MAX_BYTES} bytes")


def streams_of(
    service: str,
    user: str | None = None,
    password: str | None = None,
    timeout_s: float = 10.0,
    *,
    clock: Callable[[], float] = time.monotonic,
    now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
) -> CameraDescription:
    """Ask the camera whose device service is at ``service`` (``http://HOST/onvif/device_service``).

    ``timeout_s`` bounds everything together.

    :raises OnvifError: one subclass for each cause.
    """
    host = urlsplit(service).hostname or ""
    client = _Client(host, user, password, clock() + timeout_s, clock, now)
    client.ahead = _clock_difference(client, service, now)
    information = client.ask(service, f'<GetDeviceInformation xmlns="{_DEVICE}"/>')
    media, version2 = _media_service(client, service)
    profiles = _profiles2(client, media) if version2 else _profiles(client, media)
    return CameraDescription(
        maker=_clean(text_of(find(information, "Manufacturer"))),
        model=_clean(text_of(find(information, "Model"))),
        firmware=_clean(text_of(find(information, "FirmwareVersion"))),
        profiles=tuple(profiles),
    )


def _clock_difference(client: _Client, service: str, now: Callable[[], datetime]) -> timedelta:
    """Return how far the camera's clock is ahead: it refuses a login made at another time than its own."""
    try:
        answer = client.ask(service, f'<GetSystemDateAndTime xmlns="{_DEVICE}"/>', login=False)
        told = find(answer, "SystemDateAndTime", "UTCDateTime")
        if told is None:
            return timedelta()
        date = [int(text_of(find(told, "Date", part))) for part in ("Year", "Month", "Day")]
        day = [int(text_of(find(told, "Time", part))) for part in ("Hour", "Minute", "Second")]
        return datetime(date[0], date[1], date[2], day[0], day[1], day[2], tzinfo=timezone.utc) - now()
    except (LoginNeeded, OnvifLoginRefused, ValueError):
        return timedelta()


def _media_service(client: _Client, service: str) -> tuple[str, bool]:
    """Return the address of the media service and whether it is the second version, which knows H.265."""
    found: dict[str, str] = {}
    with contextlib.suppress(NotOnvif):  # older than GetServices
        answer = client.ask(
            service, f'<GetServices xmlns="{_DEVICE}"><IncludeCapability>false</IncludeCapability></GetServices>'
        )
        for each in answer:
            found[text_of(find(each, "Namespace"))] = text_of(find(each, "XAddr"))
    if found.get(_MEDIA2):
        return _at_same_host(found[_MEDIA2], service), True
    if not found.get(_MEDIA):
        answer = client.ask(service, f'<GetCapabilities xmlns="{_DEVICE}"><Category>Media</Category></GetCapabilities>')
        found[_MEDIA] = text_of(find(answer, "Capabilities", "Media", "XAddr"))
    if not found[_MEDIA]:
        raise NotOnvif(f"{client.host} has no media service")
    return _at_same_host(found[_MEDIA], service), False


def _at_same_host(address: str, service: str) -> str:
    """Return ``address`` at the host that is being asked: the login goes nowhere else."""
    parts, known = urlsplit(address), urlsplit(service)
    try:
        port = parts.port if parts.hostname == known.hostname else known.port
    except ValueError:
        port = known.port
    return f"{known.scheme}://{known.hostname}{f':{port}' if port else ''}{parts.path or '/'}"


def _profiles(client: _Client, media: str) -> list[StreamProfile]:
    answer = client.ask(media, f'<GetProfiles xmlns="{_MEDIA}"/>')
    found = []
    for profile in [each for each in answer if local(each) == "Profiles"][:_MOST_PROFILES]:
        encoder = find(profile, "VideoEncoderConfiguration")
        if encoder is None:
            continue
        setup = (
            f'<StreamSetup><Stream xmlns="{_SCHEMA}">RTP-Unicast</Stream>'
            f'<Transport xmlns="{_SCHEMA}"><Protocol>RTSP</Protocol></Transport></StreamSetup>'
        )
        token = escape(profile.get("token", ""))
        told = client.ask(
            media, f'<GetStreamUri xmlns="{_MEDIA}">{setup}<ProfileToken>{token}</ProfileToken></GetStreamUri>'
        )
        url = text_of(find(told, "MediaUri", "Uri"))
        found += _profile(profile, encoder, url, find(encoder, "RateControl"))
    return found


def _profiles2(client: _Client, media: str) -> list[StreamProfile]:
    answer = client.ask(media, f'<GetProfiles xmlns="{_MEDIA2}"><Type>VideoEncoder</Type></GetProfiles>')
    found = []
    for profile in [each for each in answer if local(each) == "Profiles"][:_MOST_PROFILES]:
        encoder = find(profile, "Configurations", "VideoEncoder")
        if encoder is None:
            continue
        token = escape(profile.get("token", ""))
        told = client.ask(
            media,
            f'<GetStreamUri xmlns="{_MEDIA2}"><Protocol>RtspUnicast</Protocol>'
            f"<ProfileToken>{token}</ProfileToken></GetStreamUri>",
        )
        found += _profile(profile, encoder, text_of(find(told, "Uri")), find(encoder, "RateControl"))
    return found


def _profile(profile: ET.Element, encoder: ET.Element, url: str, rate: ET.Element | None) -> list[StreamProfile]:
    try:
        # Some cameras put the login that was used into the address: it belongs into the secret.
        address, _, _ = split_credentials(url)
    except ValueError:
        return []
    if not address.startswith(("rtsp://", "rtsps://")) or not address.isprintable() or " " in address:
        return []
    encoding = text_of(find(encoder, "Encoding"))
    return [
        StreamProfile(
            name=_clean(text_of(find(profile, "Name")) or profile.get("token", "")),
            url=address,
            codec=_CODECS.get(encoding.upper(), _clean(encoding)),
            width=_number(find(encoder, "Resolution", "Width"), int),
            height=_number(find(encoder, "Resolution", "Height"), int),
            fps=_number(find(rate, "FrameRateLimit"), float) if rate is not None else None,
        )
    ]


def _number(element: ET.Element | None, kind: Callable[[str], int | float]) -> "int | None":
    try:
        value = kind(text_of(element))
    except ValueError:
        return None
    return value if 0 < value < 100_000 else None  # type: ignore[return-value]


def _clean(text: str) -> str:
    return "".join(character for character in text if character.isprintable())[:_MOST_TEXT]
