"""The endpoint from which one application, and nobody else, reads the credentials of its role.

It is what AWS's SDKs call a container's credential provider: an address and a token in the environment. Old ones take
127.0.0.1 and localhost alone for the address. It also answers in the place of AWS Panorama's own service.
"""

import http.server
import json
import logging
import secrets
import sys
import threading
from typing import Any, Final
from urllib.parse import urlsplit

from vedette.aws_calls import AwsError
from vedette_app_runtime.role.credentials import RoleCredentials, document_of
from vedette_app_runtime.role.panorama_service import Identity, answer

logger = logging.getLogger(__name__)

_PATH: Final = "/role"
_TIMEOUT_S: Final = 10.0
MOST_CONNECTIONS: Final = 32
"""At once; each is a thread of the host, which an application is not to have without end."""


class RoleEndpoint:
    """Serves from its making until :meth:`close`. Whoever has the token is the application."""

    def __init__(self, role_arn: str, credentials: RoleCredentials, identity: Identity) -> None:
        """:raises OSError: when no port can be had"""
        token = secrets.token_urlsafe(32)

        class Handler(_Handler):
            pass

        Handler.role_arn, Handler.credentials, Handler.token = role_arn, credentials, token
        Handler.identity = identity
        self._server = _Server(("127.0.0.1", 0), Handler)
        self.port: int = self._server.server_address[1]
        self._token = token
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.2,), name="role", daemon=True)
        self._thread.start()

    def environ(self) -> dict[str, str]:
        """Return the application's environment variables."""
        return {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://127.0.0.1:{self.port}{_PATH}",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": self._token,
            "AWS_ENDPOINT_URL_PANORAMA": f"http://127.0.0.1:{self.port}",
            # The role of an EC2 device is not the application's.
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def close(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(_TIMEOUT_S)


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = MOST_CONNECTIONS

    def __init__(self, address: tuple[str, int], handler: type["_Handler"]) -> None:
        super().__init__(address, handler)
        self._free = threading.BoundedSemaphore(MOST_CONNECTIONS)

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, *_: Any) -> None:
        """Say little: whoever connects and hangs up may go on with that."""
        logger.debug("a request for the role was not answered: %s", sys.exc_info()[1])


class _Handler(http.server.BaseHTTPRequestHandler):
    role_arn = ""
    token = ""
    credentials: RoleCredentials
    identity: Identity
    timeout = _TIMEOUT_S
    server_version = "vedette"
    sys_version = ""

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        said = answer(path, self.identity)
        if said is not None:
            self._answer(*said)
            return
        if path != _PATH:
            self._answer(404, {"message": "not found"})
            return
        given = self.headers.get("Authorization", "")
        if not secrets.compare_digest(given.encode(), self.token.encode()):
            self._answer(401, {"message": "the token is wrong"})
            return
        try:
            self._answer(200, document_of(self.credentials.get(), self.role_arn))
        except AwsError as error:
            self._answer(502, {"code": error.code or type(error).__name__, "message": str(error)})

    def _answer(self, status: int, document: Any) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Say nothing: the log is not for every request."""
