"""What an ONNX file says about itself, read without ONNX Runtime: is it one, and which other files does it want.

Only the fields on the way to a tensor's external data are followed; everything else is skipped by its length, so a
file of 100 MB costs a few thousand steps. Field numbers are those of onnx.proto3 (onnx/onnx, onnx/onnx.proto3).
"""

import mmap
from collections.abc import Iterator
from pathlib import Path

from vedette_model_inference.errors import LoadError

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MAX_DEPTH = 64

# Message -> field -> the message in it. Only what leads to a TensorProto.
_FIELDS: dict[str, dict[int, str]] = {
    "Model": {7: "Graph", 20: "Training", 25: "Function"},
    "Training": {1: "Graph", 2: "Graph"},
    "Function": {7: "Node"},
    "Graph": {1: "Node", 5: "Tensor", 15: "SparseTensor"},
    "Node": {5: "Attribute"},
    "Attribute": {5: "Tensor", 6: "Graph", 10: "Tensor", 11: "Graph", 22: "SparseTensor", 23: "SparseTensor"},
    "SparseTensor": {1: "Tensor", 2: "Tensor"},
    "Tensor": {13: "Entry"},
}
_GRAPH_OF_MODEL = 7


class _Malformed(Exception):
    """These bytes are not protobuf."""


def external_files(path: Path) -> tuple[Path, ...]:
    """Return the files beside ``path`` that hold tensors of it, each once, in the order met.

    :raises LoadError: when the file is not an ONNX model, or wants a file outside of its own folder.
    """
    locations: list[str] = []
    graphs = 0
    try:
        with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
            with memoryview(content) as data:
                for number, kind, begin, end in _fields(data, 0, len(data)):
                    graphs += number == _GRAPH_OF_MODEL and kind == _BYTES
                    _follow("Model", number, kind, data, begin, end, locations, 0)
    except _Malformed as error:
        raise LoadError(f"{path.name} is not an ONNX model: {error}") from error
    except ValueError as error:
        # mmap's way to say that the file is empty.
        raise LoadError(f"{path.name} is not an ONNX model: it is empty") from error
    except OSError as error:
        raise LoadError(f"cannot read {path}: {error.strerror}") from error
    if graphs != 1:
        raise LoadError(f"{path.name} is not an ONNX model: it has {graphs} graphs, expected 1")
    return tuple(_resolve(path, location) for location in dict.fromkeys(locations))


def _resolve(path: Path, location: str) -> Path:
    folder = path.resolve().parent
    resolved = (folder / location).resolve()
    if folder not in resolved.parents:
        raise LoadError(
            f"{path.name} wants its weights from {location!r}, outside of its own folder: such files are refused"
        )
    if not resolved.is_file():
        raise LoadError(f"{path.name} has its weights in {location!r}, which is missing beside it")
    return resolved


def _follow(
    message: str, number: int, kind: int, data: memoryview, begin: int, end: int, locations: list[str], depth: int
) -> None:
    if kind != _BYTES or number not in _FIELDS[message]:
        return
    if depth > _MAX_DEPTH:
        raise _Malformed(f"graphs nested over {_MAX_DEPTH} deep")
    inner = _FIELDS[message][number]
    if inner == "Entry":
        location = _location(data, begin, end)
        if location is not None:
            locations.append(location)
        return
    for inner_number, inner_kind, inner_begin, inner_end in _fields(data, begin, end):
        _follow(inner, inner_number, inner_kind, data, inner_begin, inner_end, locations, depth + 1)


def _location(data: memoryview, begin: int, end: int) -> str | None:
    """Return the value of a StringStringEntry whose key is ``location``, else None."""
    texts = {1: "", 2: ""}
    for number, kind, at, stop in _fields(data, begin, end):
        if kind == _BYTES and number in texts:
            texts[number] = bytes(data[at:stop]).decode("utf-8", "surrogateescape")
    return texts[2] if texts[1] == "location" else None


def _fields(data: memoryview, at: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield (number, wire type, begin, end) of each field between ``at`` and ``end``."""
    while at < end:
        key, at = _varint(data, at, end)
        number, kind = key >> 3, key & 7
        begin = at
        if kind == _VARINT:
            _, at = _varint(data, at, end)
        elif kind == _BYTES:
            length, begin = _varint(data, at, end)
            at = begin + length
        elif kind in (_FIXED64, _FIXED32):
            at += 8 if kind == _FIXED64 else 4
        else:
            raise _Malformed(f"wire type {kind} at byte {begin}")
        if number == 0 or at > end:
            raise _Malformed(f"a field at byte {begin} runs past its end")
        yield number, kind, begin, at


def _varint(data: memoryview, at: int, end: int) -> tuple[int, int]:
    value = shift = 0
    while at < end and shift < 64:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise _Malformed(f"a number at byte {at} does not end")
