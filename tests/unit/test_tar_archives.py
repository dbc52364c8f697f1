"""Archives that ask for more memory than a machine has, and damaged ones, for everybody who reads archives."""

import gzip
import hashlib
import tarfile
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from vedette_app_runtime.environments import ContainerUnusable
from vedette_app_runtime.environments.unpacking import unpack_root

from vedette.conversion import UnknownModel
from vedette.conversion.raw_model import unpack
from vedette.documents.container_asset import architecture_of
from vedette.documents.model_files import ModelFile, ModelFileError, archive_members
from vedette.projects.archives import is_archive, unpack_project
from vedette.projects.containers import pack_exported
from vedette.projects.errors import ProjectError

MIB = 1 << 20
MUCH = 24 * MIB
"""What reading any of the archives may take; each asks for 64 MiB or more."""


def header(kind: bytes, data: bytes, size: int | None = None) -> bytes:
    info = tarfile.TarInfo("header")
    info.type, info.size = kind, len(data) if size is None else size
    return info.tobuf(tarfile.GNU_FORMAT) + data + bytes(-len(data) % 512)


def record(keyword: str, length: int) -> bytes:
    """Return a header's line of so many bytes."""
    start = f"{length} {keyword}=".encode()
    return start + b"x" * (length - len(start) - 1) + b"\n"


def one_great_header() -> Iterator[bytes]:
    yield header(tarfile.XHDTYPE, bytes(64 * MIB))


def header_that_says_it_is_great() -> Iterator[bytes]:
    yield header(tarfile.XHDTYPE, bytes(4 * MIB), 1 << 30)


def great_name() -> Iterator[bytes]:
    yield header(tarfile.GNUTYPE_LONGNAME, b"n" * (64 * MIB))


def headers_of_headers() -> Iterator[bytes]:
    for _ in range(80):
        yield header(tarfile.XHDTYPE, record("comment", 900_000))


def empty_headers_without_end() -> Iterator[bytes]:
    for _ in range(5000):
        yield header(tarfile.XHDTYPE, b"")


def headers_that_hold_for_all() -> Iterator[bytes]:
    for number in range(80):
        yield header(tarfile.XGLTYPE, record(f"comment{number}", 900_000))
        yield header(tarfile.REGTYPE, b"file")


ASKING = (
    one_great_header,
    header_that_says_it_is_great,
    great_name,
    headers_of_headers,
    empty_headers_without_end,
    headers_that_hold_for_all,
)


def _unpack_root(path: Path, out: Path) -> object:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return unpack_root(path, out, sha256=digest, progress=lambda _: None, stop=threading.Event())


READERS: dict[str, tuple[Callable[[Path, Path], object], type[Exception]]] = {
    "sources of a container": (_unpack_root, ContainerUnusable),
    "architecture": (lambda path, _: architecture_of(path), ModelFileError),
    "members": (lambda path, _: archive_members(path), ModelFileError),
    "model": (lambda path, out: ModelFile("m.onnx", path, "m.onnx").copy_to(out), ModelFileError),
    "raw model": (unpack, UnknownModel),
    "project": (unpack_project, ProjectError),
    "exported": (pack_exported, ProjectError),
}


def written(path: Path, parts: Iterator[bytes]) -> Path:
    with gzip.open(path, "wb", compresslevel=1) as packed:
        for part in parts:
            packed.write(part)
        packed.write(bytes(1024))
    return path


def peak_of(deed: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        deed()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("asking", ASKING, ids=lambda made: made.__name__)
@pytest.mark.parametrize("reader", READERS)
def test_headers_take_the_memory_or_end_with_a_traceback(
    tmp_path: Path, asking: Callable[[], Iterator[bytes]], reader: str
) -> None:
    read, refusal = READERS[reader]
    path = written(tmp_path / "asset.tar.gz", asking())

    def refused() -> None:
        if reader == "exported" and asking is headers_that_hold_for_all:
            read(path, tmp_path / "out")  # it looks at the first member alone
            return
        with pytest.raises(refusal):
            read(path, tmp_path / "out")

    assert peak_of(refused) < MUCH


@pytest.mark.parametrize("asking", ASKING, ids=lambda made: made.__name__)
def test_a_look_at_what_an_archive_is_takes_the_memory(tmp_path: Path, asking: Callable[[], Iterator[bytes]]) -> None:
    path = written(tmp_path / "asset.tar.gz", asking())
    assert peak_of(lambda: is_archive(path)) < MUCH


def test_members_are_remembered_with_their_headers(tmp_path: Path) -> None:
    def parts() -> Iterator[bytes]:
        for _ in range(80):
            yield header(tarfile.XHDTYPE, record("comment", 900_000))
            yield header(tarfile.REGTYPE, b"file")

    path = written(tmp_path / "asset.tar.gz", parts())
    assert peak_of(lambda: archive_members(path)) < MUCH
    assert len(archive_members(path)) == 80


@pytest.mark.parametrize("reader", ["model", "raw model", "project", "sources of a container"])
def test_a_member_that_is_damaged_ends_with_a_traceback(tmp_path: Path, reader: str) -> None:
    read, refusal = READERS[reader]
    path = tmp_path / "asset.tar.gz"
    info = tarfile.TarInfo("m.onnx")
    data = b"".join(
        hashlib.sha256(bytes([number % 251, number // 251])).hexdigest().encode() for number in range(20_000)
    )
    info.size = len(data)
    written(path, iter([info.tobuf(tarfile.GNU_FORMAT), data, bytes(-len(data) % 512)]))
    whole = bytearray(path.read_bytes())
    for at in range(len(whole) // 2, len(whole) // 2 + 400):
        whole[at] ^= 0xFF
    path.write_bytes(whole)
    with pytest.raises(refusal):
        read(path, tmp_path / "out")


def test_the_last_of_two_members_of_one_name_is_not_the_model(tmp_path: Path) -> None:
    def parts() -> Iterator[bytes]:
        for data in (b"first", b"second"):
            info = tarfile.TarInfo("m.onnx")
            info.size = len(data)
            yield info.tobuf(tarfile.GNU_FORMAT) + data + bytes(-len(data) % 512)

    path = written(tmp_path / "asset.tar.gz", parts())
    with ModelFile("m.onnx", path, "m.onnx").open() as stream:
        assert stream.read() == b"second"
