"""Lets ``greengrass-cli`` in: the file with a token that AWS's command line reads below the root folder.

``<root>/cli_ipc_info/user-<uid>``, mode 0600: ``{"cli_auth_token", "domain_socket_path"}``. Source:
aws-greengrass-cli ``CLIService.java``.
"""

import json
import os
from pathlib import Path

from vedette.nucleus.errors import NucleusError

FOLDER = "cli_ipc_info"


def principal() -> str:
    """Return the principal that this user's command line is."""
    return f"greengrass-cli#user-{os.geteuid()}"


def write_access(root: Path, token: str, socket: Path) -> None:
    """Write the file; an earlier one is replaced.

    :raises NucleusError: if it cannot be written
    """
    folder = root / FOLDER
    path = folder / f"user-{os.geteuid()}"
    document = json.dumps({"cli_auth_token": token, "domain_socket_path": str(socket)})
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(document)
    except OSError as error:
        raise NucleusError(f"{path} cannot be written: {error.strerror}") from error


def remove_access(root: Path) -> None:
    """Remove the file; its token is worth nothing any more."""
    (root / FOLDER / f"user-{os.geteuid()}").unlink(missing_ok=True)
