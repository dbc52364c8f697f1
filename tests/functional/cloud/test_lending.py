"""Credentials of a developer's profile for components on the developer's machine."""

from datetime import datetime, timedelta, timezone

import pytest

from vedette.cloud.access import Cloud
from vedette.cloud.errors import CredentialsError
from vedette.cloud.lending import lend

from .conftest import Aws


def test_lasting_keys_of_a_profile_are_given_away(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
    given = lend(Cloud(region="us-east-1"))
    held = Cloud(region="us-east-1").credentials()
    assert held.token is None
    assert given["Token"]
    assert held.secret_key not in given.values()
    left = datetime.fromisoformat(given["Expiration"].replace("Z", "+00:00")) - datetime.now(timezone.utc)
    assert timedelta(minutes=50) < left < timedelta(minutes=70)


def test_session_s_own_credentials_are_not_passed_on(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "ASIAX")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "zzz")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "t")
    given = lend(Cloud(region="us-east-1"))
    assert (given["AccessKeyId"], given["Token"]) == ("ASIAX", "t")
    assert "zzz" not in repr(Cloud(region="us-east-1").credentials())


def test_machine_without_credentials_fails_strangely(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    with pytest.raises(CredentialsError):
        lend(Cloud(region="us-east-1"))
