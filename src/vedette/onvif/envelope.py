"""SOAP 1.2 envelopes as ONVIF uses them, with the login of WS-Security (UsernameToken, password digest). No I/O."""

import base64
import hashlib
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from xml.sax.saxutils import escape

from vedette.onvif.errors import NotOnvif

MAX_BYTES: Final = 1024 * 1024
SOAP: Final = "http://www.w3.org/2003/05/soap-envelope"
_SECURITY: Final = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
_UTILITY: Final = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
_DIGEST: Final = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordDigest"
_NONCE: Final = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#Base64Binary"


@dataclass(frozen=True)
class Token:
    """A login, good for one request. ``created`` is the camera's time: it refuses what is too old."""

    user: str
    password: str = field(repr=False)
    nonce: bytes
    created: datetime


def encode(body: str, token: Token | None = None) -> bytes:
    """Return an envelope around ``body``, which is XML."""
    header = "" if token is None else f"<s:Header>{_security(token)}</s:Header>"
    document = f'<s:Envelope xmlns:s="{SOAP}">{header}<s:Body>{body}</s:Body></s:Envelope>'
    return f'<?xml version="1.0" encoding="UTF-8"?>{document}'.encode()


def decode(document: bytes) -> ET.Element:
    """Return the body of an envelope.

    :raises NotOnvif: when it is none.
    """
    if len(document) > MAX_BYTES or b"<!DOCTYPE" in document or b"<!ENTITY" in document:
        raise NotOnvif("the answer is no SOAP envelope")
    try:
        body = ET.fromstring(document).find(f"{{{SOAP}}}Body")  # noqa: S314 - see above
    except (ET.ParseError, ValueError, LookupError) as error:
        raise NotOnvif("the answer is no SOAP envelope") from error
    if body is None:
        raise NotOnvif("the answer is no SOAP envelope")
    return body


def fault(body: ET.Element) -> tuple[str, str] | None:
    """Return what a fault says, (codes, reason); None when the body is none."""
    found = next((element for element in body if local(element) == "Fault"), None)
    if found is None:
        return None
    codes = " ".join(text_of(element) for element in found.iter() if local(element) == "Value")
    reason = next((text_of(element) for element in found.iter() if local(element) in ("Text", "faultstring")), "")
    return codes, reason


def local(element: ET.Element) -> str:
    """Return an element's name without its namespace."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def find(element: ET.Element, *path: str) -> ET.Element | None:
    """Return the first descendant along ``path``, namespaces left out of account, or None."""
    for name in path:
        below = next((child for child in element if local(child) == name), None)
        if below is None:
            return None
        element = below
    return element


def text_of(element: ET.Element | None) -> str:
    """Return the text of an element, stripped; empty for None."""
    return (element.text or "").strip() if element is not None else ""


def _security(token: Token) -> str:
    created = f"{token.created:%Y-%m-%dT%H:%M:%S.000Z}"
    secret = token.nonce + created.encode() + token.password.encode()
    digest = base64.b64encode(hashlib.sha1(secret, usedforsecurity=False).digest()).decode()
    nonce = base64.b64encode(token.nonce).decode()
    return (
        f'<w:Security s:mustUnderstand="1" xmlns:w="{_SECURITY}" xmlns:u="{_UTILITY}"><w:UsernameToken>'
        f'<w:Username>{escape(token.user)}</w:Username><w:Password Type="{_DIGEST}">{digest}</w:Password>'
        f'<w:Nonce EncodingType="{_NONCE}">{nonce}</w:Nonce><u:Created>{created}</u:Created>'
        f"</w:UsernameToken></w:Security>"
    )
