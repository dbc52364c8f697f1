"""Archives of root file systems that try to get out of their folder, and what becomes of what they may not have."""

import gzip
import hashlib
import io
import os
import stat
import tarfile
import threading
from collections.abc import Iterable
from pathlib import Path

import pytest
from vedette_app_runtime.environments import ContainerUnusable
from vedette_app_runtime.environments.unpacking import FILES, FOLDERS, Unpacked, unpack_root

Entry = tuple[str, dict[str, object]]


def file(name: str, data: bytes = b"data", **more: object) -> Entry:
    return name, {"data": data, **more}


def link(name: str, target: str) -> Entry:
    return name, {"type": tarfile.SYMTYPE, "linkname": target}


def hard(name: str, target: str) -> Entry:
    return name, {"type": tarfile.LNKTYPE, "linkname": target}


def folder(name: str, mode: int = 0o755) -> Entry:
    return name, {"type": tarfile.DIRTYPE, "mode": mode}


def write(path: Path, entries: Iterable[Entry], mode: str = "w:gz") -> str:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, given in entries:
            info = tarfile.TarInfo(name)
            data = given.get("data", b"")
            assert isinstance(data, bytes)
            info.size = len(data)
            for key, value in given.items():
                if key != "data":
                    setattr(info, key, value)
            archive.addfile(info, io.BytesIO(data))
    return hashlib.sha256(path.read_bytes()).hexdigest()


def unpack(path: Path, target: Path, digest: str, **limits: int) -> Unpacked:
    return unpack_root(path, target, sha256=digest, progress=lambda _: None, stop=threading.Event(), **limits)


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder beside the root that nothing may touch."""
    made = tmp_path / "outside"
    made.mkdir()
    (made / "secret").write_text("secret")
    return made


@pytest.mark.parametrize(
    "entries",
    [
        [file("../outside/evil")],
        [file("a/../../outside/evil")],
        [link("way", "../outside"), file("way/evil")],
        [link("way", "/OUTSIDE"), file("way/evil")],
        [folder("a"), link("a/way", "../../outside"), folder("a/way/more")],
        [hard("stolen", "../outside/secret")],
        [link("way", "../outside"), hard("stolen", "way/secret")],
        [hard("stolen", "nothing")],
        [folder("etc"), hard("stolen", "etc")],
        [file("a"), file("a/evil")],
        [folder("a"), file("a/b"), file("a")],
        [("way", {"type": tarfile.SYMTYPE, "linkname": "../outside"}), file("way/../evil")],
        [file("/".join(["deep"] * 400))],
    ],
    ids=lambda entries: " ".join(entry[0][:20] for entry in entries),
)
def test_an_archive_writes_outside_of_its_root(tmp_path: Path, outside: Path, entries: list[Entry]) -> None:
    named = [
        (name, {key: str(outside) if value == "/OUTSIDE" else value for key, value in given.items()})
        for name, given in entries
    ]
    digest = write(tmp_path / "evil.tar.gz", named)
    with pytest.raises(ContainerUnusable):
        unpack(tmp_path / "evil.tar.gz", tmp_path / "root", digest)
    assert [path.name for path in outside.iterdir()] == ["secret"]
    assert (outside / "secret").read_text() == "secret"
    assert (outside / "secret").stat().st_nlink == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["evil.tar.gz", "outside", "root"]


def test_what_an_application_must_not_have_is_unpacked(tmp_path: Path) -> None:
    digest = write(
        tmp_path / "asset.tar.gz",
        [
            folder("./"),
            folder("bin", 0o1777),
            file("/bin/su", mode=0o6755, uid=0),
            file("etc/unreadable", mode=0o000),
            ("dev/sda", {"type": tarfile.BLKTYPE, "devmajor": 8}),
            ("dev/mem", {"type": tarfile.CHRTYPE, "devmajor": 1, "devminor": 1}),
            ("run/pipe", {"type": tarfile.FIFOTYPE}),
        ],
    )
    found = unpack(tmp_path / "asset.tar.gz", tmp_path / "root", digest)
    assert (found.left_out, found.privileged) == (1, 1)
    root = tmp_path / "root"
    assert stat.S_IMODE((root / "bin/su").stat().st_mode) == 0o755
    assert stat.S_IMODE((root / "bin").stat().st_mode) == 0o777
    assert (root / "bin/su").stat().st_uid == os.getuid()
    assert (root / "etc/unreadable").read_bytes() == b"data"
    assert list((root / "dev").iterdir()) == []
    assert not (root / "run/pipe").exists()


def test_mount_points_lead_out_of_the_root(tmp_path: Path, outside: Path) -> None:
    digest = write(
        tmp_path / "asset.tar.gz",
        [
            link("opt", str(outside)),
            link("tmp", "/outside"),
            link("etc/resolv.conf", str(outside / "secret")),
            folder("etc/hosts"),
            file("etc/passwd", b"root:x:0:0"),
            link("usr/bin/python3", "/etc/alternatives/python3"),
        ],
    )
    unpack(tmp_path / "asset.tar.gz", tmp_path / "root", digest)
    root = tmp_path / "root"
    for name in FOLDERS:
        assert stat.S_ISDIR((root / name).lstat().st_mode), name
    for name in FILES:
        assert stat.S_ISREG((root / name).lstat().st_mode), name
    assert (root / "etc/passwd").read_text() == "root:x:0:0"
    assert (root / "usr/bin/python3").readlink() == Path("/etc/alternatives/python3")
    assert [path.name for path in outside.iterdir()] == ["secret"]


def test_a_file_is_lost_on_the_way(tmp_path: Path) -> None:
    digest = write(
        tmp_path / "asset.tar",
        [
            file("a/b", b"first", mode=0o644, mtime=1_600_000_000),
            file("a/b", b"second", mode=0o755, mtime=1_600_000_000),
            hard("c", "./a/b"),
            link("d", "a"),
            hard("e", "d"),
        ],
        "w",
    )
    unpack(tmp_path / "asset.tar", tmp_path / "root", digest)
    root = tmp_path / "root"
    assert (root / "c").read_bytes() == b"second"
    assert (root / "c").stat().st_mode & 0o777 == 0o755
    assert (root / "c").stat().st_mtime == 1_600_000_000
    assert (root / "e").readlink() == Path("a")


def test_an_archive_is_damaged_or_too_large(tmp_path: Path) -> None:
    path = tmp_path / "asset.tar.gz"
    digest = write(path, [file(f"file{number}", os.urandom(1000)) for number in range(50)])
    with pytest.raises(ContainerUnusable, match="expected 0000"):
        unpack(path, tmp_path / "other", "0" * 64)
    with pytest.raises(ContainerUnusable, match="more than 9 files"):
        unpack(path, tmp_path / "many", digest, max_members=9)
    with pytest.raises(ContainerUnusable, match="more than"):
        unpack(path, tmp_path / "large", digest, max_bytes=20_000)
    data = path.read_bytes()
    for number, cut in enumerate((data[:20_000], b"", b"no archive at all", data[:100] + b"x" * 400 + data[500:])):
        path.write_bytes(cut)
        with pytest.raises(ContainerUnusable):
            unpack(path, tmp_path / f"cut{number}", hashlib.sha256(cut).hexdigest())


def test_a_header_takes_the_hosts_memory(tmp_path: Path) -> None:
    # GIVEN an archive of some kilobytes whose first header has so many bytes that they would be read at once
    header = tarfile.TarInfo("pax")
    header.type, header.size = tarfile.XHDTYPE, 1 << 30
    path = tmp_path / "asset.tar.gz"
    with gzip.open(path, "wb") as packed:
        packed.write(header.tobuf(tarfile.GNU_FORMAT))
        for _ in range(4):
            packed.write(bytes(1 << 20))
    with pytest.raises(ContainerUnusable, match="headers of 1073741824 bytes"):
        unpack(path, tmp_path / "root", hashlib.sha256(path.read_bytes()).hexdigest())


def test_one_great_file_fills_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN a disk that is nearly full, and a file that packs well
    monkeypatch.setattr("vedette_app_runtime.environments.unpacking._LOOK_BYTES", 4 << 20)
    monkeypatch.setattr("vedette_app_runtime.environments.unpacking._RESERVE_BYTES", 1 << 62)
    path = tmp_path / "asset.tar.gz"
    digest = write(path, [file("zeros", bytes(16 << 20))])
    with pytest.raises(ContainerUnusable, match="no room"):
        unpack(path, tmp_path / "root", digest)
    assert (tmp_path / "root/zeros").stat().st_size <= 5 << 20


@pytest.mark.parametrize("mtime", [1e30, float("nan"), -1e30])
def test_a_time_that_cannot_be_stops_the_unpacking(tmp_path: Path, mtime: float) -> None:
    path = tmp_path / "asset.tar"
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
        info = tarfile.TarInfo("a")
        info.pax_headers = {"mtime": str(mtime)}
        archive.addfile(info)
    assert unpack(path, tmp_path / "root", hashlib.sha256(path.read_bytes()).hexdigest()).members == 1
