"""``NEXT_PATCH``: what GDK's build writes where the version comes only with the publication.

``gdk component publish`` puts the highest published version with its patch raised by one in its place, 1.0.0 for the
first. A local deployment of a build does the same with the component store, so that each build is a new version and is
installed, started and rolled back as one.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any, Final

import yaml

from vedette.nucleus.recipe import Recipe, Version

NEXT_PATCH: Final = "NEXT_PATCH"


def pin(data: bytes, versions: Callable[[str], Sequence[Recipe]]) -> tuple[bytes, str | None]:
    """Return a recipe's text with its version in the place of ``NEXT_PATCH``, and that version.

    :param versions: returns the recipes that there are of a component, newest first
    :returns: the text as it is and None, where nothing is to be replaced or the text is no recipe
    """
    if NEXT_PATCH.encode() not in data:
        return data, None
    try:
        document: Any = json.loads(data) if data.lstrip().startswith(b"{") else yaml.safe_load(data)
    except (ValueError, yaml.YAMLError):
        return data, None
    keys = {str(key).lower(): value for key, value in document.items()} if isinstance(document, dict) else {}
    name = keys.get("componentname")
    if keys.get("componentversion") != NEXT_PATCH or not isinstance(name, str):
        return data, None
    known = versions(name)
    version = str(_after(known[0].version)) if known else "1.0.0"
    return data.replace(NEXT_PATCH.encode(), version.encode()), version


def _after(version: Version) -> Version:
    return Version(version.major, version.minor, version.patch + 1)
