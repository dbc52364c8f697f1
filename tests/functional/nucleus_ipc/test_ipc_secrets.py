"""GetSecretValue with the unmodified SDK client."""

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
from awsiot.greengrasscoreipc.clientv2 import GreengrassCoreIPCClientV2
from awsiot.greengrasscoreipc.model import ResourceNotFoundError, ServiceError, UnauthorizedError

Client = Callable[..., GreengrassCoreIPCClientV2]
ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:panorama/front-AbCdEf"
PASSWORD = "p@ss/w0rd"


@pytest.fixture(autouse=True)
def _secrets(nucleus: Any) -> None:
    value = json.dumps({"Username": "u", "Password": PASSWORD})
    write(nucleus, {"panorama/front": {"arn": ARN, "secretString": value}, "bare": {"secretString": "x"}})


def write(nucleus: Any, content: dict[str, Any]) -> None:
    nucleus.secrets_file.write_text(json.dumps(content))
    nucleus.secrets_file.chmod(0o600)


def allow(resource: str) -> dict[str, Any]:
    return {
        "aws.greengrass.SecretManager": {
            "p": {"operations": ["aws.greengrass#GetSecretValue"], "resources": [resource]}
        }
    }


@pytest.mark.parametrize("secret_id", ["panorama/front", ARN])
def test_secret_is_not_found(client: Client, secret_id: str) -> None:
    response = client("own", allow(ARN)).get_secret_value(secret_id=secret_id)
    assert response.secret_id == ARN
    assert response.version_stage == ["AWSCURRENT"]
    assert json.loads(response.secret_value.secret_string)["Password"] == PASSWORD
    again = client("own", allow(ARN)).get_secret_value(secret_id=secret_id, version_id=response.version_id)
    assert again.secret_value.secret_string == response.secret_value.secret_string


def test_policy_for_other_secret_opens_this_one(client: Client) -> None:
    own = client("own", allow("arn:aws:secretsmanager:*:*:secret:other*"))
    with pytest.raises(UnauthorizedError) as caught:
        own.get_secret_value(secret_id="panorama/front")
    assert caught.value.message.endswith(
        f"aws.greengrass.SecretManager:aws.greengrass#GetSecretValue on resource {ARN}"
    )
    assert client("all", allow("arn:aws:secretsmanager:*:secret:panorama*")).get_secret_value(
        secret_id="panorama/front"
    )


def test_unknown_secret_is_answered_otherwise(client: Client) -> None:
    with pytest.raises(ResourceNotFoundError) as caught:
        client("own").get_secret_value(secret_id="none")
    assert (caught.value.message, caught.value.resource_type) == ("Secret not configured none", "secret")


@pytest.mark.parametrize(
    ("version", "stage", "kind", "message"),
    [
        ("1", "AWSCURRENT", ServiceError, "Both versionId and Stage are set in the request"),
        ("1", None, ResourceNotFoundError, "Version Id 1 not found for secret bare"),
        (None, "AWSPREVIOUS", ResourceNotFoundError, "Version stage AWSPREVIOUS not found for secret bare"),
    ],
)
def test_other_version_is_given_out(
    client: Client, version: str | None, stage: str | None, kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind) as caught:
        client("own").get_secret_value(secret_id="bare", version_id=version, version_stage=stage)
    assert getattr(caught.value, "message") == message  # noqa: B009 -- two classes without a common base


def test_rotated_secret_is_served_from_memory(client: Client, nucleus: Any) -> None:
    own = client("own")
    assert own.get_secret_value(secret_id="bare").secret_value.secret_string == "x"
    write(nucleus, {"bare": {"secretString": "rotated"}})
    assert own.get_secret_value(secret_id="bare").secret_value.secret_string == "rotated"


def test_file_open_to_others_is_read(client: Client, nucleus: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "vedette")
    own = client("own")
    own.get_secret_value(secret_id="bare")
    nucleus.secrets_file.chmod(0o640)
    with pytest.raises(ServiceError) as caught:
        own.get_secret_value(secret_id="panorama/front")
    assert "has mode 0640, others could read it; run: chmod 600" in caught.value.message
    assert PASSWORD not in caplog.text
