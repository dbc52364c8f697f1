"""What a persistent nucleus finds of the run before, takes up, and keeps for the run after."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vedette.nucleus.configuration import ConfigurationStore
from vedette.nucleus.deploying import Deployer
from vedette.nucleus.errors import NucleusError
from vedette.nucleus.ipc.deployment_desk import DeploymentRecord
from vedette.nucleus.local_deployments import LocalDeployments
from vedette.nucleus.state_store import Change, Deployed, SavedState, StateStore

__all__ = ["Keeping"]

logger = logging.getLogger(__name__)


class Keeping:
    """Reads the state below a root, and writes it; with ``folder`` None nothing is read and nothing kept."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self.store = None if folder is None else StateStore(folder)
        self.records: Sequence[DeploymentRecord] = ()
        """Local deployments of earlier runs, after ``load``."""
        self._saved: SavedState | None = None
        self._changes: Sequence[Change] = ()

    def path(self, name: str) -> Path | None:
        """Return where something further is kept, None where nothing is."""
        return None if self.folder is None else self.folder / name

    def load(self) -> None:
        """Read what there is.

        :raises NucleusError: if a file is there and cannot be used
        """
        if self.store is not None:
            self._saved, self._changes, self.records = self.store.load()

    def resume(
        self, deployer: Deployer, desk: LocalDeployments, configuration: ConfigurationStore
    ) -> NucleusError | None:
        """Start what ran before and keep what happens from now on; return why it could not be started.

        What cannot be started does not keep the nucleus from running.
        """
        store = self.store
        if store is None:
            return None
        saved = self._saved or SavedState(Deployed())
        fault: NucleusError | None = None
        try:
            deployer.resume(saved.deployed, self._changes)
        except NucleusError as error:
            fault = error
            logger.error("what ran before cannot be started again: %s", error)  # noqa: TRY400

        def compact() -> None:
            if store.long:
                deployer.confirm()

        def note(component: str, path: Sequence[str], value: Mapping[str, Any], stamp_ms: int) -> None:
            store.note(Change(component, list(path), value, stamp_ms))
            if store.long and fault is None:
                desk.later(compact)

        configuration.journal = note
        desk.take_up(saved if fault is None else SavedState(Deployed()))
        return fault

    def keep_records(self, records: Sequence[DeploymentRecord]) -> None:
        """Replace the local deployments."""
        if self.store is not None:
            self.store.save_records(records)

    def close(self) -> None:
        """Close the files."""
        if self.store is not None:
            self.store.close()
