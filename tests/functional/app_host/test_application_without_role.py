"""An application that has no AWS role: AWS's sample must take that as it did on the appliance, and go on."""

import subprocess
import sys
from pathlib import Path

import pytest
from vedette_app_runtime.environments import Environment

from .conftest import Rig

AT_ONCE_S = 2.0
"""A client is made in 0.1 s; botocore's three tries at a container provider take 3 s."""


@pytest.fixture(scope="module", params=["boto3==1.24.96", "boto3"])
def environment(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    uv = str(Path(sys.prefix) / "bin/uv")
    venv = tmp_path_factory.mktemp("boto3") / "venv"
    for command in (
        ["venv", "--python", sys.executable, str(venv)],
        ["pip", "install", "--python", str(venv / "bin/python"), "--only-binary", ":all:", request.param],
    ):
        made = subprocess.run([uv, *command], capture_output=True, text=True, check=False, timeout=120)
        if made.returncode != 0:
            pytest.skip(f"{request.param} is not to be had: {made.stderr.strip()[-200:]}")
    return Environment(venv / "bin/python", venv / "bin", (venv, Path(sys.base_prefix)), request.param)


def test_boto3_finds_the_users_credentials_or_fails_too_late(
    rig: Rig, environment: Environment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # GIVEN a user who has credentials, in the environment and at home
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    home = tmp_path / "home"
    (home / ".aws").mkdir(parents=True)
    (home / ".aws/credentials").write_text("[default]\naws_access_key_id = A\naws_secret_access_key = B\n")
    monkeypatch.setenv("HOME", str(home))
    rig.use("without_role.py")
    rig.start(prepare=lambda _progress, _stop: environment)
    # WHEN an application without a role makes clients
    first, second, at_host, has_home = rig.said("asked", 30)[0]
    # THEN each fails when it is made, at once, and says why
    for error, text, took_s in (first, second):
        assert error == "CredentialRetrievalError"
        assert "this application has no AWS role" in text
        assert took_s < AT_ONCE_S
    # and with a configuration file of its own it ends at the container provider, before any EC2 device's role
    assert at_host[0] == "CredentialRetrievalError"
    assert "container-role" in at_host[1]
    assert not has_home
