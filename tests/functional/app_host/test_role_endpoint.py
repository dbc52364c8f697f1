"""The endpoint of a role, and an application that does not ask it as boto3 does."""

import json
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from vedette_app_runtime.role.credentials import RoleCredentials
from vedette_app_runtime.role.endpoint import MOST_CONNECTIONS, RoleEndpoint
from vedette_app_runtime.role.panorama_service import Identity

from tests.waiting import eventually
from vedette.aws_calls import Credentials

ARN = "arn:aws:iam::123456789012:role/Shop"


@pytest.fixture
def endpoint() -> Iterator[RoleEndpoint]:
    credentials = RoleCredentials(ARN, lambda: Credentials("ASIA", "secret", "token", 2e9), wall=lambda: 1000.0)
    made = RoleEndpoint(ARN, credentials, Identity("shop", "Shop", "device", 1000.0))
    yield made
    made.close()


def ask(endpoint: RoleEndpoint) -> str | None:
    environ = endpoint.environ()
    request = urllib.request.Request(
        environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"],
        headers={"Authorization": environ["AWS_CONTAINER_AUTHORIZATION_TOKEN"]},
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return str(json.load(answer)["AccessKeyId"])
    except (OSError, urllib.error.URLError):
        return None


@pytest.mark.timeout(60)
def test_connections_that_ask_nothing_take_threads_of_the_host_without_end(endpoint: RoleEndpoint) -> None:
    before = threading.active_count()
    idle = [socket.create_connection(("127.0.0.1", endpoint.port), 10) for _ in range(MOST_CONNECTIONS + 8)]
    # THEN those beyond are hung up on
    assert [sock.recv(1) for sock in idle[MOST_CONNECTIONS:]] == [b""] * 8
    assert threading.active_count() - before <= MOST_CONNECTIONS
    # AND when some have gone, the application gets its credentials again
    for sock in idle:
        sock.close()
    assert eventually(lambda: ask(endpoint), "credentials are given again") == "ASIA"
