"""Frames between processes: leases on shared memory, handed over Unix sockets.

The owner of a ring (one per camera, one per application output) writes a frame into a slot and sends each reader a
small packet that names the slot. The packet is a lease: the slot is not written again until the reader answers or its
socket closes, which the kernel sees to for a process that dies. A reader with its credit used gets nothing until it
releases, then the newest frame; the writer never waits. The design and its measurements: docs/design/architecture.md.

Standard library and Python 3.7 only, relative imports only: ``panoramasdk`` carries this package into applications.
"""

from .endpoint import ANY_UID, connect, listen
from .errors import RingClosed, RingError
from .frame import BGR24, I420, FrameHeader, frame_bytes
from .memory import create_memory, map_read_only, map_writable, seal
from .reader import Lease, RingMemory, RingReader
from .writer import RingStats, RingWriter, Slot

__all__ = [
    "ANY_UID",
    "BGR24",
    "I420",
    "FrameHeader",
    "Lease",
    "RingClosed",
    "RingError",
    "RingMemory",
    "RingReader",
    "RingStats",
    "RingWriter",
    "Slot",
    "connect",
    "create_memory",
    "frame_bytes",
    "listen",
    "map_read_only",
    "map_writable",
    "seal",
]
