"""docs/ref/sdk.md names everything that panoramasdk has, and nothing else."""

import inspect
import re
import sys
from pathlib import Path

from vedette_app_runtime.sdk_folder import SOURCE

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "ref" / "sdk.md").read_text()


def test_the_reference_of_the_sdk_lacks_something() -> None:
    sys.path.insert(0, str(SOURCE))
    import panoramasdk

    for name in panoramasdk.__all__:
        assert re.search(rf"\b{name}\b", PAGE), name
    for kind in (panoramasdk.media, panoramasdk.node, panoramasdk.port):
        for name in vars(kind):
            # ``lent`` is for node.call, as its own text says.
            if not name.startswith("_") and name not in ("lent", "rebind"):
                assert re.search(rf"\b{name}\b", PAGE), f"{kind.__name__}.{name}"
    # What the page gives a method as arguments, it has.
    for kind, name in ((panoramasdk.node, "call"), (panoramasdk.media, "record"), (panoramasdk.media, "add_rect")):
        (given,) = re.findall(rf"`{name}\(([^)]*)\)` \|", PAGE)
        wanted = list(inspect.signature(getattr(kind, name)).parameters)[1:]
        assert [part.split("=")[0].strip() for part in given.split(",")] == wanted
