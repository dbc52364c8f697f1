"""Which services of AWS an application calls is read off its sources, and nothing is made up."""

from pathlib import Path

import pytest

from vedette.documents.code_files import CodeFile, CodeFiles
from vedette.validation.aws_clients import aws_clients


def services(folder: Path, source: str) -> list[tuple[str, int]]:
    (folder / "app.py").write_text(source)
    files = CodeFiles((CodeFile("app.py", folder / "app.py"),), None, None)
    found = aws_clients(files, folder)
    assert {client.file for client in found} <= {"app.py"}
    return [(client.service, client.line) for client in found]


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import boto3\nboto3.client('sns')\n", [("sns", 2)]),
        ("import boto3\nself.t = boto3.resource('dynamodb').Table(x)\n", [("dynamodb", 2)]),
        ("import boto3 as b\ns = b.session.Session(region_name=r)\nc = s.client(service_name='s3')\n", [("s3", 3)]),
        ("import boto3\nNAME = 'kinesis'\ndef f():\n    return boto3.client(NAME, 'eu-west-1')\n", [("kinesis", 4)]),
        ("import botocore.session\nbotocore.session.get_session().create_client('sqs')\n", [("sqs", 2)]),
        ("from awsiot import mqtt_connection_builder\n", [("iot-data", 1)]),
        ("import AWSIoTPythonSDK.MQTTLib as m\n", [("iot-data", 1)]),
        # What is not written there is said to be unknown.
        ("import boto3\nboto3.client(name)\n", [("", 2)]),
        ("import boto3\nself.session.client(config['service'])\n", [("", 2)]),
    ],
)
def test_a_service_that_is_called_is_missed(tmp_path: Path, source: str, found: list[tuple[str, int]]) -> None:
    assert services(tmp_path, source) == found


@pytest.mark.parametrize(
    "source",
    [
        "docker.client('sns')\n",  # nothing of AWS is imported
        "import boto3\nmqtt.Client(client)\nself.client(x)\nredis.client(7)\n",
        "import boto3\npass  # boto3.client('sns')\ntext = \"boto3.client('s3')\"\n",
        "import boto3\nboto3.client(\n",  # validation says what is wrong with it
        "from awsiotx import mqtt\n",
    ],
)
def test_a_service_is_made_up(tmp_path: Path, source: str) -> None:
    assert services(tmp_path, source) == []
