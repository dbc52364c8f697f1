"""Motion JPEG over HTTP as cameras really send it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vedette_camera_ingest.http_answer import HttpError, split_head
from vedette_camera_ingest.multipart import MultipartError, MultipartReader

# With a thumbnail inside: an end of image that is not the end.
IMAGE = b"\xff\xd8\xff\xe1thumb\xff\xd8small\xff\xd9more\xff\xd9"


def read(data: bytes, cuts: list[int]) -> list[bytes]:
    reader, images, position = MultipartReader(), [], 0
    for end in [*sorted(cuts), len(data)]:
        reader.receive_data(data[position:end])
        position = max(position, end)
        while (image := reader.next_image()) is not None:
            images.append(image)
    return images


@pytest.mark.parametrize(
    "part",
    [
        b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(IMAGE) + IMAGE + b"\r\n",
        b"--frame\nContent-type: image/jpeg\nContent-length: %d\n\n" % len(IMAGE) + IMAGE + b"\n",
        b"--frame\r\nContent-Type: image/jpeg\r\n\r\n" + IMAGE + b"\r\n",
        b"----strange--\r\n\r\n\r\n" + IMAGE,
        b"\r\n--frame\r\nX-Timestamp: 1\r\nContent-Type: image/jpeg\r\n\r\n" + IMAGE,
    ],
)
@given(cuts=st.lists(st.integers(1, 600), max_size=6))
def test_an_image_is_lost_or_cut(part: bytes, cuts: list[int]) -> None:
    assert read(part * 4 + b"--frame\r\n", cuts) == [IMAGE] * 4


@given(st.binary(max_size=2000))
def test_garbage_ends_in_another_error(garbage: bytes) -> None:
    reader = MultipartReader()
    reader.receive_data(garbage)
    try:
        while reader.next_image() is not None:
            pass
    except MultipartError:
        pass


def test_memory_grows_without_end() -> None:
    reader = MultipartReader()
    with pytest.raises(MultipartError, match="no JPEG image"):
        for _ in range(100):
            reader.receive_data(b"x" * 1000)
            reader.next_image()
    reader = MultipartReader()
    with pytest.raises(MultipartError, match="over 16 MiB"):
        for _ in range(40):
            reader.receive_data(b"\xff\xd8" + b"x" * 1_000_000)
            reader.next_image()
    reader = MultipartReader()
    reader.receive_data(b"--f\r\nContent-Length: 999999999\r\n\r\n\xff\xd8")
    with pytest.raises(MultipartError, match="over 16 MiB"):
        reader.next_image()


@given(st.binary(max_size=200))
def test_head_of_garbage(garbage: bytes) -> None:
    try:
        assert split_head(garbage) is None or garbage.startswith(b"HTTP/")
    except HttpError:
        pass


def test_head_is_misread() -> None:
    assert split_head(b"HTTP/1.0 200 OK\r\nContent-Ty") is None
    split = split_head(b"HTTP/1.1 401 No\r\nWWW-Authenticate: A\r\nwww-authenticate: B\r\n\r\nrest")
    assert split is not None
    answer, rest = split
    assert (answer.code, answer.all("www-authenticate"), answer.first("x"), rest) == (401, ["A", "B"], "", b"rest")
    with pytest.raises(HttpError):
        split_head(b"HTTP/1.1 ok\r\n\r\n")
