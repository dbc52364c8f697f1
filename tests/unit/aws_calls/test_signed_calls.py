"""Calls of AWS from a device: signed as AWS's own library signs, and every failure told apart."""

import json
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import pytest

from vedette.aws_calls import (
    AwsCaller,
    AwsError,
    CredentialsSource,
    Denied,
    NoCredentials,
    OutcomeUnknown,
    Rejected,
    Response,
    Unreachable,
)
from vedette.aws_calls.endpoint import endpoint

NOW = 1_800_000_000.0
ENVIRON = {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "planted-secret", "AWS_SESSION_TOKEN": "planted-token"}


class Network:
    """Answers in turn; the last one for ever."""

    def __init__(self, *answers: Response | Exception) -> None:
        self.answers = list(answers)
        self.sent: list[tuple[str, str, dict[str, str], bytes]] = []

    def __call__(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Response:
        self.sent.append((method, url, dict(headers), body))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def ok(body: bytes = b"{}") -> Response:
    return Response(200, {}, body)


def refusal(code: str, status: int = 400, date: str = "", message: str = "") -> Response:
    return Response(status, {"date": date}, json.dumps({"__type": f"com.x#{code}", "message": message}).encode())


def caller(network: Network, service: str = "monitoring", **options: Any) -> AwsCaller:
    credentials = CredentialsSource(ENVIRON)
    return AwsCaller(service, "eu-west-1", credentials, environ={}, send=network, wall=lambda: NOW, **options)


@pytest.mark.parametrize(
    ("service", "method", "path"),
    [("monitoring", "POST", "/"), ("s3", "PUT", "/bucket/a%20b/c.zip"), ("logs", "POST", "/")],
)
def test_the_signature_is_not_awss(service: str, method: str, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    network = Network(ok())
    caller(network, service).call("x:Y", b"body=1", {"Content-Type": "text/plain"}, method=method, path=path)
    sent_method, url, headers, body = network.sent[0]
    assert url == f"https://{service}.eu-west-1.amazonaws.com{path}"
    moment = datetime.fromtimestamp(NOW, timezone.utc)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda *_: moment.replace(tzinfo=None))
    request = botocore.awsrequest.AWSRequest(
        sent_method,
        url,
        {"Content-Type": "text/plain", "Content-Length": "6", "X-Amz-Content-SHA256": headers["x-amz-content-sha256"]},
        body,
    )
    keys = botocore.credentials.Credentials("AKID", "planted-secret", "planted-token")
    signer = botocore.auth.S3SigV4Auth if service == "s3" else botocore.auth.SigV4Auth
    signer(keys, service, "eu-west-1").add_auth(request)
    assert headers["Authorization"] == request.headers["Authorization"]
    assert headers["X-Amz-Security-Token"] == "planted-token"


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (refusal("AccessDeniedException", 400), Denied),
        (Response(403, {}, b"<Error><Code>AccessDenied</Code><Message>no</Message></Error>"), Denied),
        (refusal("ThrottlingException"), Unreachable),
        (Response(429, {}, b""), Unreachable),
        (Response(503, {}, b"<html>"), Unreachable),
        (refusal("InvalidParameterValue"), Rejected),
        (refusal("ExpiredTokenException", 403), NoCredentials),
        (Unreachable("x"), Unreachable),
        (OutcomeUnknown("x"), OutcomeUnknown),
    ],
)
def test_failures_are_mixed_up(answer: Response | Exception, kind: type[AwsError]) -> None:
    with pytest.raises(AwsError) as caught:
        caller(Network(answer)).call("cloudwatch:PutMetricData", b"", {})
    assert type(caught.value) is kind
    assert "planted" not in str(caught.value)
    if kind is Denied:
        assert "cloudwatch:PutMetricData" in str(caught.value)


def test_a_wrong_clock_is_a_failure_for_ever() -> None:
    network = Network(refusal("RequestTimeTooSkewed", 403, "Fri, 15 Jan 2027 08:30:00 GMT"), ok())
    found = caller(network)
    found.call("x:Y", b"", {})
    assert len(network.sent) == 2
    assert network.sent[1][2]["X-Amz-Date"] == "20270115T083000Z"
    assert found.clock_checked
    assert found.now() == datetime(2027, 1, 15, 8, 30, tzinfo=timezone.utc).timestamp()


def test_times_made_by_a_wrong_clock_are_sent() -> None:
    network = Network(refusal("RequestTimeTooSkewed", 403, "Fri, 15 Jan 2027 08:30:00 GMT"), ok())
    found = caller(network, times_in_body=True)
    with pytest.raises(Unreachable, match="clock"):
        found.call("x:Y", b"times", {})
    found.call("x:Y", b"times", {})


def test_an_expired_token_is_used_for_ever() -> None:
    expiry = "2027-01-15T09:00:00Z"
    exchange = Network(
        *(
            ok(json.dumps({"AccessKeyId": key, "SecretAccessKey": "planted", "Expiration": expiry}).encode())
            for key in ("first", "second")
        )
    )
    environ = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://localhost:1/x", "AWS_CONTAINER_AUTHORIZATION_TOKEN": "t"}
    source = CredentialsSource(environ, send=exchange, wall=lambda: NOW)
    network = Network(refusal("ExpiredTokenException", 403), ok())
    AwsCaller("logs", "eu-west-1", source, environ={}, send=network, wall=lambda: NOW).call("x:Y", b"", {})
    assert "Credential=second/" in network.sent[1][2]["Authorization"]
    assert exchange.sent[0][2] == {"Authorization": "t"}


def test_the_exchange_is_asked_all_the_time() -> None:
    now = [NOW]
    later = datetime.fromtimestamp(NOW + 3600, timezone.utc).isoformat()
    good = ok(json.dumps({"AccessKeyId": "a", "SecretAccessKey": "planted", "Expiration": later}).encode())
    exchange = Network(good, Response(500, {}, b""))
    source = CredentialsSource(
        {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://localhost:1/x"},
        send=exchange,
        wall=lambda: now[0],
        clock=lambda: now[0],
    )
    assert source.get() is source.get()
    assert len(exchange.sent) == 1
    now[0] += 3400
    assert source.get().access_key == "a"  # still good although no new ones are to be had
    now[0] += 300
    for _ in range(3):
        with pytest.raises(NoCredentials, match="HTTP 500"):
            source.get()
    assert len(exchange.sent) == 3
    assert "planted" not in repr(source._held)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"AccessKeyId": "a", "SecretAccessKey": "planted", "Expiration": 5}']
)
def test_an_answer_that_cannot_be_read_shows_a_secret(body: bytes) -> None:
    source = CredentialsSource({"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://localhost:1/x"}, send=Network(ok(body)))
    with pytest.raises(NoCredentials) as caught:
        source.get()
    assert "planted" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_component_without_the_exchange_is_not_told_so() -> None:
    with pytest.raises(NoCredentials, match="TokenExchangeService"):
        CredentialsSource({}).get()


def test_a_service_is_looked_for_in_the_wrong_place() -> None:
    assert endpoint("logs", "eu-west-1", {}) == "https://logs.eu-west-1.amazonaws.com"
    assert endpoint("s3", "cn-north-1", {}) == "https://s3.cn-north-1.amazonaws.com.cn"
    assert endpoint("monitoring", "us-east-1", {"AWS_USE_FIPS_ENDPOINT": "true"}).startswith("https://monitoring-fips.")
    given = {"AWS_ENDPOINT_URL": "http://all/", "AWS_ENDPOINT_URL_CLOUDWATCH": "http://mine/"}
    assert endpoint("monitoring", "us-east-1", given) == "http://mine"
    assert endpoint("logs", "us-east-1", given) == "http://all"
