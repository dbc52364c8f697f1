"""Greengrass recipes: models, platform selection, version requirements, recipe variables."""

from vedette.nucleus.recipe.model import (
    DEFAULT_TIMEOUTS_S,
    MAX_RECIPE_BYTES,
    Artifact,
    Dependency,
    DependencyType,
    Lifecycle,
    Manifest,
    Recipe,
    Step,
    check_name,
)
from vedette.nucleus.recipe.platform import Platform
from vedette.nucleus.recipe.reader import lifecycle_for, parse_recipe, read_recipe
from vedette.nucleus.recipe.variables import Scope, Variables, interpolate_names
from vedette.nucleus.recipe.versions import Version, VersionRequirement

__all__ = [
    "DEFAULT_TIMEOUTS_S",
    "MAX_RECIPE_BYTES",
    "Artifact",
    "Dependency",
    "DependencyType",
    "Lifecycle",
    "Manifest",
    "Platform",
    "Recipe",
    "Scope",
    "Step",
    "Variables",
    "Version",
    "VersionRequirement",
    "check_name",
    "interpolate_names",
    "lifecycle_for",
    "parse_recipe",
    "read_recipe",
]
