"""Which files of an application run here at present: for ``vedette shell``, which shows the same ones."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from vedette.nucleus.deployment import ComponentDeployment
from vedette.whole_files import write_whole

LIVE_SOURCES: Final = "live-sources"
"""Below the state folder of a run: the application's files as they were saved, for ``--watch``."""


@dataclass(frozen=True)
class RunNote:
    """What was deployed last of one component."""

    version: str
    environment: str = "auto"
    """As ``vedette run --environment``."""
    sources: str | None = None
    """Folder of files that were saved since; None: those of the version."""


def note_run(root: Path, deployments: Mapping[str, ComponentDeployment]) -> None:
    """Leave word below the state folder ``root`` of what is about to run.

    :raises OSError: if it cannot be written
    """
    for name, deployment in deployments.items():
        merge = deployment.merge
        note = RunNote(deployment.version, str(merge.get("environment") or "auto"), merge.get("sourceFolder"))
        path = _path(root, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps(asdict(note)).encode())


def noted_run(root: Path, component: str) -> RunNote | None:
    """Return the word that was left; None where there is none, as of a run of an earlier release."""
    try:
        return RunNote(**json.loads(_path(root, component).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _path(root: Path, component: str) -> Path:
    return root / LIVE_SOURCES / f"{component}.json"
