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


@dataclass(frozen=True)
class NeededSecret:
    """A secret of AWS Secrets Manager that vedette.CameraIngest reads on the device."""

    name: str
    cameras: tuple[str, ...]
    """``<camera node>/<camera>``."""

    def document(self) -> dict[str, Any]:
        """Return it as secrets.json has it."""
        return {"name": self.name, "cameras": list(self.cameras), "holds": dict(SECRET_KEYS)}


def needed_secrets(compiled: Compiled) -> list[NeededSecret]:
    """Return the secrets that the cameras of the configuration name, by name."""
    users: dict[str, list[str]] = {}
    for node, cameras in compiled.configuration["cameras"].items():
        for camera in cameras:
            if camera.get("secret"):
                users.setdefault(camera["secret"], []).append(f"{node}/{camera['name']}")
    return [NeededSecret(name, tuple(users[name])) for name in sorted(users)]
