"""Where device shadows are kept: in memory, and in a folder of JSON files when one is given."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from vedette.nucleus.errors import NucleusError
from vedette.nucleus.shadow_document import SECTIONS, ShadowDocument
from vedette.whole_files import write_whole

__all__ = ["CLASSIC", "ShadowStore", "ShadowStoreError"]

CLASSIC: Final = ""
"""Name of a thing's classic (unnamed) shadow."""


class ShadowStoreError(NucleusError):
    """A shadow's file that cannot be read or written."""


class ShadowStore:
    """Shadows by thing and name. Names are checked by ``ShadowService``, before they get here.

    ::

        <folder>/<thing>/classic.json
        <folder>/<thing>/named/<name>.json      {"state": {...}, "metadata": {...}, "version": 3}
    """

    def __init__(self, folder: Path | None = None) -> None:
        """Read the folder's shadows; ShadowStoreError names a file that is broken."""
        self._folder = folder
        self._documents: dict[tuple[str, str], ShadowDocument] = {}
        if folder is not None and folder.is_dir():
            for thing in sorted(path for path in folder.iterdir() if path.is_dir()):
                self._load(thing.name, CLASSIC, thing / "classic.json")
                for path in sorted(thing.glob("named/*.json")):
                    self._load(thing.name, path.stem, path)

    def _load(self, thing: str, name: str, path: Path) -> None:
        try:
            content = json.loads(path.read_text())
            self._documents[thing, name] = ShadowDocument(
                _sections(content["state"]), _sections(content["metadata"]), int(content["version"])
            )
        except FileNotFoundError:
            return
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ShadowStoreError(
                f"shadow file {path} cannot be read ({type(error).__name__}); "
                "repair it, or remove it to start that shadow anew"
            ) from error

    def get(self, thing: str, name: str) -> ShadowDocument | None:
        """Return a shadow, None when there is none."""
        return self._documents.get((thing, name))

    def put(self, thing: str, name: str, document: ShadowDocument) -> None:
        """Keep a shadow; ShadowStoreError when it cannot be written, and then the old one stays."""
        path = self._path(thing, name)
        if path is not None:
            _write(path, document)
        self._documents[thing, name] = document

    def delete(self, thing: str, name: str) -> ShadowDocument | None:
        """Forget a shadow and return it, None when there was none."""
        path = self._path(thing, name)
        if path is not None:
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                raise ShadowStoreError(f"shadow file {path} cannot be removed: {error.strerror}") from error
        return self._documents.pop((thing, name), None)

    def names(self, thing: str) -> list[str]:
        """Return the names of a thing's named shadows, sorted."""
        return sorted(name for owner, name in self._documents if owner == thing and name != CLASSIC)

    def _path(self, thing: str, name: str) -> Path | None:
        if self._folder is None:
            return None
        place = self._folder / thing
        return place / "classic.json" if name == CLASSIC else place / "named" / f"{name}.json"


def _sections(content: Any) -> Mapping[str, dict[str, Any]]:
    sections = dict(content)
    if not sections.keys() <= set(SECTIONS) or not all(isinstance(value, dict) for value in sections.values()):
        raise ValueError("expected the objects desired and reported")
    return sections


def _write(path: Path, document: ShadowDocument) -> None:
    # Renamed into place: a killed process leaves the old file or the new one. Not synced: only a power cut could lose
    # the last update, and a sync would hold up every component for as long as the disk takes.
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps(document.plain(), ensure_ascii=False).encode())
    except OSError as error:
        raise ShadowStoreError(f"shadow file {path} cannot be written: {error.strerror}") from error
