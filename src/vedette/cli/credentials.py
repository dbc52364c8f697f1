"""Keeps passwords given on the command line out of the process list.

``vedette run --camera node=rtsp://user:password@host/`` is what people type. Everybody on the machine can read the
arguments of a process, so the command starts itself again at once without the credentials; they travel in an
anonymous memory file that only the new process holds.
"""

import json
import os
import re
import sys
from collections.abc import Mapping, MutableMapping, Sequence

from vedette.redaction import split_credentials

_VARIABLE = "VEDETTE_CREDENTIALS_FD"
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S+@")

Credentials = Mapping[str, tuple[str, str]]
"""URL without credentials -> (user, password)."""


def split_arguments(arguments: Sequence[str]) -> tuple[list[str], dict[str, tuple[str, str]]]:
    """Return the arguments without the credentials in their URLs, and these credentials by clean URL."""
    found: dict[str, tuple[str, str]] = {}
    clean = []
    for argument in arguments:
        match = _URL.search(argument)
        if match is None:
            clean.append(argument)
            continue
        url, user, password = split_credentials(argument[match.start() :])
        found[url] = (user or "", password or "")
        clean.append(argument[: match.start()] + url)
    return clean, found


def hide(environ: MutableMapping[str, str] = os.environ) -> dict[str, tuple[str, str]]:
    """Return the credentials given on the command line; a process that shows them is replaced by one that does not."""
    if _VARIABLE in environ:
        with os.fdopen(int(environ.pop(_VARIABLE)), encoding="utf-8") as file:
            file.seek(0)
            return {url: (user, password) for url, (user, password) in json.load(file).items()}
    clean, found = split_arguments(sys.orig_argv)
    if not found:
        return {}
    fd = os.memfd_create("vedette-credentials", 0)
    os.write(fd, json.dumps(found).encode())
    os.execve(sys.executable, clean, {**environ, _VARIABLE: str(fd)})  # noqa: S606 - this very command
