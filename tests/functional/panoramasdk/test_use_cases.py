"""The examples of what Panorama was used for, on the real panoramasdk, real rings and stand-ins for AWS."""

import importlib.util
import json
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import boto3
import numpy as np
import pytest
from moto.server import ThreadedMotoServer

from vedette.resources import examples_dir

from .conftest import Host, grey, writer_of


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in (
        ("AWS_ENDPOINT_URL", f"http://{host}:{port}"),
        ("AWS_ACCESS_KEY_ID", "testing"),
        ("AWS_SECRET_ACCESS_KEY", "testing"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
    ):
        monkeypatch.setenv(name, value)
    yield
    server.stop()


def example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"use_case_{name}", examples_dir() / "use-cases" / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def started(host: Host, name: str, parameters: dict[str, Any]) -> tuple[Any, Any]:
    """Return the example's application and its camera."""
    host.parameters = parameters
    _, (camera,) = host.started("lobby")
    return example(name).Application(), camera


def sent(application: Any) -> None:
    """Wait for what the application sends."""
    application.sender.shutdown(wait=True)


def test_traffic_is_not_counted_in_dynamodb(host: Host, aws: None) -> None:
    keys = [("camera", "HASH"), ("minute", "RANGE")]
    table = boto3.resource("dynamodb").create_table(
        TableName="traffic",
        KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name, _ in keys],
        BillingMode="PAY_PER_REQUEST",
    )
    application, camera = started(host, "traffic", {"table": "traffic"})
    # Frames of a minute: the road, two vehicles that stay for two frames each, the road; then the next minute.
    for number in (1, 40, 41, 2, 50, 51, 3, 61):
        camera.show(number)
        application.process_streams()
    sent(application)
    assert table.scan()["Items"] == [{"camera": "lobby", "minute": "1970-01-01T00:00Z", "vehicles": 2}]
    table.meta.client.close()


def test_movement_in_the_zone_raises_no_alert_or_one_a_frame(host: Host, aws: None) -> None:
    s3, sns, sqs = (boto3.client(name) for name in ("s3", "sns", "sqs"))
    s3.create_bucket(Bucket="alerts")
    topic = sns.create_topic(Name="alerts")["TopicArn"]
    queue = sqs.create_queue(QueueName="alerts")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    application, camera = started(host, "safety", {"bucket": "alerts", "topic": topic, "quiet": 60})
    for number in (1, 2, 60, 100, 150):
        camera.show(number)
        application.process_streams()
    sent(application)
    (picture,) = s3.list_objects_v2(Bucket="alerts")["Contents"]
    assert picture["Key"] == "alerts/lobby/19700101T000100Z.jpg"
    (message,) = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
    assert picture["Key"] in message["Body"]
    for client in (s3, sns, sqs):
        client.close()


def test_part_is_judged_by_another_limit_than_the_parameters(host: Host) -> None:
    application, camera = started(host, "quality", {"low": float(grey(50)), "high": float(grey(100))})
    for number in (10, 60, 70, 150):
        camera.show(number)
        application.process_streams()
    reader = host.look("video_out", "lobby")
    assert writer_of(application, "lobby").wait_for_reader(5)
    camera.show(80)
    application.process_streams()
    with reader.receive(5) as lease:
        assert [label[0] for label in json.loads(lease.meta)["labels"]] == ["GOOD", "3 good, 2 rejected"]


def test_same_picture_is_collected_twice_or_with_words_on_it(host: Host, aws: None) -> None:
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="images")
    application, camera = started(host, "training_images", {"bucket": "images", "difference": 10.0, "hourly": 3})
    for number in (1, 2, 3, 60, 61, 120, 180):
        camera.show(number)
        application.process_streams()
    sent(application)
    keys = [each["Key"] for each in s3.list_objects_v2(Bucket="images")["Contents"]]
    assert keys == [f"images/lobby/1970/01/01/{at}-000007.jpg" for at in ("000001", "000100", "000200")]
    import cv2

    data = s3.get_object(Bucket="images", Key=keys[1])["Body"].read()
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    assert int(picture.max()) - int(picture.min()) <= 2
    s3.close()
