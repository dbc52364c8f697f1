"""One object of S3 as a file here."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from vedette.cloud.access import Cloud
from vedette.cloud.errors import CloudError, InvalidRequestError, UnreachableError

_URI: Final = re.compile(r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/(?P<key>.+)")
_CHUNK: Final = 1 << 20


def fetch_object(uri: str, folder: Path, cloud: Cloud | None = None) -> Path:
    """Write the object to ``folder`` under the last part of its key; return where it is. It is read in pieces.

    :raises CloudError: if the address is none of an object, or AWS does not give it
    """
    match = _URI.fullmatch(uri)
    name = Path(match["key"]).name if match is not None else ""
    if match is None or name in {"", ".."}:
        raise InvalidRequestError(f"`{uri[:200]}` is no address of an object", hint="expected s3://BUCKET/KEY")
    answer = (cloud or Cloud()).call("s3", "get_object", Bucket=match["bucket"], Key=match["key"])
    target = folder / name
    chunks = answer["Body"].iter_chunks(_CHUNK)
    try:
        with target.open("wb") as file:
            while chunk := _next(chunks, uri):
                file.write(chunk)
    except OSError as error:
        raise CloudError(f"{target} cannot be written: {error.strerror}") from error
    return target


def _next(chunks: Iterator[bytes], uri: str) -> bytes:
    try:
        return next(chunks, b"")
    except Exception as error:  # botocore's and urllib3's, which only this edge knows
        raise UnreachableError(f"{uri} broke off: {type(error).__name__}", hint="run the same command again") from error
