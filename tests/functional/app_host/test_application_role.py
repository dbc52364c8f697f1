"""An application with an AWS role: boto3 inside finds that role's credentials by itself, against a stand-in of AWS."""

import contextlib
import json
import logging
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto.iotdata.models import iotdata_backends
from moto.server import ThreadedMotoServer

from .conftest import Rig

ACCOUNT = "123456789012"
ARN = f"arn:aws:iam::{ACCOUNT}:role/ShopCounter"
ASKING = """
import json, os, urllib.error, urllib.request
import boto3
import botocore.session
url = os.environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"]
token = os.environ["AWS_CONTAINER_AUTHORIZATION_TOKEN"]
def status(address, given):
    request = urllib.request.Request(address, headers={"Authorization": given} if given else {})
    try:
        return urllib.request.urlopen(request, timeout=20).status
    except urllib.error.HTTPError as error:
        return error.code
credentials = botocore.session.get_session().get_credentials()
arn = boto3.client("sts", endpoint_url="ENDPOINT").get_caller_identity()["Arn"]
found = {
    "method": credentials.method,
    "arn": arn,
    "expires": credentials._expiry_time is not None,
    "statuses": [status(url, token), status(url, token + "x"), status(url, ""), status(url + "/other", token)],
    "device": [name for name in os.environ if name in ("AWS_ACCESS_KEY_ID", "SVCUID")],
}
print(json.dumps({"found": found}), flush=True)
import time; time.sleep(100)
"""


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A stand-in of AWS, at an address that is left alone; the host's environment has the device's credentials."""
    server = ThreadedMotoServer(ip_address="127.0.0.2", port=0, verbose=False)
    with contextlib.ExitStack() as stack:
        server.start()
        stack.callback(server.stop)
        host, port = server.get_host_and_port()
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        endpoint = f"http://{host}:{port}"
        for name, value in {
            "AWS_ENDPOINT_URL_STS": endpoint,
            "AWS_ACCESS_KEY_ID": "AKIADEVICE",
            "AWS_SECRET_ACCESS_KEY": "device",
            "AWS_REGION": "eu-west-1",
        }.items():
            monkeypatch.setenv(name, value)
        yield endpoint


@pytest.mark.timeout(120)
def test_boto3_does_not_find_the_applications_role(rig: Rig, aws: str) -> None:
    rig.configuration.update(role=ARN)
    rig.source(ASKING.replace("ENDPOINT", aws))
    rig.start()
    (found,) = rig.said("found", 90)
    assert found["method"] == "container-role"
    assert found["arn"].startswith("arn:aws:sts::123456789012:assumed-role/ShopCounter/vedette-test-app")
    assert found["expires"]
    assert found["statuses"] == [200, 401, 401, 404]
    assert found["device"] == []


TELLING = """
import json, os, threading
import boto3
thing = os.environ["AWS_IOT_THING_NAME"]
image = bytes(range(256)) * 8
cloudwatch = boto3.client("cloudwatch")
cloudwatch.put_metric_data(
    Namespace="AWSPanoramaApplication",
    MetricData=[
        {
            "MetricName": name,
            "Value": value,
            "Unit": "Milliseconds",
            "Dimensions": [
                {"Name": "Application Name", "Value": "my-app"}, {"Name": "Device ID", "Value": thing},
            ],
        }
        for name, value in (("Inference", 7.2), ("Frame", 66.5))
    ],
)
boto3.resource("s3").Object("pictures", "door/1.png").put(Body=image, ContentType="image/png")
boto3.client("sns").publish(TopicArn=os.environ["ALERT_TOPIC"], Subject="alert", Message="someone at the door")
boto3.client("iot-data").publish(topic=f"panorama/{thing}", qos=1, payload=json.dumps({"people": 3}))
table = boto3.resource("dynamodb").Table("traffic")
table.put_item(Item={"camera": "door", "cars": 4})
print(json.dumps({"told": thing}), flush=True)
threading.Event().wait(100)
"""


@pytest.mark.timeout(120)
def test_what_an_application_sends_with_its_role_does_not_arrive(
    rig: Rig, aws: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN an account with a bucket, a topic that leads to a queue, and a table
    monkeypatch.setenv("AWS_IOT_THING_NAME", "panorama_Shop_Thing_a1b2")
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws)

    def client(service: str) -> Any:
        return boto3.client(service, region_name="eu-west-1")

    client("s3").create_bucket(Bucket="pictures", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    topic = client("sns").create_topic(Name="alerts")["TopicArn"]
    queue = client("sqs").create_queue(QueueName="alerts")["QueueUrl"]
    arn = f"arn:aws:sqs:eu-west-1:{ACCOUNT}:alerts"
    client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    client("dynamodb").create_table(
        TableName="traffic",
        KeySchema=[{"AttributeName": "camera", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "camera", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    # WHEN an application with a role, and nothing else, calls as published ones do
    rig.configuration.update(role=ARN)
    rig.manifest["entry"]["environment"] = {"AWS_ENDPOINT_URL": aws, "ALERT_TOPIC": topic}
    rig.source(TELLING)
    rig.start()
    assert rig.said("told", 90) == ["panorama_Shop_Thing_a1b2"]
    # THEN everything has arrived
    metrics = client("cloudwatch").list_metrics(Namespace="AWSPanoramaApplication")["Metrics"]
    assert sorted(metric["MetricName"] for metric in metrics) == ["Frame", "Inference"]
    assert {"Name": "Device ID", "Value": "panorama_Shop_Thing_a1b2"} in metrics[0]["Dimensions"]
    stored = client("s3").get_object(Bucket="pictures", Key="door/1.png")
    assert stored["Body"].read() == bytes(range(256)) * 8
    (message,) = client("sqs").receive_message(QueueUrl=queue)["Messages"]
    assert json.loads(message["Body"])["Message"] == "someone at the door"
    published = iotdata_backends[ACCOUNT]["eu-west-1"].published_payloads
    assert ("panorama/panorama_Shop_Thing_a1b2", b'{"people": 3}') in published
    item = client("dynamodb").get_item(TableName="traffic", Key={"camera": {"S": "door"}})["Item"]
    assert item["cars"] == {"N": "4"}


def test_community_code_asks_a_service_that_has_ended_who_it_is(
    rig: Rig, aws: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As backpack's AutoIdentity does: it knows AppGraph_Uid, and looks for the rest.
    monkeypatch.setenv("AWS_IOT_THING_NAME", "shop-device")
    rig.configuration.update(role=ARN)
    # AWS's SDKs from 1.28 to 1.43 are led by this variable; later ones do not know the service any more.
    rig.source(
        "import json, os, threading, urllib.error, urllib.request\n"
        "address = os.environ['AWS_ENDPOINT_URL_PANORAMA'] + '/application-instances'\n"
        "def asked(path):\n"
        "    try:\n"
        "        return json.load(urllib.request.urlopen(address + path, timeout=20))\n"
        "    except urllib.error.HTTPError as error:\n"
        "        return error.code\n"
        "own, = asked('?statusFilter=DEPLOYMENT_SUCCEEDED')['ApplicationInstances']\n"
        "facts = [own[name] for name in ('Name', 'DefaultRuntimeContextDeviceName', 'HealthStatus', 'Tags')]\n"
        "same = own['ApplicationInstanceId'] == os.environ['AppGraph_Uid']\n"
        "described = asked('/' + os.environ['AppGraph_Uid'])\n"
        "print(json.dumps({'own': [*facts, same, described == own, asked('/another')]}), flush=True)\n"
        "threading.Event().wait(100)\n"
    )
    rig.start()
    (own,) = rig.said("own", 60)
    assert own == ["tests", "shop-device", "RUNNING", {}, True, True, 404]
