"""Asks a camera what it offers: name look-up, TCP, DESCRIBE with login, description. Nothing is played."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final
from urllib.parse import urljoin

from vedette.redaction import redact
from vedette.rtsp import sdp
from vedette.rtsp.address import Address, parse
from vedette.rtsp.authentication import authorize, parse_challenges, strongest
from vedette.rtsp.connection import Connection, open_connection
from vedette.rtsp.errors import (
    AddressError,
    AnswerRefused,
    Busy,
    ConnectionClosed,
    LoginRefused,
    NoVideo,
    PasswordNeeded,
    ProbeError,
    StreamNotFound,
)
from vedette.rtsp.message import Response
from vedette.rtsp.resolution import resolve

CONNECT_TIMEOUT_S: Final = 3.0
_MAX_REDIRECTS: Final = 3
_USER_AGENT: Final = ("User-Agent", "Vedette")


@dataclass(frozen=True)
class ProbeResult:
    """What a server offers. ``authentication`` is the way the login went, None for a stream without one."""

    address: Address
    peer: str
    authentication: str | None
    server: str | None
    session: sdp.Session
    video: sdp.Media


@dataclass(frozen=True)
class _Login:
    user: str | None
    password: str | None


def probe(
    url: str,
    user: str | None = None,
    password: str | None = None,
    timeout_s: float = 5.0,
    *,
    connect_timeout_s: float = CONNECT_TIMEOUT_S,
    nonce: Callable[[], str] = lambda: os.urandom(8).hex(),
) -> ProbeResult:
    """Ask the server at ``url`` for the stream's description.

    ``timeout_s`` bounds the name look-up and every answer, ``connect_timeout_s`` the connection. A login given as
    arguments comes before one in the URL.

    :raises AddressError: when the URL is not one of RTSP.
    :raises ProbeError: one subclass for each cause.
    """
    address, url_user, url_password = parse(url)
    login = _Login(user, password) if user is not None else _Login(url_user, url_password)
    for _ in range(_MAX_REDIRECTS):
        targets = resolve(address.host, address.port, timeout_s)
        connect = partial(open_connection, address, targets, connect_timeout_s, timeout_s)
        response, authentication, peer = _describe(connect, address, login, nonce)
        if response.code not in (301, 302, 303, 305, 307):
            return _understand(response, address, peer, authentication, login)
        address = _follow(response, address)
    raise AnswerRefused(f"{address.host} redirects in a circle", code=302)


def _describe(
    connect: Callable[[], Connection], address: Address, login: _Login, nonce: Callable[[], str]
) -> "tuple[Response, str | None, str]":
    """Return the answer to DESCRIBE, how the login went, and the peer's IP address."""
    headers = [("Accept", "application/sdp"), _USER_AGENT]
    connection = connect()
    try:
        response = connection.request("DESCRIBE", address.url, headers)
        authentication = None
        # Once with the login, and once more when the server only says that its nonce has become old.
        for count in (1, 2):
            if response.code != 401 or login.user is None:
                break
            challenge = strongest(parse_challenges(response.all("www-authenticate")))
            if challenge is None:
                raise AnswerRefused(f"{address.host} wants a login of a kind that is not known here", code=401)
            if count == 2 and challenge.parameters.get("stale", "").lower() != "true":
                break
            authentication = challenge.name
            authorization = authorize(
                challenge,
                method="DESCRIBE",
                uri=address.url,
                user=login.user,
                password=login.password or "",
                client_nonce=nonce(),
            )
            request = [*headers, ("Authorization", authorization)]
            try:
                response = connection.request("DESCRIBE", address.url, request)
            except ConnectionClosed:
                # Some servers close after 401 and want the login on a new connection.
                connection.close()
                connection = connect()
                response = connection.request("DESCRIBE", address.url, request)
        return response, authentication, connection.peer
    finally:
        connection.close()


def _understand(
    response: Response, address: Address, peer: str, authentication: str | None, login: _Login
) -> ProbeResult:
    if response.code != 200:
        raise _refusal(response, address, login)
    session = sdp.parse(response.body.decode("utf-8", "replace"))
    video = session.video
    if video is None:
        kinds = ", ".join(sorted({media.kind for media in session.media})) or "nothing"
        raise NoVideo(f"The stream {address.target or '/'} of {address.host} has no video, only {kinds}")
    return ProbeResult(address, peer, authentication, response.first("server"), session, video)


def _refusal(response: Response, address: Address, login: _Login) -> ProbeError:
    code = response.code
    if code in (401, 403):
        if login.user is None:
            return PasswordNeeded(f"{address.host} answered {code} and no user name was given", code=code)
        return LoginRefused(f"{address.host} answered {code} to user {login.user}", code=code)
    if code == 404:
        return StreamNotFound(f"{address.host} has no stream at {address.target or '/'} (answer 404)", code=code)
    if code in (453, 503):
        return Busy(f"{address.host} answered {code}: too many viewers, or still starting", code=code)
    reason = redact(response.reason)[:80]
    return AnswerRefused(f"{address.host} answered {code} {reason} to DESCRIBE", code=code)


def _follow(response: Response, address: Address) -> Address:
    """Return where a redirect leads. The login goes along only to the same host."""
    try:
        target, _, _ = parse(urljoin(address.url, response.first("location") or ""))
    except AddressError as error:
        raise AnswerRefused(f"{address.host} redirects to no RTSP stream", code=response.code) from error
    if target.host != address.host or (address.tls and not target.tls):
        raise AnswerRefused(
            f"{address.host} redirects to {target.url}: use that address if the camera is meant", code=response.code
        )
    return target
