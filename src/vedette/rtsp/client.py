"""Asks a camera what it offers: name look-up, TCP, DESCRIBE with login, description. Nothing is played."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final
from urllib.parse import urljoin

from vedette.redaction import redact
from vedette.rtsp import sdp
from vedette.rtsp.address import Address, parse
from vedette.rtsp.connection import open_connection
from vedette.rtsp.dialogue import Dialogue, Login, fresh_nonce
from vedette.rtsp.errors import (
    AddressError,
    AnswerRefused,
    Busy,
    LoginRefused,
    NoVideo,
    PasswordNeeded,
    StreamNotFound,
    TransportRefused,
)
from vedette.rtsp.message import Response
from vedette.rtsp.resolution import resolve

CONNECT_TIMEOUT_S: Final = 3.0
ANSWER_TIMEOUT_S: Final = 5.0
_MAX_REDIRECTS: Final = 3


@dataclass(frozen=True)
class ProbeResult:
    """What a server offers.

    ``authentication`` is the way the login went, None for a stream without one; ``base`` is the URL that the streams'
    own addresses are relative to.
    """

    address: Address
    peer: str
    authentication: str | None
    server: str | None
    session: sdp.Session
    video: sdp.Media
    base: str


def probe(
    url: str,
    user: str | None = None,
    password: str | None = None,
    timeout_s: float = ANSWER_TIMEOUT_S,
    *,
    connect_timeout_s: float = CONNECT_TIMEOUT_S,
    authority: str | None = None,
    nonce: Callable[[], str] = fresh_nonce,
) -> ProbeResult:
    """Ask the server at ``url`` for the stream's description.

    ``timeout_s`` bounds the name look-up and every answer, ``connect_timeout_s`` the connection. A login given as
    arguments comes before one in the URL. For ``authority`` see :func:`describe`.

    :raises AddressError: when the URL is not one of RTSP.
    :raises ProbeError: one subclass for each cause.
    """
    result, dialogue = describe(
        url,
        user,
        password,
        timeout_s=timeout_s,
        connect_timeout_s=connect_timeout_s,
        authority=authority,
        nonce=nonce,
    )
    dialogue.close()
    return result


def describe(
    url: str,
    user: str | None,
    password: str | None,
    *,
    timeout_s: float = ANSWER_TIMEOUT_S,
    connect_timeout_s: float = CONNECT_TIMEOUT_S,
    authority: str | None = None,
    nonce: Callable[[], str] = fresh_nonce,
) -> tuple[ProbeResult, Dialogue]:
    """Do what :func:`probe` does and leave the connection open, for the dialogue to go on.

    ``authority`` is the certificate (PEM) that the server's has to be, or to be signed with; None trusts whom the
    device trusts.
    """
    address, url_user, url_password = parse(url)
    login = Login(user, password) if user is not None else Login(url_user, url_password)
    for _ in range(_MAX_REDIRECTS):
        targets = resolve(address.host, address.port, timeout_s)
        connect = partial(open_connection, address, targets, connect_timeout_s, timeout_s, authority=authority)
        dialogue = Dialogue(address, login, connect, nonce)
        try:
            response = dialogue.request("DESCRIBE", address.url, ("Accept", "application/sdp"))
            if response.code not in (301, 302, 303, 305, 307):
                return _understand(response, address, dialogue, login), dialogue
            address = _follow(response, address)
        except BaseException:
            dialogue.close()
            raise
        dialogue.close()
    raise AnswerRefused(f"{address.host} redirects in a circle", code=302)


def _understand(response: Response, address: Address, dialogue: Dialogue, login: Login) -> ProbeResult:
    check(response, "DESCRIBE", address, login)
    session = sdp.parse(response.body.decode("utf-8", "replace"))
    video = session.video
    if video is None:
        kinds = ", ".join(sorted({media.kind for media in session.media})) or "nothing"
        raise NoVideo(f"The stream {address.target or '/'} of {address.host} has no video, only {kinds}")
    base = response.first("content-base") or response.first("content-location") or address.url
    return ProbeResult(
        address,
        dialogue.connection.peer,
        dialogue.authentication,
        response.first("server"),
        session,
        video,
        urljoin(address.url, base),
    )


def check(response: Response, method: str, address: Address, login: Login) -> None:
    """Do nothing for an answer that is good.

    :raises ProbeError: for every other, one subclass for each cause.
    """
    code = response.code
    if code == 200:
        return
    if code in (401, 403):
        if login.user is None:
            raise PasswordNeeded(f"{address.host} answered {code} and no user name was given", code=code)
        raise LoginRefused(f"{address.host} answered {code} to user {login.user}", code=code)
    if code == 404:
        raise StreamNotFound(f"{address.host} has no stream at {address.target or '/'} (answer 404)", code=code)
    if code in (453, 503):
        raise Busy(f"{address.host} answered {code}: too many viewers, or still starting", code=code)
    if code == 461:
        raise TransportRefused(f"{address.host} does not send over the transport that was asked for", code=code)
    reason = redact(response.reason)[:80]
    raise AnswerRefused(f"{address.host} answered {code} {reason} to {method}", code=code)


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
