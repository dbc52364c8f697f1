"""Short-lived credentials of a developer's profile, for components that run on the developer's machine."""

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Final

from vedette.cloud.access import Cloud

__all__ = ["lend"]

_LASTING_S: Final = 3600
_UNTOLD: Final = timedelta(minutes=20)
"""What holders are told where a provider does not say when its credentials end: they ask again soon."""


def lend(cloud: Cloud) -> Mapping[str, str]:
    """Return credentials as container providers give them: AccessKeyId, SecretAccessKey, Token, Expiration.

    A profile's own lasting keys are never given away: a session of theirs is, for an hour.

    :raises CloudError: if the profile has no credentials, or AWS does not give a session
    """
    held = cloud.credentials()
    if held.token is None:
        session = cloud.call("sts", "get_session_token", DurationSeconds=_LASTING_S)["Credentials"]
        return {
            "AccessKeyId": session["AccessKeyId"],
            "SecretAccessKey": session["SecretAccessKey"],
            "Token": session["SessionToken"],
            "Expiration": _moment(session["Expiration"]),
        }
    return {
        "AccessKeyId": held.access_key,
        "SecretAccessKey": held.secret_key,
        "Token": held.token,
        "Expiration": _moment(held.expires_at or datetime.now(timezone.utc) + _UNTOLD),
    }


def _moment(when: datetime) -> str:
    return when.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
