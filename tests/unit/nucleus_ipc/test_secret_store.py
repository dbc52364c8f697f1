"""The secrets file: who may read it, and that no value gets out by another way than ``get``."""

import json
import os
import traceback
from pathlib import Path
from typing import Any

import pytest

from vedette.nucleus.secrets import SecretNotFoundError, SecretStore, SecretStoreError

PASSWORD = "hunter2-very-secret"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "secrets.json"


def write(path: Path, content: Any, mode: int = 0o600) -> None:
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    path.chmod(mode)


def test_secret_is_found_under_one_name_only(path: Path) -> None:
    write(path, {"cam": {"secretString": PASSWORD}, "b": {"arn": "arn:x", "secretString": "y"}})
    store = SecretStore(path)
    assert store.get("cam").value == PASSWORD
    assert store.get(store.get("cam").arn) == store.get("cam")
    assert store.get("arn:x").name == "b"
    assert store.check() == 2


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o644, 0o660])
def test_file_open_to_others_is_read(path: Path, mode: int) -> None:
    write(path, {"cam": {"secretString": PASSWORD}}, mode)
    with pytest.raises(SecretStoreError, match=f"has mode {mode:04o}, others could read it; run: chmod 600"):
        SecretStore(path).get("cam")


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_private_file_is_refused(path: Path, mode: int) -> None:
    write(path, {"cam": {"secretString": PASSWORD}}, mode)
    assert SecretStore(path).get("cam").value == PASSWORD


def test_file_of_another_user_is_read(path: Path) -> None:
    write(path, {"cam": {"secretString": PASSWORD}})
    with pytest.raises(SecretStoreError, match=f"belongs to user {os.geteuid()}, expected 12345; make it yours"):
        SecretStore(path, owner_uid=lambda: 12345).get("cam")


def test_folder_or_pipe_hangs_the_nucleus(path: Path) -> None:
    os.mkfifo(path, 0o600)
    with pytest.raises(SecretStoreError, match="is not a regular file"):
        SecretStore(path).get("cam")


def test_missing_file_is_an_error_of_its_own(path: Path) -> None:
    for store in (SecretStore(path), SecretStore(None)):
        with pytest.raises(SecretNotFoundError, match="Secret not configured cam"):
            store.get("cam")


def test_change_is_not_seen(path: Path) -> None:
    write(path, {"cam": {"secretString": "old"}})
    store = SecretStore(path)
    before = store.get("cam")
    write(path, {"cam": {"secretString": "newer"}})
    after = store.get("cam")
    assert (before.value, after.value) == ("old", "newer")
    assert before.version_id != after.version_id
    path.unlink()
    with pytest.raises(SecretNotFoundError):
        store.get("cam")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (f'{{"cam": {{"secretString": "{PASSWORD}"}}', "is not JSON .line 1."),
        ([PASSWORD], "holds a list, expected an object of secrets by name"),
        ({"cam": PASSWORD}, "secret 'cam' in .* is a string, expected"),
        ({"cam": {"secretString": [PASSWORD]}}, "secretString of secret 'cam' in .* is a list, expected a string"),
        ({"cam": {"arn": "x"}}, "secretString of secret 'cam' in .* is missing or null"),
        ({"cam": {"secretString": PASSWORD, "arn": 5}}, "arn of secret 'cam' in .* is a number"),
        ({"cam": {"secretString": PASSWORD, "kms": "x"}}, "has the unknown key 'kms'"),
    ],
)
def test_error_shows_the_secret(path: Path, content: Any, message: str) -> None:
    write(path, content)
    with pytest.raises(SecretStoreError, match=message) as caught:
        SecretStore(path).get("cam")
    shown = "".join(traceback.format_exception(caught.value))
    assert PASSWORD not in shown
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_repr_shows_the_secret(path: Path) -> None:
    write(path, {"cam": {"secretString": PASSWORD}})
    store = SecretStore(path)
    secret = store.get("cam")
    assert PASSWORD not in f"{secret!r} {secret} {store!r} {store._snapshot!r}"
