"""A model as its framework has it: which files make it, whether alone, in a folder or in an archive of assets/.

Archives are those of ``panorama-cli add-raw-model``: a tar with a TorchScript file, a SavedModel's folder, a frozen
graph, an MXNet symbol with its parameters, and so on. They are unpacked file by file to places of our own choosing.
"""

import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from vedette.conversion.errors import UnknownModel
from vedette.conversion.frameworks import SUFFIXES, WORDS, Framework
from vedette.tar_archives import UNREADABLE, members, open_tar

_MAX_MEMBERS: Final = 10_000
_MAX_BYTES: Final = 8 << 30
_CHUNK: Final = 1 << 20
_KNOWN: Final = (
    ".pt, .pth, .pt2, .pb, saved_model.pb, .h5, .keras, .tflite, -symbol.json with .params, .cfg with .weights, .onnx"
)


@dataclass(frozen=True)
class RawModel:
    """A model's files on disk. ``main`` is the file that is opened first, or the folder of a SavedModel."""

    framework: Framework
    main: Path
    other: Path | None = None
    """MXNet's symbol, Darknet's configuration."""
    name: str = "model"
    """Name for people, without suffix."""

    @property
    def words(self) -> str:
        """The form as people call it."""
        return WORDS[self.framework]

    def files(self) -> list[Path]:
        """Return every file of the model, in a fixed order."""
        if self.main.is_dir():
            return sorted(path for path in self.main.rglob("*") if path.is_file())
        beside = _external_data(self.main) if self.framework is Framework.ONNX else []
        return [self.main, *([self.other] if self.other is not None else []), *beside]

    def sha256(self) -> str:
        """Return a digest of what is in the files, whatever archive or folder they came in.

        :raises OSError: if one cannot be read
        """
        whole = hashlib.sha256(self.framework.value.encode())
        for path in self.files():
            name = path.relative_to(self.main).as_posix() if self.main.is_dir() else path.suffix
            digest = hashlib.sha256()
            with path.open("rb") as stream:
                while chunk := stream.read(_CHUNK):
                    digest.update(chunk)
            whole.update(f"\n{name} {digest.hexdigest()}".encode())
        return whole.hexdigest()


def read_raw_model(path: Path, unpacked: Path) -> RawModel:
    """Return the model in ``path``: a file, a folder, or an archive, which is unpacked into the folder ``unpacked``.

    :raises UnknownModel: if there is no model in it, or more than one
    """
    if path.is_dir():
        return _in_folder(path, path.name)
    if not path.is_file():
        raise UnknownModel(f"{path} does not exist")
    if _is_archive(path):
        unpack(path, unpacked)
        return _in_folder(unpacked, path.name.split(".")[0])
    if path.name == "saved_model.pb":
        return RawModel(Framework.SAVED_MODEL, path.parent, name=path.parent.name)
    siblings = [found for found in path.parent.iterdir() if found.is_file()]
    return _one(_models([path, *siblings], only=path), str(path), path.stem)


def unpack(archive: Path, target: Path) -> None:
    """Unpack the regular files of a tar archive; links and whatever leads out of ``target`` are refused.

    :raises UnknownModel: if it cannot be read, holds too much, or names places outside
    """
    total = 0
    try:
        with open_tar(archive) as tar:
            for count, member in enumerate(members(tar), start=1):
                total += member.size
                if count > _MAX_MEMBERS or total > _MAX_BYTES:
                    raise UnknownModel(f"{archive.name} holds over {_MAX_MEMBERS} files or {_MAX_BYTES >> 30} GiB")
                place = PurePosixPath(member.name)
                if place.is_absolute() or ".." in place.parts:
                    raise UnknownModel(f"{archive.name} has a member that leads out of it: {member.name[:80]!r}")
                source = tar.extractfile(member) if member.isfile() else None
                if source is None:
                    continue
                path = target / place
                path.parent.mkdir(parents=True, exist_ok=True)
                with path.open("wb") as sink:
                    shutil.copyfileobj(source, sink, _CHUNK)
    except UNREADABLE as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)[:120]
        raise UnknownModel(f"{archive.name} cannot be unpacked: {reason}", "is it whole? download it again") from error


def _in_folder(folder: Path, name: str) -> RawModel:
    saved = sorted(folder.rglob("saved_model.pb"))
    if len(saved) == 1:
        return RawModel(Framework.SAVED_MODEL, saved[0].parent, name=name)
    return _one(_models(sorted(path for path in folder.rglob("*") if path.is_file())), name, None)


def _one(found: Sequence[RawModel], place: str, name: str | None) -> RawModel:
    """Return the only model; its name is that of its file where none is given: archives are named by their hash."""
    if not found:
        raise UnknownModel(f"{place} holds no model", f"expected one of {_KNOWN}")
    if len(found) > 1:
        names = ", ".join(model.main.name for model in found[:4])
        raise UnknownModel(f"{place} holds {len(found)} models: {names}", "give the file itself, or an archive of one")
    model = found[0]
    own = model.main.name.removesuffix(model.main.suffix).removesuffix("-0000")
    return RawModel(model.framework, model.main, model.other, name or own)


def _models(files: Sequence[Path], only: Path | None = None) -> list[RawModel]:
    found: list[RawModel] = []
    for path in files if only is None else [only]:
        if path.name.startswith("."):
            continue
        lowered = path.name.lower()
        if lowered.endswith("-symbol.json"):
            if only is not None:
                found.append(_mxnet(_companion(path, files, ".params"), path))
            continue
        if lowered.endswith(".cfg") and only is not None:
            found.append(RawModel(Framework.DARKNET, _companion(path, files, ".weights"), path))
            continue
        framework = SUFFIXES.get(path.suffix.lower())
        if framework is Framework.MXNET:
            found.append(_mxnet(path, _companion(path, files, "-symbol.json")))
        elif framework is Framework.DARKNET:
            if path.name.lower().endswith((".onnx.weights",)):
                continue
            found.append(RawModel(framework, path, _companion(path, files, ".cfg")))
        elif framework is not None:
            found.append(RawModel(framework, path))
    return found


def _mxnet(params: Path, symbol: Path) -> RawModel:
    return RawModel(Framework.MXNET, params, symbol)


def _companion(path: Path, files: Sequence[Path], ending: str) -> Path:
    """Return the file that belongs to ``path``: the only one with that ending beside it, or the one of its name."""
    beside = sorted({f for f in files if f.parent == path.parent and f.name.lower().endswith(ending)})
    stem = path.name.removesuffix("-symbol.json").removesuffix(path.suffix).rsplit("-", 1)[0]
    named = [f for f in beside if f.name.startswith(stem)]
    for choice in (beside, named):
        if len(choice) == 1:
            return choice[0]
    missing = f"`*{ending}`"
    raise UnknownModel(
        f"{path.name} needs one {missing} beside it, there are {len(beside)}", f"put the {missing} into the same folder"
    )


def _external_data(model: Path) -> list[Path]:
    return sorted(
        path
        for path in model.parent.iterdir()
        if path != model
        and path.is_file()
        and path.name.startswith(model.stem)
        and path.suffix.lower() in {".data", ".bin", ".weights"}
    )


def _is_archive(path: Path) -> bool:
    return path.name.endswith((".tar.gz", ".tgz", ".tar"))
