"""Where panoramasdk lies, as a folder that can be shown to an application by itself."""

import shutil
from pathlib import Path
from typing import Final

SOURCE: Final = Path(__file__).parent / "sdk"


def sdk_folder(work: Path, source: Path = SOURCE) -> Path:
    """Return a folder that holds panoramasdk with everything it needs.

    An installed component's is such a folder. In a checkout parts of it are links to the shared package, which would
    lead nowhere inside the sandbox: there, a copy is made in ``work``.
    """
    if not any(path.is_symlink() for path in (source / "panoramasdk").iterdir()):
        return source
    copy, fresh = work / "sdk", work / "sdk.new"
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.copytree(source, fresh, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.rmtree(copy, ignore_errors=True)
    fresh.rename(copy)
    return copy
