"""Requests to one server, with the login that it asks for."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from vedette.rtsp.address import Address
from vedette.rtsp.authentication import Challenge, authorize, parse_challenges, strongest
from vedette.rtsp.connection import Connection
from vedette.rtsp.errors import AnswerRefused, ConnectionClosed
from vedette.rtsp.message import Response

_USER_AGENT: Final = ("User-Agent", "Vedette")


def fresh_nonce() -> str:
    """Return a random text for the answer to a digest challenge."""
    return os.urandom(8).hex()


@dataclass(frozen=True)
class Login:
    """User and password; None where there is none. The password never appears in ``repr``."""

    user: str | None
    password: str | None = field(repr=False)


class Dialogue:
    """Asks over a connection that ``connect()`` makes, logged in from the first 401 on. Close it at the end."""

    def __init__(
        self, address: Address, login: Login, connect: Callable[[], Connection], nonce: Callable[[], str] = fresh_nonce
    ) -> None:
        self._address = address
        self.login = login
        self._connect = connect
        self._nonce = nonce
        self._challenge: Challenge | None = None
        self._count = 0
        self.connection = connect()

    @property
    def authentication(self) -> str | None:
        """The way the login went, None while none was asked for."""
        return self._challenge.name if self._challenge else None

    def request(self, method: str, url: str, *headers: tuple[str, str]) -> Response:
        """Return the answer; one that asks for a login only when there is none or it is refused.

        :raises AnswerRefused: when the login is of a kind that is not known here.
        :raises ProbeError: when no answer comes; one subclass for each cause.
        """
        response = self.connection.request(method, url, self._headers(method, url, headers))
        # Once with the login, and once more when the server only says that its nonce has become old.
        for _ in (1, 2):
            if not self.is_asked(response):
                break
            headers_now = self._headers(method, url, headers)
            try:
                response = self.connection.request(method, url, headers_now)
            except ConnectionClosed:
                # Some servers close after 401 and want the login on a new connection.
                self.connection.close()
                self.connection = self._connect()
                response = self.connection.request(method, url, headers_now)
        return response

    def send(self, method: str, url: str, *headers: tuple[str, str]) -> None:
        """Send a request whose answer comes among the stream's packets.

        :raises ConnectionClosed: when it cannot be sent.
        """
        self.connection.send(method, url, self._headers(method, url, headers))

    def is_asked(self, response: Response) -> bool:
        """Tell whether an answer asks for a login that can be given now and was not given before.

        :raises AnswerRefused: when it is of a kind that is not known here.
        """
        if response.code != 401 or self.login.user is None:
            return False
        challenge = strongest(parse_challenges(response.all("www-authenticate")))
        if challenge is None:
            raise AnswerRefused(f"{self._address.host} wants a login of a kind that is not known here", code=401)
        if self._challenge is not None and challenge.parameters.get("stale", "").lower() != "true":
            return False
        self._challenge, self._count = challenge, 0
        return True

    def close(self) -> None:
        """End the connection."""
        self.connection.close()

    def _headers(self, method: str, url: str, headers: tuple[tuple[str, str], ...]) -> list[tuple[str, str]]:
        if self._challenge is None or self.login.user is None:
            return [*headers, _USER_AGENT]
        self._count += 1
        authorization = authorize(
            self._challenge,
            method=method,
            uri=url,
            user=self.login.user,
            password=self.login.password or "",
            client_nonce=self._nonce(),
            count=self._count,
        )
        return [*headers, _USER_AGENT, ("Authorization", authorization)]
