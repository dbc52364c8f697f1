"""AWS for the monitor: moto's CloudWatch and Logs on a port, and a token exchange service that counts."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from moto.server import ThreadedMotoServer

SECRET_KEY = "planted-secret-access-key-4711"
TOKEN = "token-of-this-component"


class TokenExchange:
    """The token exchange service of a nucleus: credentials for whoever shows the component's token."""

    def __init__(self) -> None:
        self.asked = 0
        self.down = False
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked += 1
                known = self.headers.get("Authorization") == TOKEN
                self.send_response(200 if known and not outer.down else 403)
                self.end_headers()
                if known and not outer.down:
                    document = {
                        "AccessKeyId": "AKIAPLANTED",
                        "SecretAccessKey": SECRET_KEY,
                        "Token": "session-token",
                        "Expiration": "2099-01-01T00:00:00Z",
                    }
                    self.wfile.write(json.dumps(document).encode())

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05})
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}/2016-11-01/credentialprovider/"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(10)


@pytest.fixture
def token_exchange() -> Iterator[TokenExchange]:
    service = TokenExchange()
    yield service
    service.close()


@pytest.fixture(scope="session")
def aws_url() -> Iterator[str]:
    server = ThreadedMotoServer(port=0, ip_address="127.0.0.1", verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def environ(aws_url: str, token_exchange: TokenExchange) -> dict[str, str]:
    return {
        "AWS_REGION": "eu-west-1",
        "AWS_ENDPOINT_URL": aws_url,
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": token_exchange.url,
        "AWS_CONTAINER_AUTHORIZATION_TOKEN": TOKEN,
        "AWS_IOT_THING_NAME": "shop-7",
        "GGC_VERSION": "2.18.2",
    }
