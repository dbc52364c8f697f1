"""Stands in for an ONVIF camera on loopback: WS-Discovery, device and media services; it checks the login itself."""

import base64
import hashlib
import socket
import threading
import xml.etree.ElementTree as ET
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SOAP = "http://www.w3.org/2003/05/soap-envelope"
DEVICE, MEDIA, MEDIA2 = (
    "http://www.onvif.org/ver10/device/wsdl",
    "http://www.onvif.org/ver10/media/wsdl",
    "http://www.onvif.org/ver20/media/wsdl",
)
USER, PASSWORD = "viewer", "p<ss&word"


class OnvifCamera:
    """A camera with a main stream and a small one, whose clock is seven hours behind this machine's."""

    def __init__(self, *, version2: bool = False, login: bool = True, http_login: bool = False) -> None:
        self.version2 = version2
        self.login = login
        self.http_login = http_login
        self.clock_ahead = timedelta(hours=-7)
        self.requests: list[str] = []
        self.answer_with: bytes | None = None
        self.stream = "rtsp://127.0.0.1:554/h264?profile={}"
        camera = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                camera._answer(self)

            def log_message(self, *_: Any) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._http.server_address[1]
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind(("", 0))
        self._udp.setsockopt(
            socket.IPPROTO_IP,
            socket.IP_ADD_MEMBERSHIP,
            socket.inet_aton("239.255.255.250") + socket.inet_aton("127.0.0.1"),
        )
        self.group = ("239.255.255.250", self._udp.getsockname()[1])
        self._threads = [
            threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05}),
            threading.Thread(target=self._discover),
        ]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._udp.sendto(b"stop", ("127.0.0.1", self.group[1]))
        for thread in self._threads:
            thread.join(30)
        self._udp.close()

    def _discover(self) -> None:
        while True:
            document, sender = self._udp.recvfrom(65536)
            if document == b"stop":
                return
            if b"NetworkVideoTransmitter" not in document:
                continue
            scopes = "onvif://www.onvif.org/name/Dock%20East onvif://www.onvif.org/hardware/X1"
            self._udp.sendto(
                f'<s:Envelope xmlns:s="{SOAP}" xmlns:d="d" xmlns:a="a"><s:Body><d:ProbeMatches><d:ProbeMatch>'
                f"<a:EndpointReference><a:Address>urn:uuid:cam</a:Address></a:EndpointReference>"
                f"<d:Scopes>{scopes}</d:Scopes>"
                f"<d:XAddrs>http://192.168.99.99:{self.port}/onvif/device_service</d:XAddrs>"
                f"</d:ProbeMatch></d:ProbeMatches></s:Body></s:Envelope>".encode(),
                sender,
            )

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        envelope = ET.fromstring(body)
        content = envelope.find(f"{{{SOAP}}}Body")
        assert content is not None
        request = content[0]
        name = request.tag.rpartition("}")[2]
        self.requests.append(name)
        if self.answer_with is not None:
            self._send(handler, 200, self.answer_with)
            return
        public = name == "GetSystemDateAndTime"
        if self.http_login and not public and not handler.headers.get("Authorization", "").startswith("Digest "):
            handler.send_response(401)
            handler.send_header("WWW-Authenticate", 'Digest realm="cam", nonce="abc", qop="auth"')
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        if self.login and not public and not self._knows(envelope):
            code = "<s:Code><s:Subcode><s:Value>ter:NotAuthorized</s:Value></s:Subcode></s:Code>"
            reason = "<s:Reason><s:Text>Sender not authorized</s:Text></s:Reason>"
            self._send(handler, 400, _enveloped(f"<s:Fault>{code}{reason}</s:Fault>"))
            return
        self._send(handler, 200, _enveloped(getattr(self, f"_{name}")(request)))

    def _knows(self, envelope: ET.Element) -> bool:
        told = {element.tag.rpartition("}")[2]: element.text or "" for element in envelope.iter()}
        if "Nonce" not in told or told["Username"] != USER:
            return False
        created = datetime.fromisoformat(told["Created"].replace("Z", "+00:00"))
        if abs(created - datetime.now(timezone.utc) - self.clock_ahead) > timedelta(seconds=30):
            return False
        secret = base64.b64decode(told["Nonce"]) + told["Created"].encode() + PASSWORD.encode()
        return told["Password"] == base64.b64encode(hashlib.sha1(secret).digest()).decode()

    def _GetSystemDateAndTime(self, _request: ET.Element) -> str:
        now = datetime.now(timezone.utc) + self.clock_ahead
        time = f"<Time><Hour>{now.hour}</Hour><Minute>{now.minute}</Minute><Second>{now.second}</Second></Time>"
        date = f"<Date><Year>{now.year}</Year><Month>{now.month}</Month><Day>{now.day}</Day></Date>"
        return f"<R><SystemDateAndTime><UTCDateTime>{time}{date}</UTCDateTime></SystemDateAndTime></R>"

    def _GetDeviceInformation(self, _request: ET.Element) -> str:
        return "<R><Manufacturer>Acme</Manufacturer><Model>X1</Model><FirmwareVersion>1.2</FirmwareVersion></R>"

    def _GetServices(self, _request: ET.Element) -> str:
        versions = [MEDIA, MEDIA2] if self.version2 else [MEDIA]
        return (
            "<R>"
            + "".join(
                f"<Service><Namespace>{version}</Namespace>"
                f"<XAddr>http://192.168.99.99:{self.port}/{version[-11:-5]}</XAddr></Service>"
                for version in versions
            )
            + "</R>"
        )

    def _GetProfiles(self, request: ET.Element) -> str:
        encodings = ("H265", "H264") if MEDIA2 in request.tag else ("H264", "H264")
        sizes = (("main", 2560, 1440, 25), ("small", 640, 360, 10))
        profiles = ""
        for (token, width, height, rate), encoding in zip(sizes, encodings, strict=True):
            encoder = (
                f"<Encoding>{encoding}</Encoding>"
                f"<Resolution><Width>{width}</Width><Height>{height}</Height></Resolution>"
                f"<RateControl><FrameRateLimit>{rate}</FrameRateLimit></RateControl>"
            )
            inner = (
                f"<Configurations><VideoEncoder>{encoder}</VideoEncoder></Configurations>"
                if MEDIA2 in request.tag
                else f"<VideoEncoderConfiguration>{encoder}</VideoEncoderConfiguration>"
            )
            profiles += f'<Profiles token="{token}"><Name>{token}</Name>{inner}</Profiles>'
        return f'<R>{profiles}<Profiles token="audio"><Name>audio</Name></Profiles></R>'

    def _GetStreamUri(self, request: ET.Element) -> str:
        token = next(element.text for element in request.iter() if element.tag.endswith("ProfileToken"))
        uri = self.stream.format(token)
        return f"<R><Uri>{uri}</Uri></R>" if MEDIA2 in request.tag else f"<R><MediaUri><Uri>{uri}</Uri></MediaUri></R>"

    @staticmethod
    def _send(handler: BaseHTTPRequestHandler, code: int, body: bytes) -> None:
        handler.send_response(code)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)


def _enveloped(body: str) -> bytes:
    return f'<s:Envelope xmlns:s="{SOAP}"><s:Body>{body}</s:Body></s:Envelope>'.encode()
