"""Anonymous shared memory that disappears with its last user: memfd, sealed.

Sealing matters because the two sides do not trust each other: a writer that shrinks the file would kill its readers
with SIGBUS, and a reader that maps it writable would draw on frames other applications see.
"""

import ctypes
import fcntl
import mmap
import os

from .errors import RingError

_MFD_CLOEXEC = 0x0001
_MFD_ALLOW_SEALING = 0x0002
_F_ADD_SEALS = 1033
_F_GET_SEALS = 1034
_F_SEAL_SEAL = 0x0001
_F_SEAL_SHRINK = 0x0002
_F_SEAL_GROW = 0x0004
_F_SEAL_FUTURE_WRITE = 0x0010


def _memfd_create(name: str) -> int:
    flags = _MFD_CLOEXEC | _MFD_ALLOW_SEALING
    create = getattr(os, "memfd_create", None)
    if create is not None:
        return int(create(name, flags))
    # Python 3.7 has no os.memfd_create; glibc has had it since 2.27 (Ubuntu 18.04, Panorama's own base).
    libc = ctypes.CDLL(None, use_errno=True)
    fd = int(libc.memfd_create(name.encode(), ctypes.c_uint(flags)))
    if fd < 0:
        raise OSError(ctypes.get_errno(), "memfd_create failed")
    return fd


def create_memory(size: int, name: str = "vedette") -> int:
    """Return a descriptor of ``size`` zeroed bytes that cannot shrink or grow any more.

    :raises RingError: when the system has no memory left or no memfd.
    """
    try:
        fd = _memfd_create(name)
        try:
            os.ftruncate(fd, size)
            fcntl.fcntl(fd, _F_ADD_SEALS, _F_SEAL_SHRINK | _F_SEAL_GROW)
        except OSError:
            os.close(fd)
            raise
    except OSError as error:
        raise RingError("cannot make {} bytes of shared memory: {}".format(size, error.strerror)) from error
    return fd


def map_writable(fd: int, size: int) -> mmap.mmap:
    """Map the memory for reading and writing."""
    return mmap.mmap(fd, size, flags=mmap.MAP_SHARED, prot=mmap.PROT_READ | mmap.PROT_WRITE)


def seal(fd: int) -> bool:
    """Forbid every later writable mapping; the one that exists keeps working. Tell whether the kernel could.

    Kernels before 5.1 do not know that seal; there the sandbox alone keeps applications from one another's frames.
    """
    try:
        fcntl.fcntl(fd, _F_ADD_SEALS, _F_SEAL_FUTURE_WRITE | _F_SEAL_SEAL)
    except OSError:
        fcntl.fcntl(fd, _F_ADD_SEALS, _F_SEAL_SEAL)
        return False
    return True


def map_read_only(fd: int, size: int) -> mmap.mmap:
    """Map memory received from another process for reading.

    :raises RingError: when it is smaller than said, or its owner could still shrink it.
    """
    try:
        if os.fstat(fd).st_size < size:
            raise RingError("shared memory holds {} bytes, expected {}".format(os.fstat(fd).st_size, size))
        if not fcntl.fcntl(fd, _F_GET_SEALS) & _F_SEAL_SHRINK:
            raise RingError("shared memory is not sealed against shrinking")
        return mmap.mmap(fd, size, flags=mmap.MAP_SHARED, prot=mmap.PROT_READ)
    except (OSError, ValueError) as error:
        raise RingError("cannot map {} bytes of shared memory: {}".format(size, error)) from error
