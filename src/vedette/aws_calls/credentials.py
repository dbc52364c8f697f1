"""The device's credentials: from the token exchange service, or from the environment."""

import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from vedette.aws_calls.errors import AwsError, NoCredentials
from vedette.aws_calls.transport import Response, send

Send = Callable[[str, str, Mapping[str, str], bytes], Response]
EARLY_S: Final = 300.0
"""New ones are fetched so long before the old expire."""
AGAIN_S: Final = 10.0
"""The service is not asked sooner after it refused: each question reaches AWS."""


@dataclass(frozen=True)
class Credentials:
    """An access key; only its id may be shown."""

    access_key: str
    secret_key: str = field(repr=False)
    token: str | None = field(default=None, repr=False)
    expires_at: float | None = None
    """Unix time, s; None: not known."""


class CredentialsSource:
    """Gives the credentials that hold now. Not thread-safe."""

    def __init__(
        self,
        environ: Mapping[str, str] = os.environ,
        *,
        send: Send = send,
        wall: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Nothing is asked before :meth:`get`."""
        self._environ = environ
        self._send = send
        self._wall = wall
        self._clock = clock
        self._held: Credentials | None = None
        self._refused: tuple[str, float] | None = None

    def get(self) -> Credentials:
        """Return the credentials.

        :raises NoCredentials: when there are none
        """
        key, secret = self._environ.get("AWS_ACCESS_KEY_ID"), self._environ.get("AWS_SECRET_ACCESS_KEY")
        if key and secret:
            return Credentials(key, secret, self._environ.get("AWS_SESSION_TOKEN"))
        held = self._held
        if held is not None and (held.expires_at is None or self._wall() < held.expires_at - EARLY_S):
            return held
        if self._refused is not None and self._clock() - self._refused[1] < AGAIN_S:
            raise NoCredentials(self._refused[0])
        try:
            self._held = self._fetch()
        except NoCredentials as error:
            if held is not None and held.expires_at is not None and self._wall() < held.expires_at:
                return held
            self._refused = (str(error), self._clock())
            raise
        self._refused = None
        return self._held

    def forget(self) -> None:
        """Fetch anew at the next call: AWS does not take these any more."""
        self._held = None

    def _fetch(self) -> Credentials:
        url = self._environ.get("AWS_CONTAINER_CREDENTIALS_FULL_URI")
        if not url:
            raise NoCredentials(
                "this component has no AWS credentials: deploy aws.greengrass.TokenExchangeService with it"
            )
        headers = {}
        token = self._environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN")
        if token:
            headers["Authorization"] = token
        try:
            answer = self._send("GET", url, headers, b"")
        except AwsError as error:
            raise NoCredentials(f"the token exchange service does not answer: {error}") from error
        if answer.status != 200:
            raise NoCredentials(
                f"the token exchange service gives no credentials (HTTP {answer.status}): "
                "no connection to AWS, or the role alias or its role is wrong; see the nucleus's log"
            )
        try:
            document = json.loads(answer.body)
            expires = document.get("Expiration")
            return Credentials(
                str(document["AccessKeyId"]),
                str(document["SecretAccessKey"]),
                document.get("Token"),
                None if expires is None else datetime.fromisoformat(str(expires).replace("Z", "+00:00")).timestamp(),
            )
        except (ValueError, KeyError, AttributeError, TypeError):
            # Not chained: the error holds the answer.
            raise NoCredentials("the token exchange service's answer cannot be read") from None
