"""Users that components run as (``runWith``): who they are, what they may enter, what they own.

Source: the Java nucleus's ``util/platforms/unix/UnixPlatform.java``: ``user``, ``user:group``, numbers as well; work
and artifact folders belong to the component's user.
"""

import contextlib
import grp
import os
import pwd
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from vedette.nucleus.errors import NucleusError

__all__ = ["Account", "find_account"]


@dataclass(frozen=True)
class Account:
    """A user and group of this machine."""

    name: str
    uid: int
    gid: int
    groups: frozenset[int]
    home: str
    shell: str

    def environment(self) -> dict[str, str]:
        """Return what a login of the user would set."""
        return {"HOME": self.home, "USER": self.name, "LOGNAME": self.name, "SHELL": self.shell}

    def command(self) -> list[str]:
        """Return what another command is put behind so that it runs as this user; needs root and util-linux."""
        groups = ",".join(map(str, sorted(self.groups | {self.gid})))
        return ["setpriv", f"--reuid={self.uid}", f"--regid={self.gid}", f"--groups={groups}", "--"]

    def first_closed(self, folder: Path) -> Path | None:
        """Return the first folder on the way to (and with) ``folder`` that the user may not enter, None if all are."""
        for step in (*reversed(folder.parents), folder):
            status = step.stat()
            if status.st_uid == self.uid:
                allowed = status.st_mode & stat.S_IXUSR
            elif status.st_gid == self.gid or status.st_gid in self.groups:
                allowed = status.st_mode & stat.S_IXGRP
            else:
                allowed = status.st_mode & stat.S_IXOTH
            if not allowed and self.uid != 0:
                return step
        return None

    def take_over(self, folders: Iterable[Path]) -> None:
        """Make the user the owner of folders and all that is in them; a folder that is not there does not matter.

        :raises OSError: if it cannot be
        """
        for folder in folders:
            if not folder.is_dir():
                continue
            self._own(folder)
            for parent, names, files in os.walk(folder):
                for name in (*names, *files):
                    with contextlib.suppress(FileNotFoundError):  # what ran before may still be ending
                        self._own(Path(parent) / name)

    def _own(self, path: Path) -> None:
        status = path.lstat()
        if (status.st_uid, status.st_gid) != (self.uid, self.gid):
            os.chown(path, self.uid, self.gid, follow_symlinks=False)


def find_account(posix_user: str) -> Account:
    """Return the account that ``user``, ``user:group`` or their numbers name.

    :raises NucleusError: if there is no such user or group here
    """
    user, _, group = posix_user.partition(":")
    try:
        entry = pwd.getpwuid(int(user)) if user.isdecimal() else pwd.getpwnam(user)
    except KeyError as error:
        raise NucleusError(f"there is no user {user} on this machine; add it: useradd --system {user}") from error
    gid = entry.pw_gid
    if group:
        try:
            gid = int(group) if group.isdecimal() else grp.getgrnam(group).gr_gid
        except KeyError as error:
            raise NucleusError(f"there is no group {group} on this machine; add it: groupadd {group}") from error
    groups = frozenset(os.getgrouplist(entry.pw_name, gid))
    return Account(entry.pw_name, entry.pw_uid, gid, groups, entry.pw_dir, entry.pw_shell or "/bin/sh")
