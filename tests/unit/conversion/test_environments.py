"""The environments that converters run in."""

import pytest

from vedette.conversion.environments import environment


def test_conversion_needs_or_sees_a_role_of_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SESSION_TOKEN", "AWS_ROLE_ARN", "AWS_CONTAINER_CREDENTIALS_FULL_URI"):
        monkeypatch.setenv(name, "secret")
    # Nor the token that opens the nucleus's socket, nor the caller's own packages.
    monkeypatch.setenv("SVCUID", "secret")
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    given = environment({"TF_CPP_MIN_LOG_LEVEL": "3"})
    assert "secret" not in given.values()
    assert "PYTHONPATH" not in given
    assert given["TF_CPP_MIN_LOG_LEVEL"] == "3"
