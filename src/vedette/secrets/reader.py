"""Reads secrets: through the nucleus's secret manager, or from AWS where the nucleus has none, or not this one.

Nucleus lite has no secret manager. That of the Java nucleus keeps one list of secrets for a device: in a device that
gets deployments by several groups, the list of the newest deployment replaces the others'.
"""

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from vedette.aws_calls import AwsCaller, AwsError, CredentialsSource
from vedette.bus import Bus, NotFound, NotSupported
from vedette.secrets.cache import SecretCache
from vedette.secrets.cloud import CloudSecrets

logger = logging.getLogger(__name__)

_TOKEN_EXCHANGE: Final = "AWS_CONTAINER_CREDENTIALS_FULL_URI"
"""Set by the nucleus where a component gets the device's credentials."""
FRESH_AGAIN_S: Final = 60.0
"""A login that is refused has the secret fetched from AWS anew, but not more often than this."""


class SecretReader:
    """Gives the texts of secrets. May be used by several threads."""

    def __init__(
        self,
        bus: Bus,
        cache: Path | None = None,
        *,
        environ: Mapping[str, str] = os.environ,
        clock: Callable[[], float] = time.monotonic,
        caller: AwsCaller | None = None,
    ) -> None:
        """Prepare; nothing is asked yet.

        :param cache: file for secrets that were read from AWS, encrypted, for a start without a connection
        :param caller: of Secrets Manager; None: over the network, with the device's credentials
        """
        self._bus = bus
        self._cache = cache
        self._environ = environ
        self._clock = clock
        self._caller = caller
        self._lock = threading.Lock()
        self._fresh_at: dict[str, float] = {}
        self._opened: CloudSecrets | None = None
        self._without_manager = False

    def get(self, secret_id: str, *, refused: bool = False) -> str:
        """Return a secret's text by name or ARN.

        :param refused: what the secret said last is not taken any more: it may have been rotated
        :raises BusError: when the nucleus does not give it
        :raises AwsError: when the nucleus has no secrets, and AWS does not give it either
        """
        fresh = refused and self._fresh_is_due(secret_id)
        if self._without_manager:
            return self._cloud().get(secret_id, fresh=fresh)
        try:
            return self._bus.get_secret(secret_id, fresh=fresh)
        except NotSupported:
            logger.info("this nucleus has no secrets: they are read from AWS Secrets Manager")
            self._without_manager = True
        except NotFound as error:
            if self._caller is None and not self._environ.get(_TOKEN_EXCHANGE):
                raise  # a developer's machine: its own credentials are not for this
            logger.info("the nucleus does not list %s: it is read from AWS Secrets Manager", secret_id)
            try:
                return self._cloud().get(secret_id, fresh=fresh)
            except AwsError as other:
                raise NotFound(f"{error}; nor does AWS give it: {other}") from error
        return self._cloud().get(secret_id, fresh=fresh)

    def _cloud(self) -> CloudSecrets:
        with self._lock:
            if self._opened is None:
                self._opened = self._open()
            return self._opened

    def _fresh_is_due(self, secret_id: str) -> bool:
        with self._lock:
            last = self._fresh_at.get(secret_id)
            if last is not None and self._clock() - last < FRESH_AGAIN_S:
                return False
            self._fresh_at[secret_id] = self._clock()
            return True

    def _open(self) -> CloudSecrets:
        region = self._environ.get("AWS_REGION") or self._environ.get("AWS_DEFAULT_REGION") or "us-east-1"
        caller = self._caller or AwsCaller(
            "secretsmanager", region, CredentialsSource(self._environ), environ=self._environ
        )
        return CloudSecrets(caller, None if self._cache is None else SecretCache(self._cache), clock=self._clock)
