"""Secrets in a file: encrypted, for a limited time, for this machine and this user.

AES-256-GCM with a key out of a random key file (mode 0600, beside the cache) and the machine's id: neither a copy of
the cache, nor one of both files on another machine, can be read. Who is root on this machine can read it, as root can
read the memory of the process. The time at which an entry ends is inside of what is encrypted.
"""

import base64
import hashlib
import json
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from vedette.whole_files import PRIVATE, write_whole

logger = logging.getLogger(__name__)

KEEP_S: Final = 7 * 86400.0
_NONCE_BYTES: Final = 12


class SecretCache:
    """One file of secrets. A disk that takes nothing, or a damaged file, costs the cache and nothing else."""

    def __init__(
        self,
        path: Path,
        *,
        keep_s: float = KEEP_S,
        wall: Callable[[], float] = time.time,
        machine_id: Path = Path("/etc/machine-id"),
    ) -> None:
        """``path``: of the cache; its key lies beside it, with ``.key`` at its end."""
        self._path = path
        self._key_path = path.with_name(f"{path.name}.key")
        self._keep_s = keep_s
        self._wall = wall
        self._machine_id = machine_id

    def store(self, secret_id: str, text: str) -> None:
        """Keep a secret."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        plain = json.dumps({"text": text, "until": self._wall() + self._keep_s}).encode()
        try:
            nonce = os.urandom(_NONCE_BYTES)
            sealed = nonce + AESGCM(self._key()).encrypt(nonce, plain, secret_id.encode())
            entries = {**self._entries(), _name(secret_id): base64.b64encode(sealed).decode()}
            write_whole(self._path, json.dumps(entries).encode(), mode=PRIVATE, synced=True)
        except OSError as error:
            logger.warning("secrets cannot be kept in %s: %s", self._path, error.strerror)

    def load(self, secret_id: str) -> str | None:
        """Return a secret that was kept and has not ended; None for any other."""
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        entry = self._entries().get(_name(secret_id))
        if entry is None:
            return None
        try:
            sealed = base64.b64decode(str(entry))
            opened = AESGCM(self._key()).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], secret_id.encode())
            document = json.loads(opened)
        except (OSError, ValueError, InvalidTag):
            # Not chained and not shown: another machine's, or damaged.
            logger.warning("the kept secret %s cannot be opened on this machine", secret_id)
            return None
        # A clock that is not set yet (1970) is before the end: a device without a clock has to start, too.
        return str(document["text"]) if self._wall() < float(document["until"]) else None

    def _key(self) -> bytes:
        try:
            seed = self._key_path.read_bytes()
        except FileNotFoundError:
            seed = b""
        if len(seed) != 32:
            seed = os.urandom(32)
            write_whole(self._key_path, seed, mode=PRIVATE, synced=True)
        try:
            machine = self._machine_id.read_bytes().strip()
        except OSError:
            machine = b""
        return hashlib.blake2b(machine, key=seed, digest_size=32, person=b"vedette-secret").digest()

    def _entries(self) -> dict[str, Any]:
        try:
            found = json.loads(self._path.read_bytes())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}


def _name(secret_id: str) -> str:
    return hashlib.sha256(secret_id.encode()).hexdigest()
