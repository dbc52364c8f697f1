"""An application with an AWS role: boto3 inside finds that role's credentials by itself, against a stand-in of AWS."""

import contextlib
import logging
from collections.abc import Iterator

import pytest
from moto.server import ThreadedMotoServer

from .conftest import Rig

ARN = "arn:aws:iam::123456789012:role/ShopCounter"
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
