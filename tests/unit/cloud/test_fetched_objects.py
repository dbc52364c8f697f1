"""Objects of S3 come whole, under their own names."""

import io
from pathlib import Path
from typing import Any, cast

import pytest

from vedette.cloud import Cloud, CloudError, NotFoundError
from vedette.cloud.objects import fetch_object


class Body(io.BytesIO):
    def iter_chunks(self, size: int) -> Any:
        while chunk := self.read(size):
            if chunk == b"broken":
                raise ConnectionResetError("the connection ended")
            yield chunk


class Bucket:
    """As much of a cloud as this needs."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.asked: list[Any] = []

    def call(self, service: str, operation: str, **arguments: Any) -> dict[str, Any]:
        self.asked.append((service, operation, arguments))
        if arguments["Key"] == "none.onnx":
            raise NotFoundError("s3 refused GetObject: NoSuchKey")
        return {"Body": Body(self.content)}


def fetch(uri: str, folder: Path, content: bytes = b"model") -> tuple[Path, list[Any]]:
    bucket = Bucket(content)
    return fetch_object(uri, folder, cast("Cloud", bucket)), bucket.asked


def test_an_object_is_not_fetched(tmp_path: Path) -> None:
    file, asked = fetch("s3://my-bucket/models/a b/net.onnx", tmp_path, b"x" * (3 << 20))
    assert file == tmp_path / "net.onnx"
    assert file.read_bytes() == b"x" * (3 << 20)
    assert asked == [("s3", "get_object", {"Bucket": "my-bucket", "Key": "models/a b/net.onnx"})]


@pytest.mark.parametrize("uri", ["s3://b/x", "s3://my-bucket", "s3://my-bucket/", "s3://my-bucket/..", "s3://../x"])
def test_an_address_that_is_none_is_asked_for(tmp_path: Path, uri: str) -> None:
    with pytest.raises(CloudError):
        fetch(uri, tmp_path)


def test_a_lost_object_is_a_traceback(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        fetch("s3://my-bucket/none.onnx", tmp_path)
    with pytest.raises(CloudError, match="broke off: ConnectionResetError"):
        fetch("s3://my-bucket/net.onnx", tmp_path, b"broken")
