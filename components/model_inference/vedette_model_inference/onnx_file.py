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
_MAX_BYTES = 2 << 30
"""What protobuf parses at most; larger models have their weights in files beside them."""
_MAX_FIELDS = 4_000_000
"""A model of 200,000 operators has about as many; a file made of nothing but fields would keep us busy for minutes."""
_CONTEXT = b"EPContext"
"""An operator that holds or names what a GPU's compiler made: machine code, not a model."""

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
_OPERATOR_OF_NODE = 4


class _Malformed(Exception):
    """These bytes are not protobuf."""


def external_files(path: Path) -> tuple[Path, ...]:
    """Return the files beside ``path`` that hold tensors of it, each once, in the order met.

    :raises LoadError: when the file is not an ONNX model, or wants a file outside of its own folder.
    """
    locations: list[str] = []
    graphs = 0
    budget = [_MAX_FIELDS]
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise LoadError(
                f"{path.name} is over 2 GiB, which no ONNX file can be: weights belong into a file beside it"
            )
        with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
            with memoryview(content) as data:
                for number, kind, begin, end in _fields(data, 0, len(data), budget):
                    graphs += number == _GRAPH_OF_MODEL and kind == _BYTES
                    _follow("Model", number, kind, data, begin, end, locations, 0, budget)
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
    message: str,
    number: int,
    kind: int,
    data: memoryview,
    begin: int,
    end: int,
    locations: list[str],
    depth: int,
    budget: list[int],
) -> None:
    if message == "Node" and number == _OPERATOR_OF_NODE and bytes(data[begin:end]) == _CONTEXT:
        raise _Malformed("it holds code for one kind of GPU (EPContext): give the model that it was compiled from")
    if kind != _BYTES or number not in _FIELDS[message]:
        return
    if depth > _MAX_DEPTH:
        raise _Malformed(f"graphs nested over {_MAX_DEPTH} deep")
    inner = _FIELDS[message][number]
    if inner == "Entry":
        location = _location(data, begin, end, budget)
        if location is not None:
            locations.append(location)
        return
    for inner_number, inner_kind, inner_begin, inner_end in _fields(data, begin, end, budget):
        _follow(inner, inner_number, inner_kind, data, inner_begin, inner_end, locations, depth + 1, budget)


def _location(data: memoryview, begin: int, end: int, budget: list[int]) -> str | None:
    """Return the value of a StringStringEntry whose key is ``location``, else None."""
    texts = {1: "", 2: ""}
    for number, kind, at, stop in _fields(data, begin, end, budget):
        if kind == _BYTES and number in texts:
            texts[number] = bytes(data[at:stop]).decode("utf-8", "surrogateescape")
    return texts[2] if texts[1] == "location" else None


def _fields(data: memoryview, at: int, end: int, budget: list[int]) -> Iterator[tuple[int, int, int, int]]:
    """Yield (number, wire type, begin, end) of each field between ``at`` and ``end``; ``budget`` counts them down."""
    while at < end:
        budget[0] -= 1
        if budget[0] < 0:
            raise _Malformed(f"it has over {_MAX_FIELDS} fields")
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
