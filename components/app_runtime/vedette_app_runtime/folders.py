"""The folders of one application instance, below its component's work folder."""

import shutil
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Folders:
    """``work`` is the component's work folder, ``<root>/work/vedette.app.<instance>``; all of it survives updates."""

    work: Path

    @property
    def environments(self) -> Path:
        """Prepared Python environments."""
        return self.work / "environments"

    @property
    def storage(self) -> Path:
        """What the application sees as /opt/aws/panorama/storage."""
        return self.work / "storage"

    @property
    def logs(self) -> Path:
        """Holds ``console_output``."""
        return self.work / "logs"

    @property
    def application_logs(self) -> Path:
        """What the application sees as /opt/aws/panorama/logs; apart from the console, which it must not change."""
        return self.work / "logs" / "application"

    @property
    def sockets(self) -> Path:
        """Sockets of the output rings."""
        return self.work / "sockets"

    @property
    def attaching(self) -> Path:
        """Holds the socket at which the application's processes attach that did not inherit one."""
        return self.work / "attaching"

    @property
    def recording(self) -> Path:
        """What the application put and read, where that is recorded."""
        return self.work / "recording.jsonl"

    @property
    def debugger(self) -> Path:
        """The debugger for the application's Python, where one was asked for."""
        return self.work / "debugger"

    def make(self) -> None:
        """Make the folders; whatever sockets an earlier process left are removed."""
        self.clear_sockets()
        self.make_data()
        self.sockets.mkdir(mode=0o700, parents=True, exist_ok=True)

    def make_data(self) -> None:
        """Make the folders that an application writes to."""
        for folder in (self.storage, self.application_logs, self.attaching):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def clear_sockets(self) -> None:
        """Remove the sockets."""
        shutil.rmtree(self.sockets, ignore_errors=True)
        shutil.rmtree(self.attaching, ignore_errors=True)
