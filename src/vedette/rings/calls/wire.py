"""Packets of the call channel. A codec: no I/O.

Each SOCK_SEQPACKET packet is one message, little-endian, its first byte the kind.

| kind | from | fields |
|---|---|---|
| 1 DESCRIBE | server | version u8; the rest is JSON: inputs and outputs, each [name, dtype, shape] |
| 2 MEMORY | server | request u32, generation u32, slots u16, a slot's input, output bytes u64, u64; two descriptors |
| 3 REFUSED | server | request u32, code, message |
| 4 ANSWER | server | call u64, extra bytes u64 (0: outputs lie in the slot; else in the memory that comes), tensors |
| 5 FAULT | server | call u64, code, message |
| 16 OPEN | client | version u8, request u32, input bytes u64, output bytes u64 |
| 17 CALL | client | call u64, deadline u64 (ns of CLOCK_MONOTONIC, 0: none), generation u32, slot u16, tensors |
| 18 CLOSE | client | generation u32: its slots are not used any more |
| 19 SHARE | client | memory u32, bytes u64; a descriptor: frames of calls may lie in it |
| 20 UNSHARE | client | memory u32: no later call's frame lies in it |
| 21 FRAME | client | as CALL to slot; memory u32 (0: the slot), offset u64, width, height u32, pixel format u8 |

Text is u16 length and UTF-8. Tensors are u16 count, then each: name, dtype u8, dimensions u8, each dimension u64,
offset u64. A slot is an area in the memory of the inputs and one in the memory of the outputs, MEMORY's descriptors in
this order; offsets count from the begin of the area. Clients can map the outputs for reading only.

What does not change while one client repeats one call is at the end of its packets, so that both sides may keep it as
bytes: see :func:`call_head` and :func:`answer_head`.
"""

import json
import struct
from functools import lru_cache
from typing import Any, List, NamedTuple, Optional, Tuple, Union

from ..errors import RingError
from .tensors import DTYPES, ITEM_BYTES, MAX_DIMENSIONS, Description, Placed, TensorSpec

VERSION = 3
MAX_PACKET_BYTES = 128 * 1024
MAX_TENSORS = 256
_USUAL_BYTES = 4096
MAX_MESSAGE_CHARACTERS = 2000

_KIND_DESCRIBE, _KIND_MEMORY, _KIND_REFUSED, _KIND_ANSWER, _KIND_FAULT = 1, 2, 3, 4, 5
_KIND_OPEN, _KIND_CALL, _KIND_CLOSE, _KIND_SHARE, _KIND_UNSHARE, _KIND_FRAME = 16, 17, 18, 19, 20, 21

_DESCRIBE = struct.Struct("<BB")
_MEMORY = struct.Struct("<BIIHQQ")
_REFUSED = struct.Struct("<BI")
_HEAD = struct.Struct("<BQQ")
"""Of a Call and of an Answer: what differs from one to the next like it."""
_FAULT = struct.Struct("<BQ")
_OPEN = struct.Struct("<BBIQQ")
_SLOT = struct.Struct("<IH")
_CLOSE = struct.Struct("<BI")
_SHARE = struct.Struct("<BIQ")
_UNSHARE = struct.Struct("<BI")
_FRAME = struct.Struct("<BQQIHIQIIB")
_LENGTH = struct.Struct("<H")
_TENSOR = struct.Struct("<BB")

_CODES = {name: code for code, name in enumerate(DTYPES)}


class Describe(NamedTuple):
    """What the model takes and gives; the first packet on a connection."""

    description: Description


class Open(NamedTuple):
    """Ask for slots with at least this much room."""

    request: int
    input_bytes: int
    output_bytes: int


class Memory(NamedTuple):
    """A new generation of slots; the descriptors travel beside it. Sizes are of one slot's two areas."""

    request: int
    generation: int
    slots: int
    input_bytes: int
    output_bytes: int

    def answers(self, asked: Open) -> bool:
        """Tell whether this is the memory asked for, and as large."""
        return (
            self.request == asked.request
            and self.slots > 0
            and self.input_bytes >= asked.input_bytes
            and self.output_bytes >= asked.output_bytes
        )


class Refused(NamedTuple):
    """The memory asked for is not to be had."""

    request: int
    code: str
    message: str


class Answer(NamedTuple):
    """Where the outputs of a call lie."""

    call: int
    extra_bytes: int
    outputs: Tuple[Placed, ...]


class Fault(NamedTuple):
    """Why a call gave no outputs."""

    call: int
    code: str
    message: str


class Call(NamedTuple):
    """Run the model on the inputs in this slot."""

    call: int
    generation: int
    slot: int
    deadline_ns: int
    inputs: Tuple[Placed, ...]


class Close(NamedTuple):
    """No slot of this generation is used any more."""

    generation: int


class Share(NamedTuple):
    """Frames of later calls may lie in this memory; the descriptor travels beside it."""

    memory: int
    nbytes: int


class Unshare(NamedTuple):
    """No later call's frame lies in this memory."""

    memory: int


class Frame(NamedTuple):
    """Run the model on a frame: in a shared memory, or in the slot's input area where ``memory`` is 0."""

    call: int
    generation: int
    slot: int
    deadline_ns: int
    memory: int
    offset: int
    width: int
    height: int
    pixel_format: int


Packet = Union[Describe, Memory, Refused, Answer, Fault, Open, Call, Close, Share, Unshare, Frame]


def encode(packet: Packet) -> bytes:
    """Return the packet's bytes.

    :raises RingError: when it would be over 128 kB or names over 256 tensors.
    """
    try:
        data = _encode(packet)
    except struct.error as error:
        raise RingError("{} cannot be encoded: {}".format(type(packet).__name__, error)) from error
    if len(data) > MAX_PACKET_BYTES:
        raise RingError("{} takes {} bytes, at most {} fit".format(type(packet).__name__, len(data), MAX_PACKET_BYTES))
    return data


def call_head(call: int, deadline_ns: int) -> bytes:
    """Return the begin of a Call's bytes; the rest is what :func:`split_call` gave of one like it."""
    return _HEAD.pack(_KIND_CALL, call, deadline_ns)


def split_call(data: bytes) -> Optional[Tuple[int, int, bytes]]:
    """Return a Call's number, its deadline and the rest, still encoded; None for another packet, or one cut short."""
    if data[0] != _KIND_CALL or len(data) < _HEAD.size:
        return None
    _, call, deadline_ns = _HEAD.unpack_from(data)
    return call, deadline_ns, data[_HEAD.size :]


def answer_head(call: int) -> bytes:
    """Return the begin of an Answer's bytes, to a call whose outputs lie in its slot; the rest is of one like it."""
    return _HEAD.pack(_KIND_ANSWER, call, 0)


def split_answer(data: bytes) -> Optional[Tuple[int, int, bytes]]:
    """Return an Answer's call, its extra bytes and the rest, still encoded; None as :func:`split_call`."""
    if data[0] != _KIND_ANSWER or len(data) < _HEAD.size:
        return None
    _, call, extra_bytes = _HEAD.unpack_from(data)
    return call, extra_bytes, data[_HEAD.size :]


def _encode(packet: Packet) -> bytes:
    if isinstance(packet, Call):
        head = call_head(packet.call, packet.deadline_ns) + _SLOT.pack(packet.generation, packet.slot)
        return head + _encode_tensors(packet.inputs)
    if isinstance(packet, Answer):
        return _HEAD.pack(_KIND_ANSWER, packet.call, packet.extra_bytes) + _encode_tensors(packet.outputs)
    if isinstance(packet, Fault):
        return _FAULT.pack(_KIND_FAULT, packet.call) + _encode_reason(packet.code, packet.message)
    if isinstance(packet, Refused):
        return _REFUSED.pack(_KIND_REFUSED, packet.request) + _encode_reason(packet.code, packet.message)
    if isinstance(packet, Memory):
        return _MEMORY.pack(_KIND_MEMORY, *packet)
    if isinstance(packet, Open):
        return _OPEN.pack(_KIND_OPEN, VERSION, *packet)
    if isinstance(packet, Close):
        return _CLOSE.pack(_KIND_CLOSE, packet.generation)
    if isinstance(packet, Frame):
        where = (packet.generation, packet.slot)
        return _FRAME.pack(_KIND_FRAME, packet.call, packet.deadline_ns, *where, *packet[4:])
    if isinstance(packet, Share):
        return _SHARE.pack(_KIND_SHARE, *packet)
    if isinstance(packet, Unshare):
        return _UNSHARE.pack(_KIND_UNSHARE, packet.memory)
    return _DESCRIBE.pack(_KIND_DESCRIBE, VERSION) + json.dumps(packet.description).encode()


def decode(data: bytes) -> Packet:
    """Return the packet in ``data``.

    :raises RingError: for an unknown kind, a wrong length, text that is not UTF-8 or another protocol version.
    """
    kind = data[0] if data else 0
    try:
        return _decode(kind, data)
    except (struct.error, ValueError, TypeError, RecursionError) as error:
        raise RingError("call packet of kind {} is malformed: {}".format(kind, error)) from error


def _decode(kind: int, data: bytes) -> Packet:
    if kind == _KIND_CALL:
        _, call, deadline = _HEAD.unpack_from(data)
        generation, slot = _SLOT.unpack_from(data, _HEAD.size)
        return Call(call, generation, slot, deadline, _decode_tensors(data[_HEAD.size + _SLOT.size :]))
    if kind == _KIND_ANSWER:
        _, call, extra = _HEAD.unpack_from(data)
        return Answer(call, extra, _decode_tensors(data[_HEAD.size :]))
    if kind == _KIND_FAULT:
        return Fault(_FAULT.unpack_from(data)[1], *_decode_reason(data, _FAULT.size))
    if kind == _KIND_REFUSED:
        return Refused(_REFUSED.unpack_from(data)[1], *_decode_reason(data, _REFUSED.size))
    if kind == _KIND_MEMORY:
        return Memory(*_MEMORY.unpack(data)[1:])
    if kind == _KIND_OPEN:
        _, version, *fields = _OPEN.unpack(data)
        _check_version(version)
        return Open(*fields)
    if kind == _KIND_CLOSE:
        return Close(_CLOSE.unpack(data)[1])
    if kind == _KIND_DESCRIBE:
        _check_version(_DESCRIBE.unpack_from(data)[1])
        inputs, outputs, frames = json.loads(data[_DESCRIBE.size :].decode())
        return Describe(Description(_specs(inputs), _specs(outputs), bool(frames)))
    if kind == _KIND_FRAME:
        _, call, deadline, generation, slot, *rest = _FRAME.unpack(data)
        return Frame(call, generation, slot, deadline, *rest)
    if kind == _KIND_SHARE:
        return Share(*_SHARE.unpack(data)[1:])
    if kind == _KIND_UNSHARE:
        return Unshare(_UNSHARE.unpack(data)[1])
    raise RingError("call packet of unknown kind {}".format(kind))


def _check_version(version: int) -> None:
    if version != VERSION:
        raise RingError("the other side speaks call protocol {}, expected {}".format(version, VERSION))


def _specs(entries: Any) -> Tuple[TensorSpec, ...]:
    specs: List[TensorSpec] = []
    for name, dtype, shape in entries:
        if dtype not in ITEM_BYTES:
            raise ValueError("unknown element type {!r}".format(dtype))
        specs.append(TensorSpec(str(name), dtype, tuple(d if isinstance(d, str) else int(d) for d in shape)))
    return tuple(specs)


def _encode_text(text: str) -> bytes:
    raw = text.encode("utf-8", "replace")
    return _LENGTH.pack(len(raw)) + raw


def _encode_reason(code: str, message: str) -> bytes:
    return _encode_text(code) + _encode_text(message[:MAX_MESSAGE_CHARACTERS])


@lru_cache(maxsize=64)
def _encode_tensors(tensors: Tuple[Placed, ...]) -> bytes:
    """Encode what is mostly the same from call to call."""
    if len(tensors) > MAX_TENSORS:
        raise RingError("{} tensors in one call, expected at most {}".format(len(tensors), MAX_TENSORS))
    parts = [_LENGTH.pack(len(tensors))]
    for name, dtype, shape, offset in tensors:
        parts.append(_encode_text(name))
        parts.append(_TENSOR.pack(_CODES[dtype], len(shape)))
        parts.append(struct.pack("<{}Q".format(len(shape) + 1), *shape, offset))
    return b"".join(parts)


def _decode_text(data: bytes, at: int) -> Tuple[str, int]:
    (length,) = _LENGTH.unpack_from(data, at)
    at += _LENGTH.size
    if at + length > len(data):
        raise ValueError("text runs past the end")
    return data[at : at + length].decode(), at + length


def _decode_reason(data: bytes, at: int) -> Tuple[str, str]:
    code, at = _decode_text(data, at)
    message, at = _decode_text(data, at)
    _check_end(data, at)
    return code, message


def decode_tensors(tail: bytes) -> Tuple[Placed, ...]:
    """Return the tensors of a Call or an Answer, given its bytes after the head.

    :raises RingError: when they are malformed.
    """
    try:
        return _decode_tensors(tail)
    except (struct.error, ValueError) as error:
        raise RingError("the tensors of a call packet are malformed: {}".format(error)) from error


def decode_rest(rest: bytes) -> Call:
    """Return a Call of number 0, given its bytes after the head.

    :raises RingError: when they are malformed.
    """
    call = decode(call_head(0, 0) + rest)
    assert isinstance(call, Call)  # noqa: S101
    return call


def _decode_tensors(tail: bytes) -> Tuple[Placed, ...]:
    # Mostly the same from call to call; what a stranger makes large is not kept.
    return _decode_usual(tail) if len(tail) <= _USUAL_BYTES else _decode_placed(tail)


def _decode_placed(data: bytes) -> Tuple[Placed, ...]:
    at = 0
    (count,) = _LENGTH.unpack_from(data, at)
    at += _LENGTH.size
    if count > MAX_TENSORS:
        raise ValueError("{} tensors, expected at most {}".format(count, MAX_TENSORS))
    tensors: List[Placed] = []
    for _ in range(count):
        name, at = _decode_text(data, at)
        code, dimensions = _TENSOR.unpack_from(data, at)
        if code >= len(DTYPES) or dimensions > MAX_DIMENSIONS:
            raise ValueError("element type {} with {} dimensions".format(code, dimensions))
        numbers = struct.unpack_from("<{}Q".format(dimensions + 1), data, at + _TENSOR.size)
        at += _TENSOR.size + 8 * (dimensions + 1)
        tensors.append(Placed(name, DTYPES[code], numbers[:-1], numbers[-1]))
    _check_end(data, at)
    return tuple(tensors)


_decode_usual = lru_cache(maxsize=64)(_decode_placed)


def _check_end(data: bytes, at: int) -> None:
    if at != len(data):
        raise ValueError("{} bytes too many".format(len(data) - at))
