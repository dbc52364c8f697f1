"""Credentials of the application's own role, taken on with the device's, and renewed before they expire."""

import json
import logging
import re
import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import Final
from urllib.parse import urlencode

from vedette.aws_calls import AwsCaller, AwsError, Credentials, CredentialsSource, Unreachable

logger = logging.getLogger(__name__)

_VERSION: Final = "2011-06-15"
_DURATION_S: Final = 3600
"""The most that AWS gives to a role taken on with another role's credentials."""
EARLY_S: Final = 900.0
"""SDKs renew 10 to 15 minutes before the end: what they are given then must be newer than what they have."""
_AGAIN_S: Final = 15.0
_SESSION: Final = re.compile(r"[^A-Za-z0-9_=,.@-]")

Assume = Callable[[], Credentials]


def assuming(role_arn: str, instance: str, region: str) -> Assume:
    """Return what asks AWS for the role's credentials: sts:AssumeRole with the device's own."""
    caller = AwsCaller("sts", region, CredentialsSource())
    body = urlencode(
        {
            "Action": "AssumeRole",
            "Version": _VERSION,
            "RoleArn": role_arn,
            "RoleSessionName": _SESSION.sub("-", f"vedette-{instance}")[:64],
            "DurationSeconds": str(_DURATION_S),
        }
    ).encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8", "Accept": "application/json"}

    def assume() -> Credentials:
        return read_answer(caller.call("sts:AssumeRole", body, headers).body)

    return assume


def read_answer(body: bytes) -> Credentials:
    """Read AssumeRole's answer, JSON or XML.

    :raises Unreachable: if it cannot be read
    """
    text = body.decode(errors="replace")
    try:
        document = json.loads(text)["AssumeRoleResponse"]["AssumeRoleResult"]["Credentials"]
        fields = {
            name: str(document[name]) for name in ("AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration")
        }
        if re.fullmatch(r"[0-9.E]+", fields["Expiration"]):
            expires = float(fields["Expiration"])
        else:
            expires = _unix(fields["Expiration"])
    except (ValueError, KeyError, TypeError):
        found = dict(re.findall(r"<(AccessKeyId|SecretAccessKey|SessionToken|Expiration)>([^<]+)<", text))
        try:
            fields, expires = found, _unix(found["Expiration"])
        except (KeyError, ValueError):
            # Not chained: the error holds the answer.
            raise Unreachable("sts:AssumeRole: the answer cannot be read") from None
    try:
        return Credentials(fields["AccessKeyId"], fields["SecretAccessKey"], fields["SessionToken"], expires)
    except KeyError:
        raise Unreachable("sts:AssumeRole: the answer cannot be read") from None


def _unix(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


class RoleCredentials:
    """Gives the role's credentials to any thread; one at a time asks AWS."""

    def __init__(self, role_arn: str, assume: Assume, *, wall: Callable[[], float] = time.time) -> None:
        self._role_arn = role_arn
        self._assume = assume
        self._wall = wall
        self._lock = threading.Lock()
        self._held: Credentials | None = None
        self._failed: tuple[float, AwsError] | None = None

    def get(self) -> Credentials:
        """Return credentials: new ones shortly before the old expire; the old for as long as none can be had.

        :raises AwsError: when there are none
        """
        with self._lock:
            held = self._held
            now = self._wall()
            if held is not None and held.expires_at is not None and now < held.expires_at - EARLY_S:
                return held
            if self._failed is None or now - self._failed[0] >= _AGAIN_S:
                try:
                    self._held = held = self._assume()
                except AwsError as error:
                    self._failed = (now, error)
                    logger.warning("role %s: %s", self._role_arn, error)
                else:
                    self._failed = None
                    logger.info("role %s: credentials until %s", self._role_arn, _time_of(held))
                    return held
            if held is not None and held.expires_at is not None and now < held.expires_at:
                return held
            raise self._failed[1] if self._failed is not None else Unreachable("no credentials yet")


def document_of(credentials: Credentials, role_arn: str) -> Mapping[str, str]:
    """Return the document that AWS's SDKs read from a container's credential endpoint."""
    return {
        "AccessKeyId": credentials.access_key,
        "SecretAccessKey": credentials.secret_key,
        "Token": credentials.token or "",
        "Expiration": _time_of(credentials),
        "RoleArn": role_arn,
    }


def _time_of(credentials: Credentials) -> str:
    at = datetime.fromtimestamp(credentials.expires_at or 0.0, timezone.utc)
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
