"""Finds the files that go with the package: wheels have them in ``vedette/_resources``, else the checkout."""

from pathlib import Path
from typing import Final

_PACKAGE: Final = Path(__file__).resolve().parent
_CHECKOUT: Final = _PACKAGE.parents[1]

__all__ = ["ResourceError", "checkout_dir", "examples_dir", "recipes_dir", "runtime_dir"]


class ResourceError(Exception):
    """Files that belong to the package are not there."""


def recipes_dir() -> Path:
    """Return the folder with the recipes of Vedette's own components.

    :raises ResourceError: if the installation is not complete
    """
    return _find("recipes", _CHECKOUT / "recipes")


def examples_dir() -> Path:
    """Return the folder with the example applications.

    :raises ResourceError: if the installation is not complete
    """
    return _find("examples", _CHECKOUT / "examples")


def runtime_dir() -> Path:
    """Return the folder with ``install.py`` of ``vedette.Runtime``.

    :raises ResourceError: if the installation is not complete
    """
    return _find("runtime", _CHECKOUT / "components" / "runtime")


def checkout_dir() -> Path | None:
    """Return the root of the checkout that this package is run from; None for an installed package."""
    return _CHECKOUT if (_CHECKOUT / "components").is_dir() and (_CHECKOUT / "recipes").is_dir() else None


def _find(name: str, in_checkout: Path) -> Path:
    for folder in (_PACKAGE / "_resources" / name, in_checkout):
        if folder.is_dir():
            return folder
    raise ResourceError(
        f"the folder {name!r} of Vedette is missing: looked in {_PACKAGE / '_resources'} and {in_checkout.parent}; "
        "install the package again (pip install --force-reinstall vedette)"
    )
