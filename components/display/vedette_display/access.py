"""Who may see the page and who may change things: names in Host, pages in Origin, and the access key.

Host is checked because a foreign page can point its own name at 127.0.0.1 (DNS rebinding), Origin because a browser
lets every page open a WebSocket anywhere. The key comes in the address once and moves into a cookie that scripts and
other sites cannot use; it is never logged. On loopback whoever has an account on the machine may look; to change
things takes the key there too, since applications are foreign code on the same machine.
"""

import hashlib
import hmac
import os
import secrets
import socket
from collections.abc import Iterable
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from vedette_display.request import HttpError, Request

KEY_BYTES: Final = 32
_LOOPBACK_NAMES: Final = ("localhost", "127.0.0.1", "::1")
_OFFERED_ADDRESS: Final = "Open the address that `vedette status` prints."


def load_key(path: Path) -> str:
    """Return the key kept in ``path``, mode 0600; a new one is made when there is none.

    It outlives the process, so that pages which are open find the display again after a restart; deleting the file and
    restarting shuts everybody out.

    :raises OSError: when it can neither be read nor written.
    """
    try:
        key = path.read_text().strip()
    except FileNotFoundError:
        key = ""
    if len(key) >= KEY_BYTES:
        path.chmod(0o600)
        return key
    path.unlink(missing_ok=True)
    key = secrets.token_urlsafe(KEY_BYTES)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(key + "\n")
    return key


class Access:
    """Judges requests.

    ``loopback``: the page is bound to it, and looking needs no key; ``names``: more names of this device; ``secure``:
    it is served over TLS.
    """

    def __init__(
        self, key: str, port: int, names: Iterable[str] = (), *, loopback: bool = True, secure: bool = False
    ) -> None:
        self._key = key
        self._port = port
        self._loopback = loopback
        self._secure = secure
        self._names = {name.lower() for name in (*_LOOPBACK_NAMES, *names)}
        # The cookie is not the key itself: who reads a browser's cookies cannot pass the address on.
        self._cookie = hmac.new(key.encode(), b"vedette page", hashlib.sha256).hexdigest()

    @property
    def cookie_name(self) -> str:
        """Cookies do not tell ports apart, and a machine may have several displays."""
        return f"vedette_{self._port}"

    def check_source(self, request: Request) -> None:
        """Check that the request names this device, and that no foreign page has made it.

        :raises HttpError: when not.
        """
        host = request.headers.get("host", "")
        if not self._known(_name_of(host)):
            raise HttpError(
                HTTPStatus.MISDIRECTED_REQUEST,
                f"This device is not called {_name_of(host)!r}. If it is, add the name to `hosts` in the configuration"
                " of vedette.Display.",
            )
        origin = request.headers.get("origin")
        if origin is not None and origin.partition("://")[2].lower() != host.lower():
            raise HttpError(HTTPStatus.FORBIDDEN, "Pages of other sites may not use this one.")
        site = request.headers.get("sec-fetch-site", "none")
        if site in ("cross-site", "same-site") and request.headers.get("sec-fetch-mode") != "navigate":
            raise HttpError(HTTPStatus.FORBIDDEN, "Pages of other sites may not use this one.")

    def check_page(self, request: Request) -> None:
        """Check that a WebSocket is opened by a page of ours: browsers always tell the origin.

        :raises HttpError: when not.
        """
        if "origin" not in request.headers:
            raise HttpError(HTTPStatus.FORBIDDEN, "A WebSocket needs an Origin header that names this device.")

    def check_look(self, request: Request) -> None:
        """Check that whoever asks may look.

        :raises HttpError: when not.
        """
        if not self._loopback and not self.may_control(request):
            raise HttpError(HTTPStatus.FORBIDDEN, f"This page wants an access key. {_OFFERED_ADDRESS}")

    def check_control(self, request: Request) -> None:
        """Check that whoever asks may change things and read logs.

        :raises HttpError: when not.
        """
        if not self.may_control(request):
            raise HttpError(HTTPStatus.FORBIDDEN, f"This takes the access key. {_OFFERED_ADDRESS}")

    def may_control(self, request: Request) -> bool:
        """Tell whether key or cookie is right."""
        if self.brings_key(request):
            return True
        try:
            morsel = SimpleCookie(request.headers.get("cookie", "")).get(self.cookie_name)
        except CookieError:
            return False
        return morsel is not None and hmac.compare_digest(morsel.value.encode(), self._cookie.encode())

    def brings_key(self, request: Request) -> bool:
        """Tell whether the right key is in the address."""
        return hmac.compare_digest(request.query.get("key", "").encode(), self._key.encode())

    def cookie_header(self) -> tuple[str, str]:
        """Return the header that puts the cookie into the browser, for 30 days."""
        value = f"{self.cookie_name}={self._cookie}; Path=/; Max-Age=2592000; HttpOnly; SameSite=Strict"
        return "Set-Cookie", f"{value}; Secure" if self._secure else value

    def _known(self, name: str) -> bool:
        if name in self._names:
            return True
        if self._loopback:
            return False
        # A rebound name is a name: an address in Host cannot have come about that way.
        try:
            ip_address(name)
        except ValueError:
            return False
        return True


def names_of_this_device() -> list[str]:
    """Return what this device is called on its network."""
    name = socket.gethostname().lower()
    return [name, name.partition(".")[0], f"{name.partition('.')[0]}.local"]


def _name_of(host: str) -> str:
    """Return the Host header without port and brackets, in lower case."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()
