"""A project that came as an archive."""

import io
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from vedette.projects import ProjectError
from vedette.projects.archives import is_archive, unpack_project

FILES = {
    "shop/graphs/shop/graph.json": b"{}",
    "shop/packages/1-CODE-1.0/src/run.sh": b"#!/bin/sh\n",
    "README": b"hello",
}


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = (0o755 if name.endswith(".sh") else 0o644) << 16
            archive.writestr(info, data)
    return path


def tarred(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(data), 0o755 if name.endswith(".sh") else 0o644
            archive.addfile(info, io.BytesIO(data))
        link = tarfile.TarInfo("shop/out")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc"
        archive.addfile(link)
    return path


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_a_project_is_not_taken_out_of_its_archive(tmp_path: Path, pack: Callable[..., Path]) -> None:
    archive = pack(tmp_path / "shop.bin", FILES)
    assert is_archive(archive)
    out = unpack_project(archive, tmp_path / "out")
    assert sorted(str(path.relative_to(out)) for path in out.rglob("*") if not path.is_dir()) == [
        "graphs/shop/graph.json", "packages/1-CODE-1.0/src/run.sh"
    ]  # fmt: skip
    assert (out / "packages" / "1-CODE-1.0" / "src" / "run.sh").stat().st_mode & stat.S_IXUSR
    with pytest.raises(ProjectError, match="is there already"):
        unpack_project(archive, out)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"../graphs/x": b""}, "leads out of it"),
        ({"/graphs/x": b""}, "leads out of it"),
        ({"a": b""}, "holds no project"),
        ({**FILES, "other/graphs/x": b"", "other/packages/y": b""}, "holds 2 projects: other, shop"),
    ],
)
@pytest.mark.parametrize("pack", [zipped, tarred])
def test_an_archive_does_harm(tmp_path: Path, pack: Callable[..., Path], files: dict[str, bytes], said: str) -> None:
    with pytest.raises(ProjectError, match=said):
        unpack_project(pack(tmp_path / "shop.bin", files), tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["shop.bin"]


def test_a_damaged_archive_leaves_something_behind(tmp_path: Path) -> None:
    archive = zipped(tmp_path / "shop.zip", FILES)
    data = bytearray(archive.read_bytes())
    data[60:70] = b"\xff" * 10
    archive.write_bytes(data)
    with pytest.raises(ProjectError, match="cannot be unpacked"):
        unpack_project(archive, tmp_path / "out")
    assert not (tmp_path / "out").exists()
