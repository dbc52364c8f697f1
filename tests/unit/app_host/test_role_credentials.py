"""Credentials of an application's role: renewed in time, kept while offline, never in a text."""

import json

import pytest
from vedette_app_runtime.role.credentials import EARLY_S, RoleCredentials, document_of, read_answer

from vedette.aws_calls import AwsError, Credentials, Denied, Unreachable

ARN = "arn:aws:iam::123456789012:role/Shop"
XML = b"""<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIA1</AccessKeyId>
<SecretAccessKey>s+/=</SecretAccessKey><SessionToken>t</SessionToken><Expiration>2030-01-01T00:00:00Z</Expiration>
</Credentials></AssumeRoleResult></AssumeRoleResponse>"""


class Aws:
    """Gives an hour, or fails."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.calls = 0
        self.error: AwsError | None = None

    def assume(self) -> Credentials:
        self.calls += 1
        if self.error is not None:
            raise self.error
        return Credentials(f"ASIA{self.calls}", "secret", "token", self.now + 3600)


def test_credentials_expire_in_the_applications_hands() -> None:
    aws = Aws()
    role = RoleCredentials(ARN, aws.assume, wall=lambda: aws.now)
    assert [role.get().access_key, role.get().access_key] == ["ASIA1", "ASIA1"]
    aws.now += 3600 - EARLY_S
    assert role.get().access_key == "ASIA2"
    assert aws.calls == 2


def test_an_application_loses_its_role_while_the_device_is_offline() -> None:
    aws = Aws()
    role = RoleCredentials(ARN, aws.assume, wall=lambda: aws.now)
    role.get()
    aws.now += 3600 - EARLY_S
    aws.error = Unreachable("no connection")
    assert [role.get().access_key for _ in range(5)] == ["ASIA1"] * 5
    assert aws.calls == 2, "AWS is asked at every request of the application"
    aws.now += EARLY_S
    with pytest.raises(Unreachable):
        role.get()
    aws.now += 20
    aws.error = None
    assert role.get().access_key == "ASIA4"


def test_a_refused_role_is_asked_for_without_end() -> None:
    aws = Aws()
    aws.error = Denied("sts:AssumeRole")
    role = RoleCredentials(ARN, aws.assume, wall=lambda: aws.now)
    for _ in range(5):
        with pytest.raises(Denied):
            role.get()
    assert aws.calls == 1


@pytest.mark.parametrize("expiration", ["2030-01-01T00:00:00Z", 1893456000, "1.893456E9"])
def test_an_answer_is_misread(expiration: object) -> None:
    found = {"AccessKeyId": "ASIA1", "SecretAccessKey": "s+/=", "SessionToken": "t", "Expiration": expiration}
    body = json.dumps({"AssumeRoleResponse": {"AssumeRoleResult": {"Credentials": found}}}).encode()
    for answer in (body, XML):
        credentials = read_answer(answer)
        assert document_of(credentials, ARN) == {
            "AccessKeyId": "ASIA1",
            "SecretAccessKey": "s+/=",
            "Token": "t",
            "Expiration": "2030-01-01T00:00:00Z",
            "RoleArn": ARN,
        }
        assert "s+/=" not in repr(credentials)


@pytest.mark.parametrize("body", [b"", b"{}", b"<html>secret</html>", XML.replace(b"SessionToken", b"Other")])
def test_what_is_no_answer_is_shown(body: bytes) -> None:
    with pytest.raises(Unreachable) as raised:
        read_answer(body)
    assert "secret" not in str(raised.value)
    assert "s+/=" not in str(raised.value)
