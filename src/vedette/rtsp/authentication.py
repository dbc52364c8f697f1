"""Answers to a server's demand for a login: basic (RFC 7617) and digest (RFC 2617, RFC 7616). A codec: no I/O."""

import base64
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

_HASHES: Final = {"MD5": "md5", "SHA-256": "sha256"}
_SCHEME: Final = re.compile(r"\s*,?\s*([A-Za-z][A-Za-z0-9_-]*)(?=\s+[^=\s]|\s*$|\s*,)")
_PARAMETER: Final = re.compile(r'\s*,?\s*([A-Za-z][A-Za-z0-9_*-]*)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*))')


@dataclass(frozen=True)
class Challenge:
    """One way of logging in that a server offers; scheme and parameter names in lower case."""

    scheme: str
    parameters: dict[str, str] = field(default_factory=dict)

    @property
    def algorithm(self) -> str:
        """Digest algorithm without ``-sess``, in capitals; MD5 when the server names none."""
        return self.parameters.get("algorithm", "MD5").upper().removesuffix("-SESS")

    @property
    def name(self) -> str:
        """The way for people: ``basic``, ``digest (MD5)``, ``digest (SHA-256)``."""
        return f"digest ({self.algorithm})" if self.scheme == "digest" else self.scheme


def parse_challenges(values: Iterable[str]) -> list[Challenge]:
    """Read the values of WWW-Authenticate headers, several challenges in one value included."""
    challenges = []
    for value in values:
        position = 0
        while match := _SCHEME.match(value, position):
            parameters: dict[str, str] = {}
            scheme, position = match[1].lower(), match.end()
            while found := _PARAMETER.match(value, position):
                quoted = found[2]
                parameters[found[1].lower()] = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else found[3]
                position = found.end()
            challenges.append(Challenge(scheme, parameters))
    return challenges


def strongest(challenges: Iterable[Challenge]) -> Challenge | None:
    """Return the best challenge that can be answered: digest SHA-256, digest MD5, basic; None when there is none."""
    order = ["digest (SHA-256)", "digest (MD5)", "basic"]
    usable = [c for c in challenges if c.name in order and (c.scheme == "basic" or "nonce" in c.parameters)]
    return min(usable, key=lambda c: order.index(c.name), default=None)


def authorize(
    challenge: Challenge,
    *,
    method: str,
    uri: str,
    user: str,
    password: str,
    client_nonce: str,
    count: int = 1,
) -> str:
    """Return the value of the Authorization header that answers ``challenge``.

    ``client_nonce`` is a fresh random text; ``count`` says the how-manieth request with this server nonce it is.
    """
    if challenge.scheme == "basic":
        return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
    # Only here: it takes 4 MB, which a camera without a login, and a video file, need not pay for.
    import hashlib

    given = challenge.parameters
    realm, nonce = given.get("realm", ""), given["nonce"]
    named = given.get("algorithm")

    def digest(text: str) -> str:
        return hashlib.new(_HASHES[challenge.algorithm], text.encode(), usedforsecurity=False).hexdigest()

    ha1 = digest(f"{user}:{realm}:{password}")
    if named is not None and named.upper().endswith("-SESS"):
        ha1 = digest(f"{ha1}:{nonce}:{client_nonce}")
    ha2 = digest(f"{method}:{uri}")
    fields = [
        ("username", _quote(user)),
        ("realm", _quote(realm)),
        ("nonce", _quote(nonce)),
        ("uri", _quote(uri)),
    ]
    if "auth" in [word.strip() for word in given.get("qop", "").split(",")]:
        counted = f"{count:08x}"
        response = digest(f"{ha1}:{nonce}:{counted}:{client_nonce}:auth:{ha2}")
        fields += [("qop", "auth"), ("nc", counted), ("cnonce", _quote(client_nonce))]
    else:
        response = digest(f"{ha1}:{nonce}:{ha2}")
    fields.append(("response", _quote(response)))
    if named is not None:
        fields.append(("algorithm", named))
    if "opaque" in given:
        fields.append(("opaque", _quote(given["opaque"])))
    return "Digest " + ", ".join(f"{name}={value}" for name, value in fields)


def _quote(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
