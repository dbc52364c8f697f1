"""Which secrets a compiled application needs, and what each must hold. Never a value."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from vedette.compiler.compilation import Compiled

SECRET_KEYS: Final[Mapping[str, str]] = {
    "Username": "user name of the camera",
    "Password": "its password",
    "StreamUrl": "rtsp://HOST[:PORT]/PATH, without user and password; used where the deployment names no address",
}
"""Keys of a camera's secret, as Panorama's camera template calls them; all values are text."""
SUB_KEY: Final[Mapping[str, str]] = {"SubStreamUrl": "the same of the camera's small stream, which applications get"}
"""One more for cameras with a small stream."""


@dataclass(frozen=True)
class NeededSecret:
    """A secret of AWS Secrets Manager that vedette.CameraIngest reads on the device."""

    name: str
    cameras: tuple[str, ...]
    """``<camera node>/<camera>``."""
    has_sub: bool = False
    """Whether one of them has a small stream."""

    def document(self) -> dict[str, Any]:
        """Return it as secrets.json has it."""
        holds = {**SECRET_KEYS, **(SUB_KEY if self.has_sub else {})}
        return {"name": self.name, "cameras": list(self.cameras), "holds": holds}


def needed_secrets(compiled: Compiled) -> list[NeededSecret]:
    """Return the secrets that the cameras of the configuration name, by name."""
    users: dict[str, list[str]] = {}
    with_sub: set[str] = set()
    for node, cameras in compiled.configuration["cameras"].items():
        for camera in cameras:
            if camera.get("secret"):
                users.setdefault(camera["secret"], []).append(f"{node}/{camera['name']}")
                with_sub |= {camera["secret"]} if camera.get("sub") is not None else set()
    return [NeededSecret(name, tuple(users[name]), name in with_sub) for name in sorted(users)]
