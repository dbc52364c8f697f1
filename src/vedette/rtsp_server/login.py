"""Who may see the streams: digest (RFC 2617, MD5, what every player knows) or basic. A codec: no I/O."""

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Final, Literal

from vedette.rtsp.authentication import parse_challenges

REALM: Final = "Vedette"


@dataclass(frozen=True)
class Login:
    """The one user of a server. The password never appears in ``repr``."""

    user: str
    password: str = field(repr=False)
    method: Literal["digest", "basic"] = "digest"

    def challenge(self, nonce: str) -> str:
        """Return the value of WWW-Authenticate."""
        if self.method == "basic":
            return f'Basic realm="{REALM}"'
        return f'Digest realm="{REALM}", nonce="{nonce}"'

    def accepts(self, authorization: str | None, method: str, nonce: str) -> bool:
        """Tell whether the value of an Authorization header answers this server's challenge."""
        if not authorization:
            return False
        if self.method == "basic":
            return self._accepts_basic(authorization)
        given = parse_challenges([authorization])
        if not given or given[0].scheme != "digest":
            return False
        told = given[0].parameters
        who, what = _md5(f"{self.user}:{REALM}:{self.password}"), _md5(f"{method}:{told.get('uri', '')}")
        expected = _md5(f"{who}:{nonce}:{what}")
        return (
            told.get("username") == self.user
            and told.get("nonce") == nonce
            and hmac.compare_digest(told.get("response", "").encode(), expected.encode())
        )

    def _accepts_basic(self, authorization: str) -> bool:
        scheme, _, coded = authorization.partition(" ")
        try:
            given = base64.b64decode(coded.strip(), validate=True)
        except (binascii.Error, ValueError):
            return False
        return scheme.lower() == "basic" and hmac.compare_digest(given, f"{self.user}:{self.password}".encode())


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
