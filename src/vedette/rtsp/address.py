"""Addresses of RTSP streams."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from vedette.redaction import split_credentials
from vedette.rtsp.errors import AddressError

_DEFAULT_PORTS: Final = {"rtsp": 554, "rtsps": 322}
# What may stand in a request line; a percent sign stays, so that what is escaped is not escaped twice.
_SAFE: Final = "/:?#[]@!$&'()*+,;=%-._~"


@dataclass(frozen=True)
class Address:
    """An address without credentials. ``target`` is path and query as they go into a request."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def tls(self) -> bool:
        """Whether the connection is encrypted."""
        return self.scheme == "rtsps"

    @property
    def url(self) -> str:
        """The URL of the stream, the port only where it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == _DEFAULT_PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.target}"


def parse(url: str) -> tuple[Address, str | None, str | None]:
    """Split a URL into (address, user, password); the last two decoded, None where the URL has none.

    :raises AddressError: saying what is wrong with it; the text holds no credentials.
    """
    try:
        clean, user, password = split_credentials(url.strip())
        parts = urlsplit(clean)
        port = parts.port
    except ValueError as error:
        raise AddressError("the address of the stream has a malformed host or port") from error
    if parts.scheme not in _DEFAULT_PORTS:
        got = f"got {parts.scheme}://" if parts.scheme else "got no scheme"
        raise AddressError(f"the address of a camera starts with rtsp:// or rtsps://, {got}")
    host = unquote(parts.hostname or "")
    if not host:
        raise AddressError("the address of the stream names no host")
    if port == 0:
        raise AddressError("the address of the stream has port 0, expected 1 to 65535")
    target = quote(parts.path + (f"?{parts.query}" if parts.query else ""), safe=_SAFE)
    return Address(parts.scheme, host, port or _DEFAULT_PORTS[parts.scheme], target), user, password
