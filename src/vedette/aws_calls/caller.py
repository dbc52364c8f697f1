"""Calls one service: signs, sends, tells what became of it."""

import concurrent.futures
import email.utils
import hashlib
import json
import logging
import os
import re
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from vedette.aws_calls.credentials import Credentials, CredentialsSource, Send
from vedette.aws_calls.endpoint import endpoint
from vedette.aws_calls.errors import Denied, NoCredentials, Rejected, Unreachable
from vedette.aws_calls.transport import Response, send

if TYPE_CHECKING:
    from vedette.aws_calls.upload_stream import UploadStream

logger = logging.getLogger(__name__)

_SIGNING_TIMEOUT_S: Final = 10.0
_EMPTY: Final = hashlib.sha256(b"").hexdigest()
_SKEW_S: Final = 240.0
"""AWS takes signatures up to 300 s old."""
_OLD: Final = frozenset(
    {"ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException"}
)
_CLOCK: Final = frozenset(
    {"RequestExpired", "RequestTimeTooSkewed", "InvalidSignatureException", "SignatureDoesNotMatch"}
)
_THROTTLED: Final = re.compile(r"Throttl|TooManyRequests|RequestLimitExceeded|SlowDown|LimitExceeded$")
_DENIED: Final = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedException"})
_XML_CODE: Final = re.compile(r"<Code>([^<]{1,100})</Code>")
_XML_MESSAGE: Final = re.compile(r"<Message>([^<]{1,500})")


class AwsCaller:
    """One service in one region. Not thread-safe."""

    def __init__(
        self,
        service: str,
        region: str,
        credentials: CredentialsSource,
        *,
        environ: Mapping[str, str] = os.environ,
        send: Send = send,
        wall: Callable[[], float] = time.time,
        times_in_body: bool = False,
    ) -> None:
        """Prepare; nothing is sent yet.

        :param service: its name in signatures: ``monitoring``, ``logs``, ``secretsmanager``, ``s3``
        :param times_in_body: requests hold times made with :meth:`now`: one that was refused for this device's wrong
            clock is not repeated here, but raises Unreachable
        """
        self._service = service
        self._region = region
        self._url = endpoint(service, region, environ)
        self._credentials = credentials
        self._send = send
        self._wall = wall
        self._times_in_body = times_in_body
        self.clock_checked = False
        """Whether AWS has told the time, so that :meth:`now` can be relied on."""
        self.clock_ahead_s = 0.0
        """How far this device's clock is ahead of AWS's, as far as that was in the way."""

    def now(self) -> float:
        """Unix time as AWS has it, s."""
        return self._wall() - self.clock_ahead_s

    def call(
        self,
        action: str,
        body: bytes,
        headers: Mapping[str, str],
        *,
        method: str = "POST",
        path: str = "/",
    ) -> Response:
        """Make one call; once more at once with new credentials, or with the right time, where those were the reason.

        :param action: as policies name it, for messages: ``cloudwatch:PutMetricData``
        :raises AwsError: what went wrong
        """
        for last in (False, True):
            credentials = self._credentials.get()
            answer = self._send(method, self._url + path, self._signed(credentials, method, path, headers, body), body)
            corrected = self._correct_clock(answer)
            if answer.status < 300:
                return answer
            code, message = _error_of(answer)
            if not last and corrected and code in _CLOCK:
                if self._times_in_body:
                    raise Unreachable(f"{action}: this device's clock was wrong", code)
                continue
            if not last and code in _OLD:
                self._credentials.forget()
                continue
            raise _error(action, answer.status, code, message)
        raise AssertionError  # the second round returns or raises

    def open_stream(
        self, url: str, headers: Mapping[str, str], *, stopped: Callable[[], bool] = lambda: False
    ) -> "UploadStream":
        """Begin a request whose body is not known yet; what becomes of it, :meth:`check_stream` tells.

        Signed as AWS's own producers of Kinesis Video Streams do: with the digest of an empty body.

        :raises AwsError: without credentials or connection
        """
        # select and TLS: only where something is streamed
        from vedette.aws_calls.upload_stream import UploadStream

        parts = urlsplit(url)
        given = {"Host": parts.netloc, "Transfer-Encoding": "chunked", "User-Agent": "vedette", **headers}
        signed = self._sign(self._credentials.get(), "POST", parts.path, given, _EMPTY, tell_digest=False)
        return UploadStream(url, signed, stopped=stopped)

    def check_stream(self, action: str, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """Raise what a streamed request's answer says; with its time, the device's clock is put right.

        :raises AwsError: when it was refused; ``code`` is AWS's name for it
        """
        answer = Response(status, headers, body)
        corrected = self._correct_clock(answer)
        if status < 300:
            return
        code, message = _error_of(answer)
        if code in _OLD:
            self._credentials.forget()
        if corrected and code in _CLOCK:
            raise Unreachable(f"{action}: this device's clock was wrong", code)
        raise _error(action, status, code, message)

    def call_json(self, action: str, target: str, content: Mapping[str, Any]) -> dict[str, Any]:
        """Call an operation of a service that speaks JSON 1.1; return its answer.

        :param target: ``secretsmanager.GetSecretValue``
        """
        body = json.dumps(content).encode()
        answer = self.call(action, body, {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": target})
        try:
            document = json.loads(answer.body or b"{}")
        except ValueError:
            raise Unreachable(f"{action}: the answer cannot be read") from None
        return document if isinstance(document, dict) else {}

    def _signed(
        self, credentials: Credentials, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> dict[str, str]:
        given = {"Host": urlsplit(self._url).netloc, "Content-Length": str(len(body)), **headers}
        return self._sign(credentials, method, path, given, hashlib.sha256(body).hexdigest())

    def _sign(
        self,
        credentials: Credentials,
        method: str,
        path: str,
        given: Mapping[str, str],
        digest: str,
        *,
        tell_digest: bool = True,
    ) -> dict[str, str]:
        from awscrt import auth, http

        request = http.HttpRequest(method, path, http.HttpHeaders(list(given.items())))
        signing = auth.AwsSigningConfig(
            algorithm=auth.AwsSigningAlgorithm.V4,
            signature_type=auth.AwsSignatureType.HTTP_REQUEST_HEADERS,
            credentials_provider=auth.AwsCredentialsProvider.new_static(
                credentials.access_key, credentials.secret_key, credentials.token
            ),
            region=self._region,
            service=self._service,
            date=datetime.fromtimestamp(self.now(), timezone.utc),
            use_double_uri_encode=self._service != "s3",
            should_normalize_uri_path=self._service != "s3",
            signed_body_value=digest,
            signed_body_header_type=(
                auth.AwsSignedBodyHeaderType.X_AMZ_CONTENT_SHA_256 if tell_digest else auth.AwsSignedBodyHeaderType.NONE
            ),
        )
        try:
            auth.aws_sign_request(request, signing).result(_SIGNING_TIMEOUT_S)
        except concurrent.futures.TimeoutError:
            raise NoCredentials("the request could not be signed in time") from None
        return dict(request.headers)

    def _correct_clock(self, answer: Response) -> bool:
        date = answer.headers.get("date")
        try:
            theirs = email.utils.parsedate_to_datetime(date or "").timestamp()
        except (TypeError, ValueError):
            return False
        self.clock_checked = True
        ahead = self._wall() - theirs
        if abs(ahead - self.clock_ahead_s) < _SKEW_S:
            return False
        logger.warning("this device's clock is %.0f s ahead of AWS's: AWS's counts for calls", ahead)
        self.clock_ahead_s = ahead
        return True


def _error_of(answer: Response) -> tuple[str, str]:
    """Return AWS's code and message, of JSON, XML or neither."""
    text = answer.body[:20_000].decode(errors="replace")
    try:
        document = json.loads(text)
    except ValueError:
        code, message = _XML_CODE.search(text), _XML_MESSAGE.search(text)
        return (code[1] if code else ""), (message[1] if message else "")
    if not isinstance(document, dict):
        return "", ""
    kind = answer.headers.get("x-amzn-errortype") or document.get("__type") or document.get("code") or ""
    message_text = document.get("message") or document.get("Message") or ""
    return str(kind).split(":")[0].rpartition("#")[2], str(message_text)[:500]


def _error(action: str, status: int, code: str, message: str) -> Exception:
    said = f"{action}: {code or f'HTTP {status}'}{': ' if message else ''}{message[:300]}"
    if status >= 500 or status == 429 or _THROTTLED.search(code):
        return Unreachable(said, code)
    if code in _DENIED or (status == 403 and code not in _OLD | _CLOCK):
        return Denied(f"the device's role may not do {action}: add it to the token exchange role's policy", code)
    if code in _OLD | _CLOCK:
        return NoCredentials(said, code)
    return Rejected(said, code)
