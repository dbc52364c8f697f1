"""The cameras of this user on this machine: ``~/.config/vedette/cameras.json``, for its owner alone."""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from vedette.cli.arguments import read_known_cameras, secrets_file
from vedette.cli.failure import Failure
from vedette.whole_files import PRIVATE, write_whole


def put_known_camera(name: str, camera: Mapping[str, str], path: Path | None = None) -> Path:
    """Write a camera into the file, in place of one of the same name; return the file.

    :raises Failure: if the file cannot be read or written
    """
    with _changing(path) as (file, cameras):
        cameras[name] = dict(camera)
    return file


def remove_known_camera(name: str, path: Path | None = None) -> Path:
    """Take a camera out of the file; return the file.

    :raises Failure: if it is not there, or the file cannot be read or written
    """
    with _changing(path) as (file, cameras):
        if name not in cameras:
            known = ", ".join(sorted(cameras))
            raise Failure(f"{file} has no camera `{name[:80]}`", hint=f"known cameras: {known}" if known else None)
        del cameras[name]
    return file


@contextmanager
def _changing(path: Path | None) -> Iterator[tuple[Path, dict[str, dict[str, str]]]]:
    """Give the cameras to be changed; they are written at the end, and two commands at once do not lose a change."""
    file = path or secrets_file()
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(file.with_name(f".{file.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise Failure(f"{file} cannot be written: {error.strerror}") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        cameras = read_known_cameras(file) if file.exists() else {}
        yield file, cameras
        _write(file, json.dumps(cameras, indent=2, ensure_ascii=False) + "\n")
    finally:
        os.close(handle)


def _write(file: Path, text: str) -> None:
    try:
        write_whole(file, text.encode(), mode=PRIVATE)
    except OSError as error:
        raise Failure(f"{file} cannot be written: {error.strerror}") from error
