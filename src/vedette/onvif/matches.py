"""WS-Discovery: the question and the answers of cameras (ONVIF core specification, 7). A codec: no I/O."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, urlsplit

from vedette.onvif.envelope import SOAP, decode, find, local, text_of
from vedette.onvif.errors import NotOnvif

_ADDRESSING: Final = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
_DISCOVERY: Final = "http://schemas.xmlsoap.org/ws/2005/04/discovery"
_NETWORK: Final = "http://www.onvif.org/ver10/network/wsdl"
_SCOPE: Final = "onvif://www.onvif.org/"
_MOST_MATCHES: Final = 32
_MOST_TEXT: Final = 120


@dataclass(frozen=True)
class Found:
    """A camera that has answered. ``service`` is the address of its device service, at the host that answered."""

    identity: str
    host: str
    service: str
    name: str = ""
    hardware: str = ""


def encode_probe(message_id: str) -> bytes:
    """Return the question; ``message_id`` is a fresh UUID."""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="{SOAP}" xmlns:a="{_ADDRESSING}"'
        f' xmlns:d="{_DISCOVERY}" xmlns:n="{_NETWORK}"><s:Header><a:MessageID>urn:uuid:{message_id}</a:MessageID>'
        f"<a:To>urn:schemas-xmlsoap-org:ws:2005:04:discovery</a:To><a:Action>{_DISCOVERY}/Probe</a:Action></s:Header>"
        f"<s:Body><d:Probe><d:Types>n:NetworkVideoTransmitter</d:Types></d:Probe></s:Body></s:Envelope>"
    ).encode()


def decode_matches(document: bytes, sender: str) -> list[Found]:
    """Return the cameras in an answer from the address ``sender``; none in what is no answer.

    Whoever is in the network may answer anything: only addresses at the host that sent them are taken.
    """
    try:
        body = decode(document)
    except NotOnvif:
        return []
    matches = find(body, "ProbeMatches")
    if matches is None:
        return []
    found = []
    for match in [each for each in matches if local(each) == "ProbeMatch"][:_MOST_MATCHES]:
        service = _service_at(text_of(find(match, "XAddrs")).split(), sender)
        if service is None:
            continue
        scopes = _scopes(text_of(find(match, "Scopes")).split())
        identity = text_of(find(match, "EndpointReference", "Address"))[:_MOST_TEXT] or service
        found.append(Found(identity, sender, service, scopes.get("name", ""), scopes.get("hardware", "")))
    return found


def _service_at(addresses: list[str], sender: str) -> str | None:
    """Return the address of the service at the host that answered.

    A camera lists an address for each of its networks; behind a translation of addresses none is the one it has here.
    """
    usable = []
    for address in addresses:
        try:
            parts = urlsplit(address)
            port = parts.port
        except ValueError:
            continue
        if parts.scheme in ("http", "https") and parts.hostname:
            usable.append((parts, port))
    for parts, port in sorted(usable, key=lambda each: each[0].hostname != sender):
        host = f"[{sender}]" if ":" in sender else sender
        return f"{parts.scheme}://{host}{f':{port}' if port else ''}{parts.path or '/onvif/device_service'}"
    return None


def _scopes(scopes: list[str]) -> dict[str, str]:
    told: dict[str, str] = {}
    for scope in scopes:
        if scope.startswith(_SCOPE):
            kind, _, value = scope.removeprefix(_SCOPE).partition("/")
            told.setdefault(kind, "".join(c for c in unquote(value) if c.isprintable())[:_MOST_TEXT])
    return told
