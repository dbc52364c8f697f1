"""Without bubblewrap: the same absolute paths for the application in a mount namespace of its own, and no isolation.

A new root in memory receives everything of the old one, with ``/panorama``, ``/opt/aws/panorama`` and the SDK put in.
Nothing is made on the host's own disk. As an ordinary user the kernel needs a user namespace for it, in which the
application then sees itself as root.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from vedette_app_runtime.sandbox.errors import SandboxMisuse
from vedette_app_runtime.sandbox.spec import SandboxSpec

# The arguments: application, storage, logs, sdk or "", then the command. /opt is laid out entry by entry, because
# /opt/aws cannot be made in a bind of the host's. Closing a bind for writing is refused in a user namespace when the
# host's mount carries flags that are locked there; the application then merely may write where its user may anyway.
_SCRIPT: Final = r"""
set -eu
application=$1 storage=$2 logs=$3 sdk=$4
shift 4
asked=$PATH PATH=/usr/sbin:/usr/bin:/sbin:/bin
chroot=$(command -v chroot) setpriv=$(command -v setpriv)
root=/mnt
mount -t tmpfs -o mode=0755 tmpfs "$root"
put() {
  if [ -L "$1" ]; then cp -P "$1" "$root$1"
  elif [ -d "$1" ]; then mkdir -p "$root$1"; mount --rbind "$1" "$root$1"
  elif [ -e "$1" ]; then : > "$root$1"; mount --bind "$1" "$root$1"
  fi
}
close() { mount -o remount,bind,ro "$1" 2>/dev/null || :; }
for entry in /*; do
  case $entry in /mnt|/opt|/panorama) ;; *) put "$entry" ;; esac
done
mkdir -p "$root/mnt" "$root/opt/aws/panorama/storage" "$root/opt/aws/panorama/logs" "$root/panorama"
for entry in /opt/*; do
  case $entry in /opt/aws|/opt/vedette) ;; *) put "$entry" ;; esac
done
mount --bind "$application" "$root/panorama"
close "$root/panorama"
mount --bind "$storage" "$root/opt/aws/panorama/storage"
mount --bind "$logs" "$root/opt/aws/panorama/logs"
if [ -n "$sdk" ]; then
  mkdir -p "$root/opt/vedette/sdk"
  mount --bind "$sdk" "$root/opt/vedette/sdk"
  close "$root/opt/vedette/sdk"
fi
PATH=$asked
exec "$chroot" "$root" "$setpriv" --pdeathsig KILL --no-new-privs -- "$@"
"""


def view_command(spec: SandboxSpec, argv: Sequence[str], *, as_root: bool) -> list[str]:
    """Return the command that runs ``argv`` in such a view.

    :raises SandboxMisuse: if a folder to be shown is not there.
    """
    unshare, shell = shutil.which("unshare"), shutil.which("sh")
    if unshare is None or shell is None:
        raise SandboxMisuse("cannot make a view of the mounts: unshare and sh are needed (package util-linux)")
    folders = [spec.application_dir, spec.storage, spec.logs, *([] if spec.sdk_dir is None else [spec.sdk_dir])]
    for folder in folders:
        if not Path(folder).is_dir():
            raise SandboxMisuse(f"cannot show {folder} to an application: there is no such folder")
    namespaces = ["--mount"] if as_root else ["--user", "--map-root-user", "--mount"]
    shown = [
        str(spec.application_dir),
        str(spec.storage),
        str(spec.logs),
        "" if spec.sdk_dir is None else str(spec.sdk_dir),
    ]
    return [unshare, *namespaces, "--", shell, "-c", _SCRIPT, "vedette-mount-view", *shown, *argv]
