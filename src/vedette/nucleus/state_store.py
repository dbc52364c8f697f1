"""What a nucleus keeps over restarts: deployed components, their configuration, local deployments.

::

    <root>/state/state.json           the last deployment: targets, versions, configuration; replaced whole
    <root>/state/changes.<n>.jsonl    what components changed in their configuration since state.json number n
    <root>/state/deployments.json     local deployments and what became of them

A process that is killed at any moment leaves the state before or after a deployment, never one between: ``state.json``
is synced and renamed into place, and names the only file of changes that counts. A change is written before it is
acknowledged; a power cut may lose the last ones. What the component store got is on the disk before ``state.json``
names it.
"""

import json
import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Final

from vedette.nucleus.errors import NucleusError
from vedette.nucleus.ipc.deployment_desk import DeploymentRecord
from vedette.whole_files import write_whole

logger = logging.getLogger(__name__)

COMPACT_BYTES: Final = 1_000_000
"""A longer file of changes is taken up into ``state.json``."""
_FORMAT: Final = 1


@dataclass(frozen=True)
class Deployed:
    """Everything that one deployment settled. ``versions``: of every component, in start order."""

    targets: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    configuration: Mapping[str, Any] = field(default_factory=dict)
    run_with: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Of the components that run as another user or within limits: fields of ``RunWith``."""


@dataclass(frozen=True)
class SavedState:
    """The state on disk. ``previous``: where an unconfirmed deployment goes back to if its components fail."""

    deployed: Deployed
    deployment_id: str = ""
    previous: Deployed | None = None


@dataclass(frozen=True)
class Change:
    """One UpdateConfiguration that was carried out."""

    component: str
    path: Sequence[str]
    value: Mapping[str, Any]
    stamp_ms: int


class StateStore:
    """Reads and writes the state below a root; methods may be called from any thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._number = 0
        self._journal: BinaryIO | None = None
        self._lock = threading.Lock()

    def load(self) -> tuple[SavedState | None, list[Change], list[DeploymentRecord]]:
        """Return the state, what was changed since, and the local deployments; None where there is no state yet.

        :raises NucleusError: if a file is there and cannot be used
        """
        document = self._read("state.json")
        try:
            records = [_record(entry) for entry in self._read("deployments.json") or ()]
        except (KeyError, TypeError) as error:
            raise self._unusable("deployments.json", error) from error
        if document is None:
            return None, [], records
        try:
            previous = document["previous"]
            state = SavedState(
                deployed=Deployed(**document["deployed"]),
                deployment_id=document["deployment_id"],
                previous=None if previous is None else Deployed(**previous),
            )
            self._number = int(document["number"])
            if document["format"] != _FORMAT:
                raise ValueError(f"format {document['format']}")
        except (KeyError, TypeError, ValueError) as error:
            raise self._unusable("state.json", error) from error
        return state, self._changes(), records

    def save(self, state: SavedState) -> None:
        """Replace the state; earlier changes belong to it.

        :raises NucleusError: if it cannot be written; the earlier state stays
        """
        with self._lock:
            number = self._number + 1
            self._write("state.json", {"format": _FORMAT, "number": number, **asdict(state)})
            if self._journal is not None:
                self._journal.close()
                self._journal = None
            old, self._number = self._number, number
            self._path(old).unlink(missing_ok=True)

    def note(self, change: Change) -> None:
        """Write a change behind the state.

        :raises NucleusError: if it cannot be written
        """
        line = json.dumps(asdict(change), separators=(",", ":")).encode() + b"\n"
        with self._lock:
            try:
                if self._journal is None:
                    self._journal = self._path(self._number).open("ab", buffering=0)
                self._journal.write(line)
            except OSError as error:
                raise NucleusError(
                    f"the change of {change.component} cannot be kept in {self._folder}: {error.strerror}"
                ) from error

    def save_records(self, records: Sequence[DeploymentRecord]) -> None:
        """Replace the local deployments.

        :raises NucleusError: if they cannot be written
        """
        with self._lock:
            self._write("deployments.json", [asdict(record) for record in records])

    @property
    def long(self) -> bool:
        """Whether so many changes were noted that the state should be saved anew."""
        try:
            return self._path(self._number).stat().st_size > COMPACT_BYTES
        except OSError:
            return False

    def close(self) -> None:
        """Close the file of changes."""
        with self._lock:
            if self._journal is not None:
                self._journal.close()
                self._journal = None

    def _path(self, number: int) -> Path:
        return self._folder / f"changes.{number}.jsonl"

    def _changes(self) -> list[Change]:
        try:
            data = self._path(self._number).read_bytes()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise self._unusable(self._path(self._number).name, error) from error
        *lines, torn = data.split(b"\n")
        if torn:
            # The nucleus was killed while it wrote: nobody was told that this change was carried out.
            with self._path(self._number).open("r+b") as file:
                file.truncate(len(data) - len(torn))
        changes, kept = [], 0
        for line in lines:
            try:
                changes.append(Change(**json.loads(line)))
            except (ValueError, TypeError):
                # Changes are not synced one by one: power that fails leaves blocks of zeros where lines were.
                logger.warning("%d changes of configuration were lost with the power", len(lines) - len(changes))
                with self._path(self._number).open("r+b") as file:
                    file.truncate(kept)
                break
            kept += len(line) + 1
        return changes

    def _read(self, name: str) -> Any:
        try:
            return json.loads((self._folder / name).read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise self._unusable(name, error) from error

    def _write(self, name: str, document: Any) -> None:
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            write_whole(self._folder / name, json.dumps(document).encode(), synced=True)
        except OSError as error:
            raise NucleusError(f"{self._folder / name} cannot be written: {error.strerror}") from error

    def _unusable(self, name: str, error: Exception) -> NucleusError:
        return NucleusError(
            f"{self._folder / name} cannot be used ({type(error).__name__}): move {self._folder} away to begin anew"
        )


def _record(entry: Mapping[str, Any]) -> DeploymentRecord:
    lists = {key: tuple(entry[key]) for key in ("error_stack", "error_types")}
    return DeploymentRecord(**{**entry, **lists})
