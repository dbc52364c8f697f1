"""Reads a camera's coded pictures."""

from collections.abc import Iterator
from typing import Final

from vedette.coded_video.wire import PIECE_BYTES, Coded, read_head
from vedette.rings import RingError, connect

_WITHIN_S: Final = 5.0
"""A picture that has begun is there whole within this."""


class CodedVideoError(Exception):
    """The worker is gone, or does not send what it should."""


class CodedReader:
    """One connection to a worker; a context manager. Not thread-safe."""

    def __init__(self, path: str) -> None:
        """Connect.

        :raises CodedVideoError: when nobody listens at ``path``
        """
        try:
            self._sock = connect(path)
        except RingError as error:
            raise CodedVideoError(str(error)) from error

    def __enter__(self) -> "CodedReader":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def receive(self, timeout_s: float) -> Coded | None:
        """Return the next picture; None when none begins in time.

        :raises CodedVideoError: when the worker is gone
        """
        try:
            self._sock.settimeout(timeout_s)
            try:
                head = self._sock.recv(PIECE_BYTES)
            except TimeoutError:
                return None
            if not head:
                raise CodedVideoError("the camera's worker has ended")
            picture, size = read_head(head)
            return picture._replace(data=b"".join(self._pieces(size)))
        except ValueError as error:
            raise CodedVideoError(str(error)) from None
        except OSError as error:
            raise CodedVideoError(f"the camera's worker is gone: {error.strerror or 'time-out'}") from error

    def close(self) -> None:
        """Close the connection."""
        self._sock.close()

    def _pieces(self, size: int) -> Iterator[bytes]:
        self._sock.settimeout(_WITHIN_S)
        while size > 0:
            piece = self._sock.recv(PIECE_BYTES)
            if not piece or len(piece) > size:
                raise CodedVideoError("a picture breaks off")
            size -= len(piece)
            yield piece
