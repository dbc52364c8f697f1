"""A camera's login on a nucleus without secrets: token exchange service -> signed request -> moto's Secrets Manager."""

from pathlib import Path

import boto3
import pytest

from vedette.aws_calls import Rejected
from vedette.bus import NotSupported
from vedette.bus.memory import MemoryBus
from vedette.secrets import SecretReader

from .conftest import TokenExchange


class Lite(MemoryBus):
    def get_secret(self, secret_id: str, *, fresh: bool = False) -> str:
        raise NotSupported("this nucleus does not offer it: secret")


def test_secrets_manager_is_asked_in_vain(
    environ: dict[str, str], aws_url: str, token_exchange: TokenExchange, tmp_path: Path
) -> None:
    keys = {"aws_access_key_id": "x", "aws_secret_access_key": "y"}
    client = boto3.client("secretsmanager", "eu-west-1", endpoint_url=aws_url, **keys)
    arn = client.create_secret(Name="panorama/door", SecretString="planted-4711")["ARN"]
    with Lite() as bus:
        reader = SecretReader(bus, tmp_path / "secrets", environ=environ)
        assert reader.get("panorama/door") == "planted-4711"
        assert reader.get(arn) == "planted-4711"
        with pytest.raises(Rejected, match="ResourceNotFoundException"):
            reader.get("panorama/none")
        client.put_secret_value(SecretId="panorama/door", SecretString="rotated-4712")
        assert reader.get("panorama/door", refused=True) == "rotated-4712"
    assert token_exchange.asked == 1
