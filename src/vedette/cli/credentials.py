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
from urllib.parse import quote

from vedette.redaction import split_credentials

_VARIABLE = "VEDETTE_CREDENTIALS_FD"
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S+@")

Credentials = Mapping[str, tuple[str, str]]
"""URL with the user but without the password -> (user, password)."""


def split_arguments(arguments: Sequence[str]) -> tuple[list[str], dict[str, tuple[str, str]]]:
    """Return the arguments without the passwords in their URLs, and the credentials by what is left of each URL.

    The user stays: it is no secret, and tells two logins at one address apart.
    """
    found: dict[str, tuple[str, str]] = {}
    clean = []
    for argument in arguments:
        match = _URL.search(argument)
        url, user, password = split_credentials(argument[match.start() :]) if match else ("", None, None)
        if match is None or password is None:
            clean.append(argument)
            continue
        shown = without_password(url, user or "")
        found[shown] = (user or "", password)
        clean.append(argument[: match.start()] + shown)
    return clean, found


def without_password(url: str, user: str) -> str:
    """Return the URL, which has no credentials, with the user in it."""
    return url.replace("://", f"://{quote(user, safe='')}@", 1)


def hide(environ: MutableMapping[str, str] = os.environ) -> dict[str, tuple[str, str]]:
    """Return the credentials given on the command line; a process that shows passwords is replaced by one without."""
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
