"""Models: the file behind an interface of a model package, and what its descriptor says of the inputs."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Protocol

from vedette.documents.application import ModelUnit
from vedette.documents.document import Document, parsed_as, read_document, shown_path
from vedette.documents.files import is_inside
from vedette.documents.findings import Finding, errors, general
from vedette.documents.model_files import (
    FORMATS,
    OTHER_MODELS,
    ModelFile,
    ModelFileError,
    is_archive,
    sha256_of,
    with_side_files,
)
from vedette.documents.models import Asset, DescriptorDocument, Implementation, Interface, MlModelDescriptor
from vedette.documents.project import Package, Project
from vedette.documents.suggestions import did_you_mean
from vedette.messages import Tensor
from vedette.pictures import SpecificationError, read_frame_document


class ModelConversionError(Exception):
    """A model of another framework cannot be converted. ``hint``: what to do about it."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class ConversionDeferred(ModelConversionError):
    """It was not tried: that is for another command to do."""


class ConvertModel(Protocol):
    """Turns a model of another framework into ONNX."""

    def __call__(self, what: str, path: Path, descriptor: MlModelDescriptor | None) -> ModelFile:
        """Return the ONNX file. ``what`` names the model for people, ``path`` is a file or an archive of assets/.

        :raises ModelConversionError: why it cannot be converted
        """


_SHA256: Final = re.compile(r"([0-9a-f]{64})(\..*)?")
_MAX_BYTES_HASHED: Final = 8 << 30
FRAME_FILE: Final = "preprocess.json"


class ModelFinder:
    """Finds the models of one package's interfaces; findings are of whoever asks.

    :param convert: turns models of other frameworks into ONNX; without it they are an error
    """

    def __init__(self, project: Project, package: Package, convert: ConvertModel | None = None) -> None:
        self._project = project
        self._package = package
        self._convert = convert

    def find(self, interface: Interface, findings: list[Finding]) -> ModelUnit | None:
        """Return the model of ``interface``, or None and the reason in ``findings``."""
        at = self._interface_index(interface)
        asset, implementation, pointer = self._implementation(interface, at, findings)
        candidates = self._candidates(interface, asset, implementation, pointer, findings)
        if candidates is None:
            return None
        model, side_files = candidates
        descriptor = self._descriptor(implementation, at, findings)
        if errors(findings):
            return None
        if model.format is None:
            converted = self._converted(interface, model, descriptor, pointer, findings)
            if converted is None:
                return None
            model, side_files = converted, ()
        frames = self._frames(interface, findings)
        return None if errors(findings) else self._unit(interface, model, side_files, descriptor, frames)

    def _interface_index(self, interface: Interface) -> int:
        return self._package.document.require().node_package.interfaces.index(interface)

    def _finding(self, code: str, pointer: tuple[str | int, ...], message: str, hint: str = "") -> Finding:
        return self._package.document.finding(code, pointer, message, hint)

    def _implementation(
        self, interface: Interface, at: int, findings: list[Finding]
    ) -> tuple[Asset | None, Implementation | None, tuple[str | int, ...]]:
        """Return asset and implementation, and the place that names the file."""
        place: tuple[str | int, ...] = ("nodePackage", "interfaces", at)
        if not interface.asset:
            return None, None, place
        for index, asset in enumerate(self._package.document.require().node_package.assets):
            if asset.name == interface.asset:
                for number, implementation in enumerate(asset.implementations):
                    if implementation.type == "model":
                        where = ("nodePackage", "assets", index, "implementations", number, "assetUri")
                        return asset, implementation, where
                return asset, None, ("nodePackage", "assets", index)
        # No asset at all is usual where the model was never added to the repository: V031 says what to do.
        if names := [asset.name for asset in self._package.document.require().node_package.assets]:
            message = f'asset "{interface.asset}" is not among the package\'s assets'
            hint = did_you_mean(interface.asset, names, what="assets")
            findings.append(self._finding("V023", (*place, "asset"), message, hint))
        return None, None, (*place, "asset")

    def _candidates(
        self,
        interface: Interface,
        asset: Asset | None,
        implementation: Implementation | None,
        pointer: tuple[str | int, ...],
        findings: list[Finding],
    ) -> tuple[ModelFile, tuple[ModelFile, ...]] | None:
        if implementation is not None:
            path = self._project.assets / implementation.asset_uri
            if not is_inside(path, self._project.assets) or not is_inside(path, self._project.root):
                findings.append(self._finding("V007", pointer, "the path leads out of the project's assets"))
                return None
            if path.is_file():
                found = self._of_asset(path, pointer, findings)
                if found is None or found[0].format is not None or not self._files_of_folder():
                    return found
                # The original is still there beside what it was converted to.
        names = {interface.name, interface.asset, asset.name if asset else ""}
        return self._of_folder(interface, names, implementation, pointer, findings)

    def _of_asset(
        self, path: Path, pointer: tuple[str | int, ...], findings: list[Finding]
    ) -> tuple[ModelFile, tuple[ModelFile, ...]] | None:
        if not self._hash_is_right(path, pointer, findings):
            return None
        if not is_archive(path):
            return ModelFile(path.name, path), ()
        try:
            members = self._project.facts.members(path)
        except (ModelFileError, OSError) as error:
            findings.append(self._finding("V034", pointer, str(error)))
            return None
        found = [name for name in members if Path(name).suffix.lower() in FORMATS]
        if len(found) == 1:
            files = [ModelFile(Path(name).name, path, name) for name in with_side_files(found[0], members)]
            return files[0], tuple(files[1:])
        if found:
            message = f"archive holds {len(found)} models: {', '.join(sorted(found)[:4])}"
            findings.append(self._finding("V034", pointer, message, "an archive holds one model"))
            return None
        other = next((name for name in members if _is_other_model(name)), None)
        if other is None:
            shown = ", ".join(sorted(members)[:4]) or "nothing"
            findings.append(self._finding("V034", pointer, f"archive holds no model: {shown}"))
            return None
        return ModelFile(Path(other).name, path, other), ()

    def _hash_is_right(self, path: Path, pointer: tuple[str | int, ...], findings: list[Finding]) -> bool:
        named = _SHA256.fullmatch(path.name)
        if named is None or path.stat().st_size > _MAX_BYTES_HASHED:
            return True
        try:
            digest = self._project.facts.sha256(path)
        except OSError as error:
            findings.append(self._finding("V001", pointer, f"{path.name} cannot be read: {error.strerror}"))
            return False
        if digest == named[1]:
            return True
        message = (
            f"{shown_path(path, self._project.root)} has the hash {digest[:12]}...: the file was changed or damaged"
        )
        findings.append(self._finding("V032", pointer, message, "put the original file back, or add the model again"))
        return False

    def _files_of_folder(self) -> list[Path]:
        return sorted(path for path in self._package.folder.iterdir() if path.suffix.lower() in FORMATS)

    def _of_folder(
        self,
        interface: Interface,
        names: set[str],
        implementation: Implementation | None,
        pointer: tuple[str | int, ...],
        findings: list[Finding],
    ) -> tuple[ModelFile, tuple[ModelFile, ...]] | None:
        folder = self._package.folder
        files = self._files_of_folder()
        if len(files) > 1:
            files = [path for path in files if path.stem in names] or files
        if len(files) == 1:
            if not is_inside(files[0], self._project.root):
                findings.append(self._finding("V007", pointer, f"{files[0].name} is a link out of the project"))
                return None
            beside = with_side_files(files[0].name, [path.name for path in folder.iterdir()])[1:]
            return ModelFile(files[0].name, files[0]), tuple(ModelFile(name, folder / name) for name in beside)
        if files:
            message = f"package folder holds {len(files)} models: {', '.join(path.name for path in files[:4])}"
            findings.append(
                self._finding("V034", pointer, message, f"name one after the asset or interface: {max(names)}.onnx")
            )
            return None
        raw = self._raw_of_folder()
        if raw is not None:
            return ModelFile(raw.name, raw), ()
        uri = f": assets/{implementation.asset_uri} is not there" if implementation is not None else ""
        message = f"{self._name(interface)} has no file{uri}; the application starts, but calls of this model will fail"
        hint = f"put an ONNX or TFLite file into {shown_path(folder, self._project.root)}/"
        findings.append(self._package.document.finding("V031", pointer, message, hint, where=False))
        return None

    def _raw_of_folder(self) -> Path | None:
        """Return the only model of another framework in the package's folder: a file, or a SavedModel's folder."""
        found = [
            path
            for path in sorted(self._package.folder.iterdir())
            if (path.is_file() and path.name.lower().endswith(OTHER_MODELS)) or (path / "saved_model.pb").is_file()
        ]
        return found[0] if len(found) == 1 and is_inside(found[0], self._project.root) else None

    def _name(self, interface: Interface) -> str:
        return f"model {self._package.name}.{interface.name}"

    def _descriptor(
        self, implementation: Implementation | None, at: int, findings: list[Finding]
    ) -> MlModelDescriptor | None:
        for document in self._descriptors(implementation):
            findings += document.findings
            if document.model is not None and document.model.ml_model_descriptor is not None:
                return document.model.ml_model_descriptor
            if document.model is None:
                return None
        message = "the model has no descriptor: its inputs are not checked before it is loaded"
        hint = f"add descriptor.json with mlModelDescriptor to {shown_path(self._package.folder, self._project.root)}/"
        findings.append(self._finding("V035", ("nodePackage", "interfaces", at, "name"), message, hint))
        return None

    def _descriptors(self, implementation: Implementation | None) -> list[Document[DescriptorDocument]]:
        found: list[Document[DescriptorDocument]] = []
        uri = implementation.descriptor_uri if implementation is not None else ""
        if uri:
            path = self._project.assets / uri
            if is_inside(path, self._project.assets) and path.is_file():
                read = read_document(path, self._project.root, expected=("mlModelDescriptor",))
                found.append(parsed_as(read, DescriptorDocument))
            found += self._named_by_hash(uri)
        if self._package.descriptor is not None:
            found.append(self._package.descriptor)
        return found

    def _named_by_hash(self, uri: str) -> list[Document[DescriptorDocument]]:
        """Find the original of ``assets/<hash>.json`` in the package's folder."""
        named = _SHA256.fullmatch(uri)
        for path in sorted(self._package.folder.glob("*.json")) if named is not None else ():
            inside = is_inside(path, self._project.root) and path.is_file()
            if named is not None and inside and path.stat().st_size < 1 << 20 and sha256_of(path) == named[1]:
                read = read_document(path, self._project.root, expected=("mlModelDescriptor",))
                return [parsed_as(read, DescriptorDocument)]
        return []

    def _converted(
        self,
        interface: Interface,
        model: ModelFile,
        descriptor: MlModelDescriptor | None,
        pointer: tuple[str | int, ...],
        findings: list[Finding],
    ) -> ModelFile | None:
        """Return the model as ONNX, or None and the reason in ``findings``."""
        framework = descriptor.framework if descriptor is not None and descriptor.framework else "another framework"
        if self._convert is None:
            what = f"{self._name(interface)}: {model.name} is a model of {framework}"
            message = f"{what}, it must be converted to ONNX or TFLite"
            hint = f"put the converted file into {shown_path(self._package.folder, self._project.root)}/"
            findings.append(self._package.document.finding("V033", pointer, message, hint, where=False))
            return None
        try:
            return self._convert(self._name(interface), model.path, descriptor)
        except ConversionDeferred as deferred:
            message = f"{self._name(interface)}: {model.name} is a model of {framework}; {deferred}"
            findings.append(self._package.document.finding("V083", pointer, message, deferred.hint, where=False))
        except ModelConversionError as error:
            message = f"{self._name(interface)}: {model.name} cannot be converted: {error}"
            findings.append(self._package.document.finding("V033", pointer, message, error.hint, where=False))
        return None

    def _frames(self, interface: Interface, findings: list[Finding]) -> Mapping[str, Any] | None:
        """Return what preprocess.json says: that of the interface, else that of the package."""
        for name in (f"{interface.name}.{FRAME_FILE}", FRAME_FILE):
            path = self._package.folder / name
            if not path.is_file() or not is_inside(path, self._project.root):
                continue
            place = shown_path(path, self._project.root)
            try:
                document = read_frame_document(path.read_bytes())
            except SpecificationError as error:
                findings.append(general("V084", f"{name} cannot be used: {error}", file=place))
                return None
            except OSError as error:
                findings.append(general("V001", f"{name} cannot be read: {error.strerror}", file=place))
                return None
            return document.model_dump(mode="json", by_alias=True, exclude_unset=True)
        return None

    def _unit(
        self,
        interface: Interface,
        model: ModelFile,
        side_files: tuple[ModelFile, ...],
        descriptor: MlModelDescriptor | None,
        frames: Mapping[str, Any] | None,
    ) -> ModelUnit | None:
        kind = model.format
        if kind is None:
            return None
        inputs = tuple(
            Tensor(name=item.name, dtype=item.type, shape=list(item.shape))
            for item in (descriptor.inputs if descriptor is not None else ())
        )
        return ModelUnit(self._package, interface.name, model, kind, side_files, inputs, frames)


def _is_other_model(name: str) -> bool:
    return name.lower().endswith((*OTHER_MODELS, "-symbol.json"))
