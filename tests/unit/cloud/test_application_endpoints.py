"""What a role allows, as hosts of AWS; compared with what boto3 itself would call."""

import boto3
import pytest

from vedette.cloud import application_endpoints as module
from vedette.cloud.application_endpoints import application_endpoints, device_endpoints, known_services, services_of


@pytest.mark.parametrize(
    ("action", "services"),
    [
        ("sns:Publish", ["sns"]),
        ("SNS:publish", ["sns"]),
        ("states:StartExecution", ["stepfunctions"]),
        ("iot:Publish", ["iot-data"]),
        ("iot:DescribeThing", ["iot"]),
        ("iot:*", ["iot-data", "iot"]),
        ("sagemaker:InvokeEndpoint", ["sagemaker-runtime"]),
        ("kinesisvideo:PutMedia", ["kinesisvideo"]),
        ("*", []),
        ("*:*", []),
    ],
)
def test_an_action_belongs_to_another_service(action: str, services: list[str]) -> None:
    assert services_of(action) == services


def test_a_table_names_a_service_or_an_action_that_there_is_not() -> None:
    known = known_services("eu-west-1")
    assert set(module._PREFIXES.values()) <= known
    assert set(module._ENDPOINT_SERVICES) <= known
    for services in module._SHARED.values():
        assert set(services) <= known
    runtime = boto3.client("sagemaker-runtime", "eu-west-1", aws_access_key_id="x", aws_secret_access_key="y")
    assert set(runtime.meta.service_model.operation_names) >= module._SHARED["sagemaker"]["sagemaker-runtime"]


@pytest.mark.parametrize(
    ("service", "region", "hosts", "endpoint"),
    [
        ("sns", "eu-west-1", ("sns.eu-west-1.amazonaws.com",), "sns"),
        ("cloudwatch", "us-east-1", ("monitoring.us-east-1.amazonaws.com",), "monitoring"),
        ("stepfunctions", "eu-west-1", ("states.eu-west-1.amazonaws.com",), "states"),
        ("kinesis", "eu-west-1", ("kinesis.eu-west-1.amazonaws.com",), "kinesis-streams"),
        ("sns", "cn-north-1", ("sns.cn-north-1.amazonaws.com.cn",), "sns"),
        ("s3", "eu-west-1", ("s3.eu-west-1.amazonaws.com", "<bucket>.s3.eu-west-1.amazonaws.com"), "s3"),
        ("iot-data", "eu-west-1", ("<prefix>-ats.iot.eu-west-1.amazonaws.com",), "iot.data"),
        # Whose VPC endpoint is not known here is not guessed.
        ("lexv2-runtime", "eu-west-1", ("runtime-v2-lex.eu-west-1.amazonaws.com",), ""),
    ],
)
def test_a_service_has_another_host(
    service: str, region: str, hosts: tuple[str, ...], endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A stand-in that the environment names is not what a site has to reach.
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:5000")
    (found,) = application_endpoints({service: ["why"]}, region)
    assert (found.hosts, found.service, found.why) == (hosts, endpoint, "why")


def test_two_services_of_one_host_are_two_rows() -> None:
    (found,) = application_endpoints({"ses": ["a"], "sesv2": ["b"]}, "eu-west-1")
    assert (found.hosts, found.service, found.why) == (("email.eu-west-1.amazonaws.com",), "email", "a; b")


def test_the_region_is_left_out_of_a_devices_host() -> None:
    for region, tail in (("eu-west-1", "amazonaws.com"), ("cn-north-1", "amazonaws.com.cn")):
        hosts = [host for item in device_endpoints(region) for host in item.hosts]
        assert len(hosts) > 7
        assert all(host.endswith(f".{region}.{tail}") for host in hosts), hosts
