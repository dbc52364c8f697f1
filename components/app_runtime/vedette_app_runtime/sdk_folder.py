"""Where panoramasdk lies, as a folder that can be shown to an application by itself."""

import hashlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import Final

SOURCE: Final = Path(__file__).parent / "sdk"
_LEFT_OUT: Final = "__pycache__"


def sdk_folder(work: Path, source: Path = SOURCE) -> Path:
    """Return a folder that holds panoramasdk with everything it needs.

    An installed component's is such a folder. In a checkout parts of it are links to the shared package, which would
    lead nowhere inside the sandbox: there, a copy is made in ``work``. It is named by its content and stays: ``vedette
    shell`` must not take it from under the application that runs.
    """
    if not any(path.is_symlink() for path in (source / "panoramasdk").iterdir()):
        return source
    copy = work / f"sdk-{_digest(source)}"
    if copy.is_dir():
        return copy
    work.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=".sdk-", dir=work))
    try:
        whole = fresh / "sdk"
        shutil.copytree(source, whole, ignore=shutil.ignore_patterns(_LEFT_OUT))
        whole.rename(copy)
    except OSError:
        if not copy.is_dir():  # else another process was faster
            raise
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return copy


def _digest(source: Path) -> str:
    digest = hashlib.sha256()
    for folder, folders, files in os.walk(source, followlinks=True):
        folders[:] = sorted(name for name in folders if name != _LEFT_OUT)
        for name in sorted(files):
            path = Path(folder) / name
            digest.update(f"{path.relative_to(source)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]
