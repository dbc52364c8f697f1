"""The real GDK CLI builds and publishes every component's folder, and the suite at the top; two builds are equal.

``VEDETTE_GDK=/path/to/gdk`` names it: it is on no package registry. ``VEDETTE_GDK_WHEELS=3.11`` has vedette.Runtime
bundle wheels for these Pythons, for both kinds of machine, which downloads hundreds of megabytes.
"""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

import vedette
from vedette.build import OWN_COMPONENTS

from .conftest import Aws

ROOT = Path(__file__).parents[3]
GDK = os.environ.get("VEDETTE_GDK", "")
WHEELS = os.environ.get("VEDETTE_GDK_WHEELS", "none")
FOLDERS = (".", *sorted(str(path.parent.relative_to(ROOT)) for path in ROOT.glob("components/*/gdk-config.json")))

pytestmark = [
    pytest.mark.skipif(not GDK, reason="no GDK CLI: name it with VEDETTE_GDK"),
    pytest.mark.timeout(3600),
]


def checkout(folder: Path) -> Path:
    """Copy what git has of the repository, links as links."""
    folder.mkdir(parents=True)
    names, archive = folder.with_suffix(".txt"), folder.with_suffix(".tar")
    with names.open("w") as file:
        subprocess.run(["git", "ls-files"], cwd=ROOT, stdout=file, timeout=30, check=True)
    subprocess.run(["tar", "-cf", archive, "-T", names], cwd=ROOT, timeout=60, check=True)
    subprocess.run(["tar", "-xmf", archive, "-C", folder], timeout=60, check=True)
    archive.unlink()
    return folder


def gdk(folder: Path, *words: str) -> str:
    environ = {**os.environ, "VEDETTE_WHEELS": WHEELS, "PYTHON": sys.executable}
    done = subprocess.run(
        [GDK, "component", *words], cwd=folder, env=environ, capture_output=True, text=True, timeout=1800, check=False
    )
    assert done.returncode == 0, f"gdk component {' '.join(words)} in {folder}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


def built(root: Path) -> dict[str, str]:
    """Return the digest of every file that the builds wrote, by component's folder and place."""
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.glob("**/greengrass-build/**/*"))
        if path.is_file()
    }


def test_gdk_cannot_build_or_publish_a_folder_or_two_builds_differ(aws: Aws, tmp_path: Path) -> None:
    one, other = checkout(tmp_path / "one"), checkout(tmp_path / "a" / "far" / "other")
    for root in (one, other):
        for folder in FOLDERS:
            gdk(root / folder, "build")
    found = built(one)
    assert found == built(other)
    assert len([name for name in found if name.endswith(".zip")]) == 7  # two of vedette.Runtime, none of the suite's
    sys.stdout.write("\n".join(f"{digest[:16]} {name}" for name, digest in found.items()) + "\n")
    for folder in FOLDERS:
        gdk(one / folder, "publish")
    store = aws.stand_in.components
    for component in OWN_COMPONENTS:
        (made,) = store.versions(component.name)
        assert made.recipe.component_version == vedette.__version__
        artifacts = [a for m in made.text["Manifests"] for a in m.get("Artifacts", ())]
        assert len(artifacts) == len(component.archives())
        for artifact in artifacts:
            assert artifact["URI"].startswith("s3://vedette-components-us-east-1-123456789012/")
            assert artifact["Digest"]
