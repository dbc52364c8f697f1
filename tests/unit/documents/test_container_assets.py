"""Packaged containers of code packages: found, told apart by processor, and carried beside the component's archive."""

import hashlib
import io
import platform
import struct
import tarfile
from pathlib import Path
from typing import Any

import pytest

from vedette.application import ContainerAsset
from vedette.compiler import compile_application
from vedette.compiler.folder import write_folder
from vedette.compiler.writing import write_store
from vedette.documents import ResolvedApplication, load_project, resolve
from vedette.documents.container_asset import architecture_of
from vedette.messages import CameraSource

Folder = Any
CAMERAS = {"camera_node": [CameraSource(name="gate", url="rtsp://10.0.0.1/1")]}
AARCH64, X86_64 = 0xB7, 0x3E


def elf(machine: int) -> bytes:
    return b"\x7fELF\2\1\1" + bytes(9) + struct.pack("<HH", 3, machine) + bytes(44)


def asset(folder: Folder, members: dict[str, bytes]) -> str:
    """Give the code package a container asset; return its SHA-256."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as opened:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            opened.addfile(info, io.BytesIO(data))
    digest = hashlib.sha256(buffer.getvalue()).hexdigest()
    folder.write(f"assets/{digest}.tar.gz", buffer.getvalue())
    implementation = {"type": "container", "assetUri": f"{digest}.tar.gz", "descriptorUri": f"{digest}.json"}
    folder.edit(folder.code, lambda p: p.update(assets=[{"name": "code_asset", "implementations": [implementation]}]))
    folder.edit(folder.code, lambda p: p["interfaces"][0].update(asset="code_asset"))
    return digest


def application(folder: Folder) -> ResolvedApplication:
    result = resolve(load_project(folder.root), cameras=CAMERAS)
    assert result.application is not None, result.findings
    return result.application


def test_a_packaged_container_does_not_reach_the_device(folder: Folder, tmp_path: Path) -> None:
    plain = compile_application(application(folder)).application.version
    digest = asset(folder, {"etc/passwd": b"x", "bin/readme": b"text" * 9, "usr/bin/env": elf(AARCH64)})
    compiled = compile_application(application(folder))
    assert compiled.manifest.container == ContainerAsset(file=f"{digest}.tar.gz", sha256=digest, architecture="aarch64")
    assert compiled.application.version != plain
    recipe = compiled.application.recipe["Manifests"][0]
    assert [item["URI"].rpartition("/")[2] for item in recipe["Artifacts"]] == ["application.zip", f"{digest}.tar.gz"]
    assert recipe["Lifecycle"]["run"]["Script"].endswith('--artifacts "{artifacts:path}"')
    # WHEN it is written twice
    out = tmp_path / "out"
    index = write_folder(compiled, out).index
    assert write_folder(compiled, out).changed == ()
    # THEN the archive is in its place, as it was
    (component,) = [item for item in index["components"] if item["name"].startswith("vedette.app.")]
    (beside,) = component["moreArtifacts"]
    assert hashlib.sha256((out / beside).read_bytes()).hexdigest() == digest
    # AND a local run does not copy its gigabytes
    (written,) = [item for item in write_store(compiled, tmp_path / "root") if item.beside]
    assert written.beside[0].samefile(folder.root / f"assets/{digest}.tar.gz")


def test_an_application_without_sources_is_refused_although_it_has_a_container(folder: Folder) -> None:
    asset(folder, {"bin/sh": elf(X86_64)})
    package = (folder.root / folder.code).parent
    (package / "application.py").unlink()
    compiled = compile_application(application(folder))
    assert not compiled.manifest.has_sources
    assert compiled.manifest.container is not None


@pytest.mark.parametrize(
    ("members", "architecture"),
    [
        ({"./usr/bin/python3.8": elf(AARCH64)}, "aarch64"),
        ({"home/me/tool": elf(AARCH64), "usr/local/bin/python3": elf(X86_64)}, "x86_64"),
        ({"bin/sh": b"#!/bin/something, 20 bytes"}, "unknown"),
        ({"bin/sh": elf(0xFFFF)}, "unknown"),
        ({}, "unknown"),
    ],
)
def test_a_container_is_taken_for_another_processors(
    folder: Folder, members: dict[str, bytes], architecture: str
) -> None:
    digest = asset(folder, members)
    assert architecture_of(folder.root / f"assets/{digest}.tar.gz") == architecture


def test_the_machine_that_runs_this_is_not_recognised(tmp_path: Path) -> None:
    path = tmp_path / "this.tar"
    with tarfile.open(path, "w") as opened:
        opened.add(Path("/proc/self/exe").resolve(), "usr/bin/python3")
    assert architecture_of(path) == platform.machine()
