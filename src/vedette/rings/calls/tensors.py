"""Tensors as the call channel knows them: a name, an element type, a shape and bytes in C order."""

from functools import lru_cache
from typing import Any, Dict, List, NamedTuple, Sequence, Tuple, Union

from .errors import BAD_BUFFER, WRONG_DTYPE, WRONG_SHAPE, CallError

ALIGNMENT = 64
"""Where tensors begin in a slot: a cache line, which is also what vector instructions like best."""
MAX_DIMENSIONS = 32

ITEM_BYTES: Dict[str, int] = {
    "bool": 1, "int8": 1, "uint8": 1, "int16": 2, "uint16": 2, "int32": 4, "uint32": 4, "int64": 8, "uint64": 8,
    "float16": 2, "float32": 4, "float64": 8,
}  # fmt: skip
"""Element types by numpy's name, and how many bytes an element takes."""
DTYPES: Tuple[str, ...] = tuple(ITEM_BYTES)
"""Element types in the order of their codes on the wire."""

_KINDS = {"b": "bool", "i": "int", "u": "uint", "f": "float"}

Dimension = Union[int, str]


class TensorSpec(NamedTuple):
    """An input or output as declared; a dimension that is -1 or a name is free."""

    name: str
    dtype: str
    shape: Tuple[Dimension, ...]


class Description(NamedTuple):
    """What a model takes and gives, in the model's order. ``frames``: it takes frames in place of tensors, too."""

    inputs: Tuple[TensorSpec, ...]
    outputs: Tuple[TensorSpec, ...]
    frames: bool = False


class TensorBuffer(NamedTuple):
    """A tensor and its bytes: any C-contiguous buffer of exactly the size that ``dtype`` and ``shape`` make."""

    name: str
    dtype: str
    shape: Tuple[int, ...]
    buffer: Any


class TensorView(NamedTuple):
    """A tensor that lies in shared memory; ``buffer`` is flat, one item a byte."""

    name: str
    dtype: str
    shape: Tuple[int, ...]
    buffer: memoryview


class FrameView(NamedTuple):
    """A frame that lies in shared memory: ``pixel_format`` is one of the rings' (I420, BGR24), ``buffer`` is flat."""

    width: int
    height: int
    pixel_format: int
    buffer: memoryview


class Placed(NamedTuple):
    """A tensor and where it begins in its area of the slot, in bytes."""

    name: str
    dtype: str
    shape: Tuple[int, ...]
    offset: int


def dtype_name(dtype: str) -> str:
    """Return numpy's name of an element type given as ``float32`` or as ``<f4``.

    :raises CallError: ``wrong_dtype`` for a type that tensors cannot have, big-endian ones included.
    """
    if dtype in ITEM_BYTES:
        return dtype
    name = ""
    if len(dtype) >= 3 and dtype[0] in "<|=" and dtype[1] in _KINDS and dtype[2:].isdigit():
        name = _KINDS[dtype[1]] if dtype[1] == "b" else "{}{}".format(_KINDS[dtype[1]], 8 * int(dtype[2:]))
    if name not in ITEM_BYTES or ITEM_BYTES[name] != int(dtype[2:]):
        raise CallError(
            WRONG_DTYPE, "element type {!r} cannot be sent, expected one of {}".format(dtype, ", ".join(DTYPES))
        )
    return name


def tensor_bytes(dtype: str, shape: Sequence[int]) -> int:
    """Return how many bytes a tensor takes.

    :raises CallError: for an unknown type, a negative dimension or over 32 dimensions.
    """
    nbytes = ITEM_BYTES[dtype_name(dtype)]
    if len(shape) > MAX_DIMENSIONS:
        raise CallError(WRONG_SHAPE, "{} dimensions, expected at most {}".format(len(shape), MAX_DIMENSIONS))
    for dimension in shape:
        if dimension < 0:
            raise CallError(WRONG_SHAPE, "shape {} has a negative dimension".format(tuple(shape)))
        nbytes *= dimension
    return nbytes


def aligned(nbytes: int, alignment: int = ALIGNMENT) -> int:
    """Return ``nbytes`` rounded up to a multiple of ``alignment``."""
    return (nbytes + alignment - 1) // alignment * alignment


def lay_out(tensors: Sequence[Tuple[str, str, Sequence[int]]]) -> Tuple[Tuple[Placed, ...], int]:
    """Return where each (name, dtype, shape) goes, one after the other, and the bytes all of them take."""
    return _lay_out(tuple([(name, dtype, tuple(shape)) for name, dtype, shape in tensors]))


@lru_cache(maxsize=64)
def _lay_out(tensors: Tuple[Tuple[str, str, Tuple[int, ...]], ...]) -> Tuple[Tuple[Placed, ...], int]:
    """Lay out what is mostly the same from call to call: after a model's run the caches hold nothing of ours."""
    placed: List[Placed] = []
    end = 0
    for name, dtype, shape in tensors:
        placed.append(Placed(name, dtype_name(dtype), tuple(int(d) for d in shape), end))
        end += aligned(tensor_bytes(dtype, placed[-1].shape))
    return tuple(placed), end


def flat_bytes(tensor: TensorBuffer) -> memoryview:
    """Return the tensor's bytes as a flat view, without a copy where the buffer's format allows.

    :raises CallError: ``bad_buffer`` when the buffer is not C-contiguous or of another size than the shape says.
    """
    expected = tensor_bytes(tensor.dtype, tensor.shape)
    view = memoryview(tensor.buffer)
    if not view.c_contiguous:
        raise CallError(BAD_BUFFER, "input {!r} is not C-contiguous: copy it first".format(tensor.name))
    if view.nbytes != expected:
        raise CallError(
            BAD_BUFFER,
            "input {!r} has {} bytes, expected {} for {} {}".format(
                tensor.name, view.nbytes, expected, tensor.dtype, tuple(tensor.shape)
            ),
        )
    if not expected:
        # A view cannot be cast when its shape has a zero in it.
        return memoryview(b"")
    try:
        return view.cast("B")
    except (TypeError, ValueError):
        # memoryview knows the formats of the struct module only; float16 is not one of them before Python 3.12.
        return memoryview(view.tobytes())
