"""What is remembered of assets: never that of another file, never a reason to fail."""

import hashlib
import io
import json
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest

from vedette.documents import asset_facts as asset_facts_module
from vedette.documents import load_project, resolve
from vedette.documents.asset_facts import AssetFacts
from vedette.documents.model_files import ModelFileError


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Return the files that were hashed."""
    found: list[Path] = []

    def hashed(path: Path) -> str:
        found.append(path)
        return hashlib.sha256(path.read_bytes()).hexdigest()

    monkeypatch.setattr(asset_facts_module, "sha256_of", hashed)
    return found


@pytest.fixture
def asset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "asset"
    path.write_bytes(b"one")
    # A file that was changed a moment ago is not kept: let it be old.
    monkeypatch.setattr(asset_facts_module, "_SETTLED_NS", -10_000_000_000)
    return path


def test_file_is_read_again_though_it_did_not_change(tmp_path: Path, asset: Path, reads: list[Path]) -> None:
    kept = tmp_path / "cache" / "assets.json"
    first = AssetFacts(kept)
    assert first.sha256(asset) == first.sha256(asset) == hashlib.sha256(b"one").hexdigest()
    first.keep()
    assert AssetFacts(kept).sha256(asset) == hashlib.sha256(b"one").hexdigest()
    assert len(reads) == 1
    assert AssetFacts(kept, fresh=True).sha256(asset) == hashlib.sha256(b"one").hexdigest()
    assert len(reads) == 2, "fresh reads it all the same"


def test_changed_file_has_its_old_hash(tmp_path: Path, asset: Path) -> None:
    kept = tmp_path / "assets.json"
    facts = AssetFacts(kept)
    facts.sha256(asset)
    facts.keep()
    before = asset.stat()
    asset.write_bytes(b"two")
    os.utime(asset, ns=(before.st_atime_ns, before.st_mtime_ns))  # as careful as a forger: ctime still tells
    assert AssetFacts(kept).sha256(asset) == hashlib.sha256(b"two").hexdigest()


def test_file_that_was_just_written_is_remembered(tmp_path: Path, reads: list[Path]) -> None:
    kept = tmp_path / "assets.json"
    path = tmp_path / "asset"
    path.write_bytes(b"one")
    facts = AssetFacts(kept)
    facts.sha256(path)
    facts.keep()
    assert json.loads(kept.read_text()) == {}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[",
        b"[]",
        b'{"x": {"sha256": "1"}}',
        b'{"1:2:3:4:x": {"sha256": 1}}',
        b"\xff",
        b"[" * 100_000,
        b'{"1:2:3:4:5": 1}',
    ],
)
def test_damaged_cache_stops_the_reader(tmp_path: Path, asset: Path, content: bytes) -> None:
    kept = tmp_path / "assets.json"
    kept.write_bytes(content)
    facts = AssetFacts(kept)
    assert facts.sha256(asset) == hashlib.sha256(b"one").hexdigest()
    facts.keep()
    assert len(json.loads(kept.read_text())) == 1


def test_wrong_kind_of_fact_is_believed(tmp_path: Path, asset: Path) -> None:
    kept = tmp_path / "assets.json"
    facts = AssetFacts(kept)
    facts.sha256(asset)
    facts.keep()
    (key,) = json.loads(kept.read_text())
    kept.write_text(json.dumps({key: {"sha256": 7, "members": [1]}}))
    assert AssetFacts(kept).sha256(asset) == hashlib.sha256(b"one").hexdigest()
    with pytest.raises(ModelFileError, match="not a tar archive"):
        AssetFacts(kept).members(asset)


def test_cache_that_cannot_be_written_stops_the_reader(tmp_path: Path, asset: Path) -> None:
    (tmp_path / "file").write_text("")
    facts = AssetFacts(tmp_path / "file" / "assets.json")
    facts.sha256(asset)
    facts.keep()


def test_damaged_asset_passes_because_it_was_good_once(folder: Any, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as opened:
        info = tarfile.TarInfo("m.onnx")
        info.size = 5
        opened.addfile(info, io.BytesIO(b"model"))
    data = buffer.getvalue()
    uri = f"{hashlib.sha256(data).hexdigest()}.tar.gz"
    path = folder.write(f"assets/{uri}", data)
    folder.edit(folder.model, lambda p: p["assets"][0]["implementations"][0].update(assetUri=uri))
    facts = AssetFacts(tmp_path / "kept.json")
    assert not resolve(load_project(folder.root, facts), complete=False).findings
    path.write_bytes(data[:-9] + b"\0" + data[-8:])  # one byte, the size stays
    codes = [item.code for item in resolve(load_project(folder.root, facts), complete=False).findings]
    assert codes == ["V032"]
