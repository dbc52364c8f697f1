"""What is in the files of ``assets/``: their hash and, of archives, the names inside. Read once, then remembered.

Assets have up to gigabytes, and a project is checked after every edit of a document. What was read is kept by the
file's identity (device, inode, size, both time stamps), in memory and, where a file for it is given, between runs.
"""

import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from vedette.documents.container_asset import architecture_of
from vedette.documents.model_files import archive_members, sha256_of

_MAX_ENTRIES: Final = 2000
_MAX_FILE_BYTES: Final = 8 << 20
_SETTLED_NS: Final = 2_000_000_000
"""A file that was written a moment ago may be written again within the same time stamp: not kept between runs."""


class AssetFacts:
    """Hashes and member names of asset files.

    :param file: where facts are kept between runs; not kept where None. A file that cannot be read or written costs
        only time.
    :param fresh: read every asset again, whatever is kept
    """

    def __init__(self, file: Path | None = None, *, fresh: bool = False) -> None:
        self._file = file
        self._facts: dict[str, dict[str, Any]] = {} if fresh or file is None else _read(file)
        self._changed = False

    def sha256(self, path: Path) -> str:
        """Return the SHA-256 of the file.

        :raises OSError: if it cannot be read
        """
        kept = self._of(path)
        digest = kept.get("sha256")
        if not isinstance(digest, str):
            digest = kept["sha256"] = sha256_of(path)
            self._changed = True
        return digest

    def members(self, path: Path) -> list[str]:
        """Return the names of the regular files in the archive.

        :raises vedette.documents.model_files.ModelFileError: if it is no archive, or has too many or too large members
        :raises OSError: if it is not there
        """
        kept = self._of(path)
        names = kept.get("members")
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            names = kept["members"] = archive_members(path)
            self._changed = True
        return list(names)

    def architecture(self, path: Path) -> str:
        """Return the architecture of the programs in a container's archive.

        :raises vedette.documents.model_files.ModelFileError: if it cannot be read
        :raises OSError: if it is not there
        """
        kept = self._of(path)
        found = kept.get("architecture")
        if not isinstance(found, str):
            found = kept["architecture"] = architecture_of(path)
            self._changed = True
        return found

    def keep(self) -> None:
        """Write what was learnt to the file; does nothing where that is not possible."""
        if self._file is None or not self._changed:
            return
        newest = time.time_ns() - _SETTLED_NS
        settled = {key: facts for key, facts in self._facts.items() if _changed_ns(key) < newest}
        text = json.dumps(dict(list(settled.items())[-_MAX_ENTRIES:]))
        if len(text) > _MAX_FILE_BYTES:
            return
        try:
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile("w", dir=self._file.parent, delete=False, encoding="utf-8") as written:
                written.write(text)
            Path(written.name).replace(self._file)
        except OSError:
            return
        self._changed = False

    def _of(self, path: Path) -> dict[str, Any]:
        return self._facts.setdefault(_key(path), {})


def _key(path: Path) -> str:
    status = path.stat()
    return f"{status.st_dev}:{status.st_ino}:{status.st_size}:{status.st_mtime_ns}:{status.st_ctime_ns}"


def _changed_ns(key: str) -> int:
    return max(int(part) for part in key.split(":")[3:])


def _read(file: Path) -> dict[str, dict[str, Any]]:
    try:
        if file.stat().st_uid != os.getuid() or file.stat().st_size > _MAX_FILE_BYTES:
            return {}
        kept = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(kept, dict):
        return {}
    return {key: facts for key, facts in kept.items() if isinstance(facts, dict) and _is_key(key)}


def _is_key(key: str) -> bool:
    parts = key.split(":")
    return len(parts) == 5 and all(part.isascii() and part.isdigit() and len(part) <= 20 for part in parts)
