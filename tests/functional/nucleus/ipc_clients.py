"""SDK clients of the nucleus under test: as a component, and as AWS's command line."""

import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from awsiot.greengrasscoreipc import connect
from awsiot.greengrasscoreipc.clientv2 import GreengrassCoreIPCClientV2

from vedette.bus import Bus
from vedette.bus.greengrass import connect_to_nucleus

SLEEPER: Mapping[str, Any] = {"run": 'echo "token $SVCUID"; exec sleep 600'}
"""A component that does nothing but tell its token."""


def policy(service: str, *operations: str, resources: tuple[str, ...] = ("*",)) -> dict[str, Any]:
    """Return an accessControl with one policy."""
    allowed = {"operations": [f"aws.greengrass#{name}" for name in operations] or ["*"], "resources": list(resources)}
    return {"accessControl": {service: {f"{service}:1": allowed}}}


@contextmanager
def refused(kind: type[Exception], words: str = "") -> Iterator[None]:
    """Expect an SDK error whose ``message`` holds ``words`` (its ``str()`` is empty)."""
    with pytest.raises(kind) as caught:
        yield
    message = getattr(caught.value, "message", None) or ""
    assert words in message


def client_of(bench: Any, component: str, start: int = 1) -> GreengrassCoreIPCClientV2:
    """Connect as a component that runs as ``SLEEPER``, with the token of its ``start``-th start."""
    token = bench.heard.line(component, "token ", count=start).split()[1]
    return _connected(Path(json.loads(command_line_file(bench).read_text())["domain_socket_path"]), token)


def bus_of(bench: Any, component: str) -> Bus:
    """Connect as a component does that runs as ``SLEEPER``, with the components' own client."""
    token = bench.heard.line(component, "token ", count=1).split()[1]
    socket = json.loads(command_line_file(bench).read_text())["domain_socket_path"]
    return connect_to_nucleus(
        5.0, {"SVCUID": token, "AWS_GG_NUCLEUS_DOMAIN_SOCKET_FILEPATH_FOR_COMPONENT": str(socket)}
    )


def command_line(bench: Any) -> GreengrassCoreIPCClientV2:
    """Connect as AWS's command line does."""
    access = json.loads(command_line_file(bench).read_text())
    return _connected(Path(access["domain_socket_path"]), access["cli_auth_token"])


def command_line_file(bench: Any) -> Path:
    """Return the file that AWS's command line reads."""
    (found,) = (bench.root / "cli_ipc_info").iterdir()
    return Path(found)


def _connected(socket: Path, token: str) -> GreengrassCoreIPCClientV2:
    raw = connect(ipc_socket=str(socket), authtoken=token, timeout=20)
    return GreengrassCoreIPCClientV2(raw, executor=ThreadPoolExecutor(max_workers=1))
