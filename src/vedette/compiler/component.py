"""One compiled component: its recipe and what goes into its artifact."""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from vedette.documents.model_files import ModelFile, sha256_of

BUCKET: Final = "BUCKET_NAME"
"""What stands for the bucket in artifact URIs until publication."""


@dataclass(frozen=True)
class ArtifactFile:
    """A file of an artifact: its place in the archive, and its bytes or where they come from."""

    place: str
    content: bytes | Path | ModelFile

    def digest(self) -> str:
        """Return a digest of place, content and whether it may be executed.

        :raises OSError: if it cannot be read
        :raises vedette.documents.model_files.ModelFileError: if its archive cannot be read
        """
        if isinstance(self.content, bytes):
            return f"{self.place} {hashlib.sha256(self.content).hexdigest()}"
        if isinstance(self.content, ModelFile):
            return f"{self.place} {self.content.sha256}"
        executable = " x" if os.access(self.content, os.X_OK) else ""
        return f"{self.place} {sha256_of(self.content)}{executable}"


@dataclass(frozen=True)
class BesideArtifact:
    """An artifact that is not packed into the archive: one that is an archive itself, of gigabytes."""

    name: str
    path: Path
    sha256: str


@dataclass(frozen=True)
class CompiledComponent:
    """A component ready to be written."""

    name: str
    version: str
    recipe: Mapping[str, Any]
    archive: str
    """Stem of the artifact: it is unpacked to ``{artifacts:decompressedPath}/<archive>``."""
    files: tuple[ArtifactFile, ...]
    beside: tuple[BesideArtifact, ...] = ()
    """Artifacts that are taken as they are."""

    def recipe_text(self, bucket: str = BUCKET) -> bytes:
        """Return the recipe as YAML; equal recipes give equal bytes."""
        text = yaml.dump(dict(self.recipe), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10_000)
        return text.replace(f"s3://{BUCKET}/", f"s3://{bucket}/").encode()


class _Dumper(yaml.SafeDumper):
    """Writes scripts of several lines as they are."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def content_digest(recipe: Mapping[str, Any], files: tuple[ArtifactFile, ...]) -> str:
    """Return the SHA-256 of all that makes a version: recipe (without version) and files.

    :raises OSError: if a file cannot be read
    :raises vedette.documents.model_files.ModelFileError: if an archive cannot be read
    """
    lines = sorted(file.digest() for file in files)
    return hashlib.sha256("\n".join([json.dumps(recipe, sort_keys=True), *lines]).encode()).hexdigest()
