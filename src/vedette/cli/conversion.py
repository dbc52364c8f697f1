"""Models of other frameworks on the way through ``run`` and ``compile``: converted once, with words about it."""

from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

from vedette.cli.terminal import Terminal
from vedette.documents.model_files import ModelFile
from vedette.documents.models import MlModelDescriptor
from vedette.documents.resolution.models import ConversionDeferred, ModelConversionError

if TYPE_CHECKING:
    from vedette.conversion import Wanted

_STEP: Final = "model"


class ModelConversion:
    """Converts what a project needs; see :class:`vedette.documents.resolution.models.ConvertModel`."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal

    def __call__(self, what: str, path: Path, descriptor: MlModelDescriptor | None) -> ModelFile:
        """Return the ONNX file, from the cache where it was made before."""
        from vedette.conversion import ConversionError, Converter

        name = what.removeprefix("model ")
        try:
            converted = Converter().convert(
                path, wanted_of(descriptor), lambda text: self._terminal.waiting(_STEP, f"{name}: {text}")
            )
        except ConversionError as error:
            self._terminal.clear_status()
            raise ModelConversionError(str(error), error.hint or "") from error
        self._terminal.done(_STEP, f"{name}: {converted.words()}")
        if warning := converted.document["precision"].get("warning"):
            self._terminal.warn(_STEP, f"{name}: {warning}")
        return ModelFile(f"{converted.document['source']['name'][:60]}.onnx", converted.path)


def conversion_deferred(what: str, path: Path, descriptor: MlModelDescriptor | None) -> NoReturn:
    """Stand in for :class:`ModelConversion` where nothing is to be converted."""
    del what, path, descriptor
    raise ConversionDeferred("`vedette run` and `vedette compile` convert it to ONNX", "vedette model check FILE")


def wanted_of(descriptor: MlModelDescriptor | None) -> "Wanted":
    """Return what a descriptor asks for."""
    from vedette.conversion import DeclaredInput, Wanted

    if descriptor is None:
        return Wanted()
    inputs = tuple(DeclaredInput(item.name, tuple(item.shape), item.type) for item in descriptor.inputs)
    return Wanted(inputs, descriptor.precision_mode)
