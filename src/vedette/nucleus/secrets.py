"""Secrets of the local nucleus: a JSON file that only its owner can read.

::

    {"panorama/front-door": {"secretString": "{\"Username\": \"viewer\", ...}", "arn": "arn:aws:secretsmanager:..."}}

``arn`` may be left out. On a device the same names are served by the secret manager out of AWS Secrets Manager.
Values appear in no error, log line or ``repr``.
"""

import json
import os
import stat
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from vedette.nucleus.errors import NucleusError

__all__ = ["Secret", "SecretNotFoundError", "SecretStore", "SecretStoreError"]

MAX_BYTES: Final = 4 * 1024 * 1024
_LOCAL_ARN: Final = "arn:aws:secretsmanager:local:000000000000:secret:{name}-local0"


class SecretStoreError(NucleusError):
    """A secrets file that cannot or must not be read."""


class SecretNotFoundError(SecretStoreError):
    """No secret of that name or ARN."""


@dataclass(frozen=True, slots=True)
class Secret:
    """One secret; the value is left out of ``repr``."""

    name: str
    arn: str
    version_id: str
    value: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Snapshot:
    stamp: tuple[int, int, int]
    secrets: Mapping[str, Secret] = field(repr=False)


class SecretStore:
    """Finds secrets by name or ARN; reads the file again when it has changed."""

    def __init__(self, path: Path | None = None, *, owner_uid: Callable[[], int] = os.geteuid) -> None:
        """Without a path there are no secrets. Nothing is read before the first ``get``."""
        self._path = path
        self._owner_uid = owner_uid
        self._snapshot: _Snapshot | None = None
        self._lock = threading.Lock()

    def get(self, secret_id: str) -> Secret:
        """Return a secret by name or ARN.

        :raises SecretNotFoundError: there is none of that name
        :raises SecretStoreError: the file is open to others, is not ours, or is not of the expected form
        """
        with self._lock:
            secrets = self._read()
        for secret in secrets.values():
            if secret_id in {secret.name, secret.arn}:
                return secret
        raise SecretNotFoundError(f"Secret not configured {secret_id}")

    def all(self) -> list[Secret]:
        """Return every secret; SecretStoreError when the file cannot or must not be read."""
        with self._lock:
            return list(self._read().values())

    def check(self) -> int:
        """Return how many secrets there are; SecretStoreError when the file cannot or must not be read."""
        with self._lock:
            return len(self._read())

    def _read(self) -> Mapping[str, Secret]:
        if self._path is None:
            return {}
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise SecretStoreError(f"secrets file {self._path} cannot be opened: {error.strerror}") from error
        with os.fdopen(descriptor, "rb") as file:
            facts = os.fstat(descriptor)
            self._refuse_unsafe(facts)
            stamp = (facts.st_ino, facts.st_mtime_ns, facts.st_size)
            if self._snapshot is None or self._snapshot.stamp != stamp:
                self._snapshot = _Snapshot(stamp, self._parse(file.read(MAX_BYTES), facts.st_mtime_ns))
            return self._snapshot.secrets

    def _refuse_unsafe(self, facts: os.stat_result) -> None:
        if not stat.S_ISREG(facts.st_mode):
            raise SecretStoreError(f"secrets file {self._path} is not a regular file")
        if facts.st_uid != self._owner_uid():
            raise SecretStoreError(
                f"secrets file {self._path} belongs to user {facts.st_uid}, expected {self._owner_uid()}; "
                "make it yours with chown"
            )
        if facts.st_mode & 0o077:
            raise SecretStoreError(
                f"secrets file {self._path} has mode {stat.S_IMODE(facts.st_mode):04o}, others could read it; "
                f"run: chmod 600 {self._path}"
            )
        if facts.st_size > MAX_BYTES:
            raise SecretStoreError(f"secrets file {self._path} has {facts.st_size} bytes, the limit is {MAX_BYTES}")

    def _parse(self, content: bytes, modified_ns: int) -> Mapping[str, Secret]:
        try:
            document: Any = json.loads(content)
        except (ValueError, RecursionError) as error:
            line = getattr(error, "lineno", None)
            # Neither the cause nor its text: both carry the document, and with it the passwords.
            raise SecretStoreError(
                f"secrets file {self._path} is not JSON{f' (line {line})' if line else ''}"
            ) from None
        if not isinstance(document, dict):
            raise SecretStoreError(
                f"secrets file {self._path} holds {_kind(document)}, expected an object of secrets by name"
            )
        return {name: self._secret(name, entry, modified_ns) for name, entry in document.items()}

    def _secret(self, name: str, entry: Any, modified_ns: int) -> Secret:
        where = f"secret {name!r} in {self._path}"
        if not isinstance(entry, dict):
            raise SecretStoreError(f'{where} is {_kind(entry)}, expected {{"secretString": "..."}}')
        unknown = sorted(entry.keys() - {"arn", "secretString"})
        if unknown:
            raise SecretStoreError(f"{where} has the unknown key {unknown[0]!r}; expected secretString and perhaps arn")
        value = entry.get("secretString")
        arn = entry.get("arn", _LOCAL_ARN.format(name=name))
        for key, text in (("secretString", value), ("arn", arn)):
            if not isinstance(text, str):
                raise SecretStoreError(f"{key} of {where} is {_kind(text)}, expected a string")
        version = uuid.uuid5(uuid.NAMESPACE_URL, f"{arn}#{modified_ns}")
        return Secret(name, arn, str(version), value if isinstance(value, str) else "")

    def __repr__(self) -> str:
        return f"<SecretStore {self._path}>"


def _kind(value: object) -> str:
    kinds = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", type(None): "missing or null"}
    return kinds.get(type(value), "a number")
