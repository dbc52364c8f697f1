"""The recipe keys as nucleus lite wants them written; the Java nucleus reads them without regard to case.

Source: aws-greengrass-lite ``docs/RECIPE_SUPPORT_CHANGES.md``, ``modules/ggl-recipe``.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

_TOP: Final = (
    "RecipeFormatVersion", "ComponentName", "ComponentVersion", "ComponentType", "ComponentDescription",
    "ComponentPublisher", "ComponentSource", "ComponentConfiguration", "ComponentDependencies", "Manifests",
    "Lifecycle",
)  # fmt: skip
_MANIFEST: Final = ("Name", "Platform", "Lifecycle", "Selections", "Artifacts")
_STEPS: Final = ("bootstrap", "install", "startup", "run", "shutdown", "recover", "uninstall")
_STEP: Final = ("Script", "RequiresPrivilege", "Skipif", "Timeout", "Setenv")


def wrong_cases(recipe: Mapping[str, Any]) -> list[str]:
    """Return one finding for each key that differs from a known one by its case alone: ``'Run', it wants 'run'``."""
    return list(_findings(recipe))


def _findings(recipe: Mapping[str, Any]) -> Iterator[str]:
    yield from _keys(recipe, _TOP)
    manifests = recipe.get("Manifests")
    for manifest in manifests if isinstance(manifests, list) else ():
        if isinstance(manifest, Mapping):
            yield from _keys(manifest, _MANIFEST)
            lifecycle = manifest.get("Lifecycle")
            if isinstance(lifecycle, Mapping):
                yield from _keys(lifecycle, (*_STEPS, "Setenv"))
                for step in lifecycle.values():
                    if isinstance(step, Mapping):
                        yield from _keys(step, _STEP)


def _keys(document: Mapping[str, Any], known: tuple[str, ...]) -> Iterator[str]:
    wanted = {key.lower(): key for key in known}
    for key in document:
        right = wanted.get(str(key).lower())
        if right is not None and right != key:
            yield f"{key!r}, it wants {right!r}"
