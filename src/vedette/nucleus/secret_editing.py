"""Changes the file of secrets that ``vedette.nucleus.secrets`` reads. Values appear in no error and no log."""

import fcntl
import json
import os
from pathlib import Path
from typing import Any

from vedette.nucleus.errors import NucleusError
from vedette.nucleus.secrets import SecretStore, SecretStoreError
from vedette.whole_files import PRIVATE, write_whole


def set_secret(path: Path | None, name: str, value: str) -> None:
    """Keep ``value`` (a secretString) under ``name``; the file is made where there is none, mode 0600.

    :raises NucleusError: if there is no file of secrets, or it cannot or must not be changed
    """
    if path is None:
        raise SecretStoreError("this nucleus was started without a file of secrets")
    store = SecretStore(path)
    try:
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)  # two commands at once must not lose one another's secret
            store.check()
            document: dict[str, Any] = json.loads(path.read_bytes()) if path.exists() else {}
            document[name] = {**document.get(name, {}), "secretString": value}
            write_whole(path, json.dumps(document).encode(), mode=PRIVATE, synced=True)
        finally:
            os.close(folder)
    except OSError as error:
        raise NucleusError(f"secrets file {path} cannot be written: {error.strerror}") from None


def list_secrets(path: Path | None) -> list[dict[str, str]]:
    """Return ``{"name", "arn", "versionId"}`` of every secret, sorted by name.

    :raises NucleusError: if the file cannot or must not be read
    """
    store = SecretStore(path)
    return [
        {"name": secret.name, "arn": secret.arn, "versionId": secret.version_id}
        for secret in sorted(store.all(), key=lambda secret: secret.name)
    ]
