"""The environment that component processes get: what AWS's nucleus sets, and little of the nucleus's own."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_KEPT: Final = frozenset(
    {
        "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR",
        "DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "XDG_RUNTIME_DIR", "XDG_CACHE_HOME", "XDG_DATA_HOME",
        "LD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR", "UV_CACHE_DIR", "UV_PYTHON_INSTALL_DIR",
        "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy",
    }
)  # fmt: skip
"""A developer's shell holds AWS keys and tokens; a component would not see them on a device, so it does not here.

What plays AWS on this machine (``AWS_ENDPOINT_URL``) is no secret, and does so for components too."""
_KEPT_PREFIXES: Final = ("LC_", "CUDA_", "NVIDIA_", "AWS_ENDPOINT_URL")
CREDENTIALS: Final = "AWS_CONTAINER_CREDENTIALS_FULL_URI"
"""Where AWS's SDKs ask for credentials; they show ``AWS_CONTAINER_AUTHORIZATION_TOKEN`` there."""
_DEFAULT_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def base_environment(
    *,
    run_id: str,
    socket: Path,
    thing_name: str,
    region: str,
    version: str,
    inherited: Mapping[str, str] = os.environ,
    extra: Mapping[str, str] | None = None,
    lite: bool = False,
) -> dict[str, str]:
    """Return what every component process of a run gets; the token is added for each component.

    :param lite: leave out what nucleus lite does not set
    """
    environment = {key: value for key, value in inherited.items() if key in _KEPT or key.startswith(_KEPT_PREFIXES)}
    environment.setdefault("PATH", _DEFAULT_PATH)
    environment.update(
        {
            "VEDETTE_RUN_ID": run_id,
            "AWS_GG_NUCLEUS_DOMAIN_SOCKET_FILEPATH_FOR_COMPONENT": str(socket),
            "AWS_GG_NUCLEUS_DOMAIN_SOCKET_FILEPATH": str(socket),
            "AWS_IOT_THING_NAME": thing_name,
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
            "GGC_VERSION": version,
        }
    )
    if lite:
        del environment["AWS_GG_NUCLEUS_DOMAIN_SOCKET_FILEPATH"]  # the Java nucleus's alone
    environment.update(extra or {})
    return environment


def with_token(environment: Mapping[str, str], token: str) -> dict[str, str]:
    """Return the environment of one component: ``token`` tells the nucleus who connects."""
    return {**environment, "SVCUID": token, "AWS_CONTAINER_AUTHORIZATION_TOKEN": token}
