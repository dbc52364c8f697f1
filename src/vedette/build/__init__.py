"""Packs components: reproducible archives, and Vedette's own components for a component store or for GDK."""

from vedette.build.archive import BuildError, write_if_changed, write_zip
from vedette.build.components import (
    OWN_COMPONENTS,
    BuiltComponent,
    OwnComponent,
    build_component,
    build_for_gdk,
    fill_store,
    wheels_wanted,
)

__all__ = [
    "OWN_COMPONENTS",
    "BuildError",
    "BuiltComponent",
    "OwnComponent",
    "build_component",
    "build_for_gdk",
    "fill_store",
    "wheels_wanted",
    "write_if_changed",
    "write_zip",
]
