"""Cameras of an account and region: one secret each, which is also the entry in the list.

The secret's value is what Panorama's template called it, ``{"Username", "Password", "StreamUrl"}``, with
``SubStreamUrl`` beside it for a camera with a small stream; its description
says in JSON what may be seen without reading the value. Devices read the value; whoever deploys need not.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from vedette.cloud.access import Cloud
from vedette.cloud.errors import AlreadyThereError, InvalidRequestError, NotFoundError
from vedette.messages import CameraSource

PREFIX: Final = "vedette/camera/"
"""What the names of all camera secrets begin with: the devices' role may read nothing else."""
TAG: Final = "vedette:camera"
_SERVICE: Final = "secretsmanager"
_SCHEMA: Final = "vedette.camera/1"
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,128}")
RECOVERY_DAYS: Final = 7


@dataclass(frozen=True)
class Login:
    """How a camera is reached; the password is in no ``repr``."""

    url: str
    """Without user and password."""
    user: str = ""
    password: str = ""
    certificate: str = ""
    """What the camera is known by over TLS, PEM."""
    sub: str = ""
    """Address of the small stream, without user and password; empty: there is none."""
    sub_missing: str = "wait"
    """What becomes of applications where the camera has no such stream: wait or main. Not part of the secret."""

    def __repr__(self) -> str:
        """Return it without the password."""
        return f"Login(url={self.url!r}, user={self.user!r})"

    def secret_string(self) -> str:
        """Return the value of the secret."""
        value = {"Username": self.user, "Password": self.password, "StreamUrl": self.url}
        more = {"Certificate": self.certificate, "SubStreamUrl": self.sub}
        return json.dumps(value | {key: text for key, text in more.items() if text})


@dataclass(frozen=True)
class RegisteredCamera:
    """An entry of the list; nothing of it is secret."""

    name: str
    url: str
    login: bool
    """Whether a user and password go with it."""
    about: str
    arn: str
    removed: bool = False
    pinned: bool = False
    """Whether it is known by a certificate of its own."""
    sub: str = ""
    """Address of its small stream; empty: it has none."""
    sub_missing: str = "wait"
    """What becomes of applications where the camera has no such stream: wait or main."""

    @property
    def secret(self) -> str:
        """Return the name of its secret."""
        return PREFIX + self.name

    def source(self) -> CameraSource:
        """Return it as applications are given it: one with a login or a certificate has its address from the secret."""
        sub_missing: Literal["main"] | None = "main" if self.sub and self.sub_missing == "main" else None
        if self.login or self.pinned:
            sub = "" if self.sub else None
            return CameraSource(name=self.name, secret=self.secret, sub=sub, sub_missing=sub_missing)
        return CameraSource(name=self.name, url=self.url, sub=self.sub or None, sub_missing=sub_missing)


def check_camera_name(name: str) -> None:
    """Check the name of a camera, by Panorama's rule.

    :raises InvalidRequestError: if it cannot be one
    """
    if not _NAME.fullmatch(name):
        raise InvalidRequestError(
            f"`{name[:80]}` cannot name a camera: expected at most 128 letters, digits, _ and -",
            hint="the name is what override documents call it, and the stream_id that applications see",
        )


class CameraRegistry:
    """The cameras of one account and region."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def cameras(self) -> list[RegisteredCamera]:
        """Return every registered camera, by name; no secret is read.

        :raises vedette.cloud.CloudError: if AWS refuses
        """
        filters = [{"Key": "name", "Values": [PREFIX]}]
        found = self._cloud.pages(_SERVICE, "list_secrets", "SecretList", Filters=filters)
        cameras = [camera for item in found if (camera := _camera(item)) is not None and not camera.removed]
        return sorted(cameras, key=lambda camera: camera.name)

    def camera(self, name: str) -> RegisteredCamera:
        """Return one camera.

        :raises NotFoundError: if there is none of that name
        """
        camera = self._entry(name)
        if camera is None or camera.removed:
            raise NotFoundError(f"no camera `{name[:80]}` is registered", hint="vedette camera list")
        return camera

    def login(self, name: str) -> Login:
        """Read the secret of a camera.

        :raises NotFoundError: if there is none of that name
        """
        sub_missing = self.camera(name).sub_missing
        answer = self._cloud.call(_SERVICE, "get_secret_value", SecretId=PREFIX + name)
        try:
            value = json.loads(answer["SecretString"])
            user, password, certificate, small = (
                value.get(key, "") for key in ("Username", "Password", "Certificate", "SubStreamUrl")
            )
            return Login(value["StreamUrl"], user, password, certificate, small, sub_missing)
        except (KeyError, ValueError, TypeError, AttributeError):
            # Never the text: it holds the password.
            message = f"the secret {PREFIX}{name} holds something else than Username, Password and StreamUrl"
            raise InvalidRequestError(message, hint=f"vedette camera update {name} --url rtsp://HOST/PATH") from None

    def add(self, name: str, login: Login, about: str = "") -> RegisteredCamera:
        """Register a camera; one that was removed, and whose secret was kept, is taken again.

        :raises AlreadyThereError: if there is one of that name
        :raises InvalidRequestError: if the name cannot be one
        """
        check_camera_name(name)
        before = self._entry(name)
        if before is not None and not before.removed:
            raise AlreadyThereError(f"camera `{name}` is registered already", hint=f"vedette camera update {name}")
        if before is not None:
            return self._put(name, login, about)
        answer = self._cloud.call(
            _SERVICE,
            "create_secret",
            Name=PREFIX + name,
            Description=_description(login, about),
            SecretString=login.secret_string(),
            Tags=[{"Key": TAG, "Value": name}],
        )
        return _registered(name, login, about, answer)

    def update(self, name: str, login: Login, about: str) -> RegisteredCamera:
        """Give a camera another address, login or description; devices follow without a deployment.

        :raises NotFoundError: if there is none of that name
        """
        self.camera(name)
        return self._put(name, login, about)

    def remove(self, name: str, *, delete_secret: bool = False) -> RegisteredCamera:
        """Take a camera off the list. Applications that use it go on; so does its secret, unless it is to go too.

        :raises NotFoundError: if there is none of that name
        """
        camera = self._entry(name)
        if camera is None or (camera.removed and not delete_secret):
            raise NotFoundError(f"no camera `{name[:80]}` is registered", hint="vedette camera list")
        if delete_secret:
            self._cloud.call(_SERVICE, "delete_secret", SecretId=camera.secret, RecoveryWindowInDays=RECOVERY_DAYS)
        else:
            kept = Login(
                camera.url,
                "user" * camera.login,
                certificate="certificate" * camera.pinned,
                sub=camera.sub,
                sub_missing=camera.sub_missing,
            )
            description = _description(kept, camera.about, removed=True)
            self._cloud.call(_SERVICE, "update_secret", SecretId=camera.secret, Description=description)
        return camera

    def _put(self, name: str, login: Login, about: str) -> RegisteredCamera:
        answer = self._cloud.call(
            _SERVICE,
            "update_secret",
            SecretId=PREFIX + name,
            Description=_description(login, about),
            SecretString=login.secret_string(),
        )
        return _registered(name, login, about, answer)

    def _entry(self, name: str) -> RegisteredCamera | None:
        check_camera_name(name)
        try:
            answer = self._cloud.call(_SERVICE, "describe_secret", SecretId=PREFIX + name)
        except NotFoundError:
            return None
        return None if answer.get("DeletedDate") else _camera(answer)


class AccountCameras(Mapping[str, CameraSource]):
    """The registered cameras by name; AWS is asked when the first one is looked for, and once."""

    def __init__(self, registry: CameraRegistry) -> None:
        self._registry = registry
        self._found: dict[str, CameraSource] | None = None

    def __getitem__(self, name: str) -> CameraSource:
        """Return a camera.

        :raises vedette.cloud.CloudError: if AWS refuses
        """
        return self._cameras()[name]

    def __iter__(self) -> Iterator[str]:
        """Yield every name."""
        return iter(self._cameras())

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._cameras())

    def _cameras(self) -> dict[str, CameraSource]:
        if self._found is None:
            self._found = {camera.name: camera.source() for camera in self._registry.cameras()}
        return self._found


def _description(login: Login, about: str, *, removed: bool = False) -> str:
    said: dict[str, Any] = {"schema": _SCHEMA, "url": login.url, "login": bool(login.user), "about": about[:255]}
    said |= {"certificate": True} if login.certificate else {}
    said |= {"sub": login.sub, "subMissing": login.sub_missing} if login.sub else {}
    return json.dumps(said | ({"removed": True} if removed else {}), ensure_ascii=False)[:2048]


def _registered(name: str, login: Login, about: str, answer: Mapping[str, Any]) -> RegisteredCamera:
    pinned = bool(login.certificate)
    return RegisteredCamera(
        name,
        login.url,
        bool(login.user),
        about,
        str(answer["ARN"]),
        pinned=pinned,
        sub=login.sub,
        sub_missing=login.sub_missing,
    )


def _camera(item: Any) -> RegisteredCamera | None:
    """Return the camera that a secret is of; None for a secret that a compilation named, or of somebody else."""
    name = str(item.get("Name", "")).removeprefix(PREFIX)
    try:
        said = json.loads(item.get("Description") or "")
    except ValueError:
        return None
    if not isinstance(said, dict) or said.get("schema") != _SCHEMA or not _NAME.fullmatch(name):
        return None
    return RegisteredCamera(
        name=name,
        url=str(said.get("url", "")),
        login=bool(said.get("login")),
        about=str(said.get("about", "")),
        arn=str(item.get("ARN", "")),
        removed=bool(said.get("removed")),
        pinned=bool(said.get("certificate")),
        sub=str(said.get("sub", "")),
        sub_missing="main" if said.get("subMissing") == "main" else "wait",
    )
