"""What of this user runs here: on which folder, and with which cameras, by the names that the page shows."""

import json
import re
from pathlib import Path
from typing import Any

from vedette.nucleus.control import request
from vedette.nucleus.errors import ControlError, NucleusError
from vedette.nucleus.instances import Instance, find_instances


def instance_on(root: Path) -> Instance | None:
    """Return the instance that runs on the state folder ``root``, if there is one."""
    try:
        return next((instance for instance in find_instances() if Path(instance.root) == root.resolve()), None)
    except NucleusError:
        return None


def running_cameras() -> dict[str, dict[str, str]]:
    """Return name -> {Username, Password, StreamUrl} of every camera of every running instance of this user.

    A camera with a small stream has its address as SubStreamUrl.
    """
    cameras: dict[str, dict[str, str]] = {}
    try:
        instances = find_instances()
    except NucleusError:
        return {}
    for instance in instances:
        try:
            health: dict[str, Any] = request(instance.control_socket, "health") or {}
        except ControlError:
            continue
        secrets = _secrets(instance)
        for camera in health.get("cameras", ()):
            url, name = camera.get("url", ""), camera["name"]
            main = (camera.get("main") or {}).get("url")
            addresses = {"StreamUrl": main, "SubStreamUrl": url} if main else {"StreamUrl": url}
            # Named by this command (vedette/<name>) or by the compiler (vedette/camera/<name>-<8 hex digits>).
            own = re.compile(rf"vedette/(camera/)?{re.escape(name)}(-[0-9a-f]{{8}})?")
            logins = [
                s for key, s in secrets.items() if own.fullmatch(key) and s.get("StreamUrl") == addresses["StreamUrl"]
            ]
            login = logins[0] if logins else {}
            cameras[name] = {**login, **addresses}
    return cameras


def _secrets(instance: Instance) -> dict[str, dict[str, str]]:
    try:
        document = json.loads((instance.folder / "secrets.json").read_text())
        return {name: json.loads(entry["secretString"]) for name, entry in document.items()}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
