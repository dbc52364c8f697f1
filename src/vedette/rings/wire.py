"""Packets between writer and readers. A codec: no I/O.

Each SOCK_SEQPACKET packet is one message, little-endian, its first byte the kind.

| kind | from | fields |
|---|---|---|
| 1 MEMORY | writer | generation u32, slots u32, slot bytes u64; the memory's descriptor comes with it |
| 2 FRAME | writer | generation u32, slot u32, sequence u64, capture wall i64, monotonic i64, width, height u32,
format u8, bytes u64; the rest is metadata |
| 16 HELLO | reader | protocol version u8, credit u32 |
| 17 RELEASE | reader | generation u32, slot u32, sequence u64 |
"""

import struct
from typing import NamedTuple, Union

from .errors import RingError
from .frame import FrameHeader

VERSION = 1
MAX_META_BYTES = 32 * 1024
MAX_PACKET_BYTES = MAX_META_BYTES + 128

_MEMORY = struct.Struct("<BIIQ")
_FRAME = struct.Struct("<BIIQqqIIBQ")
_HELLO = struct.Struct("<BBI")
_RELEASE = struct.Struct("<BIIQ")

_KIND_MEMORY, _KIND_FRAME, _KIND_HELLO, _KIND_RELEASE = 1, 2, 16, 17


class Memory(NamedTuple):
    """A new generation of slots; the descriptor travels beside it."""

    generation: int
    slots: int
    slot_bytes: int


class Frame(NamedTuple):
    """A lease on a slot."""

    generation: int
    slot: int
    header: FrameHeader
    nbytes: int
    meta: bytes


class Hello(NamedTuple):
    """A reader says how many leases it wants to hold at once."""

    credit: int


class Release(NamedTuple):
    """A reader gives a lease back."""

    generation: int
    slot: int
    sequence: int


Packet = Union[Memory, Frame, Hello, Release]


def encode(packet: Packet) -> bytes:
    """Return the packet's bytes."""
    if isinstance(packet, Frame):
        generation, slot, header, nbytes, meta = packet
        return _FRAME.pack(_KIND_FRAME, generation, slot, *header, nbytes) + meta
    if isinstance(packet, Release):
        return _RELEASE.pack(_KIND_RELEASE, *packet)
    if isinstance(packet, Memory):
        return _MEMORY.pack(_KIND_MEMORY, *packet)
    return _HELLO.pack(_KIND_HELLO, VERSION, packet.credit)


def decode(data: bytes) -> Packet:
    """Return the packet in ``data``.

    :raises RingError: for an unknown kind, a wrong length or another protocol version.
    """
    kind = data[0] if data else 0
    try:
        if kind == _KIND_FRAME:
            fields = _FRAME.unpack_from(data)
            return Frame(fields[1], fields[2], FrameHeader(*fields[3:9]), fields[9], data[_FRAME.size :])
        if kind == _KIND_RELEASE:
            return Release(*_RELEASE.unpack(data)[1:])
        if kind == _KIND_MEMORY:
            return Memory(*_MEMORY.unpack(data)[1:])
        if kind == _KIND_HELLO:
            _, version, credit = _HELLO.unpack(data)
            if version != VERSION:
                raise RingError("the reader speaks ring protocol {}, expected {}".format(version, VERSION))
            return Hello(credit)
    except struct.error as error:
        raise RingError("packet of kind {} has a wrong length of {} bytes".format(kind, len(data))) from error
    raise RingError("packet of unknown kind {}".format(kind))
