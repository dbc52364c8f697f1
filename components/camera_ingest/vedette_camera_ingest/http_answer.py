"""The head of an HTTP answer. A codec: no I/O."""

from dataclasses import dataclass
from typing import Final

MAX_HEAD_BYTES: Final = 32 * 1024


class HttpError(ValueError):
    """What has come is no answer of HTTP."""


@dataclass(frozen=True)
class Answer:
    """Status and headers, names in lower case."""

    code: int
    headers: tuple[tuple[str, str], ...]

    def all(self, name: str) -> list[str]:
        """Return every value of a header."""
        return [value for key, value in self.headers if key == name]

    def first(self, name: str) -> str:
        """Return the first value of a header, empty when there is none."""
        return next(iter(self.all(name)), "")


def split_head(data: bytes) -> tuple[Answer, bytes] | None:
    """Return an answer and what stands behind its head, or None when more bytes are needed.

    :raises HttpError: when it is none.
    """
    expected = b"HTTP/"
    if data[: len(expected)] != expected[: len(data)]:
        raise HttpError("the answer does not begin with HTTP/")
    end = data.find(b"\r\n\r\n")
    if end < 0:
        if len(data) > MAX_HEAD_BYTES:
            raise HttpError(f"the head of the answer is over {MAX_HEAD_BYTES} bytes")
        return None
    lines = data[:end].decode("latin-1").split("\r\n")
    words = lines[0].split(" ", 2)
    if len(words) < 2 or len(words[1]) != 3 or not words[1].isdigit():
        raise HttpError("the first line of the answer is not one of HTTP")
    headers = (line.partition(":") for line in lines[1:])
    return (
        Answer(int(words[1]), tuple((name.strip().lower(), value.strip()) for name, _, value in headers)),
        data[end + 4 :],
    )
