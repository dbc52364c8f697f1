"""What people type after --sub, and what known cameras say of their small streams."""

from pathlib import Path

import pytest

from vedette.cli.arguments import Cameras, known_secrets, read_cameras, registered_sources
from vedette.cli.failure import Failure
from vedette.cli.substreams import with_substreams
from vedette.messages import CameraDemand, CameraSource

MAIN, SMALL = "rtsp://10.0.0.1/main", "rtsp://10.0.0.1/sub"


def cameras(*values: str, **credentials: tuple[str, str]) -> Cameras:
    return read_cameras(values, credentials, known={})


def test_the_address_of_the_main_stream_is_taken_for_applications() -> None:
    given = with_substreams(cameras(f"cam={MAIN}"), [f"cam={SMALL}"], {})
    (source,) = given.sources["cam"]
    assert (source.url, source.sub, source.sub_missing) == (MAIN, SMALL, None)


def test_the_login_is_asked_for_twice_or_kept_in_the_address() -> None:
    url, small = "rtsp://viewer@10.0.0.1/main", "rtsp://viewer@10.0.0.1/sub"
    hidden = {url: ("viewer", "s3cret"), small: ("viewer", "s3cret")}
    for sub in (SMALL, small):
        given = with_substreams(read_cameras([f"cam={url}"], hidden, known={}), [f"cam={sub}"], hidden)
        (source,) = given.sources["cam"]
        assert source.sub == SMALL
        assert given.secrets[source.secret or ""] == {
            "Username": "viewer", "Password": "s3cret", "StreamUrl": MAIN, "SubStreamUrl": SMALL,
        }  # fmt: skip
        assert "s3cret" not in repr(given)


def test_a_login_beside_the_small_stream_alone_is_lost() -> None:
    given = with_substreams(cameras(f"cam={MAIN}"), ["cam=rtsp://viewer:pw@10.0.0.1/sub"], {})
    (source,) = given.sources["cam"]
    assert given.secrets[source.secret or ""]["Username"] == "viewer"
    assert given.secrets[source.secret or ""]["StreamUrl"] == MAIN


def test_two_logins_of_one_camera_are_mixed_up() -> None:
    with pytest.raises(Failure, match="another login") as caught:
        with_substreams(cameras("cam=rtsp://a:1@h/m"), ["cam=rtsp://b:2@h/s"], {})
    assert caught.value.exit_code == 2


def test_one_of_several_cameras_is_given_the_small_stream_of_another() -> None:
    given = with_substreams(cameras("cam=rtsp://a/1", "cam=rtsp://b/1"), ["cam-2=rtsp://b/2"], {})
    assert [source.sub for source in given.sources["cam"]] == [None, "rtsp://b/2"]


@pytest.mark.parametrize("value", ["lobby=rtsp://a/2", "cam=nothing.mp4", "cam=ftp://a/2", "cam"])
def test_nonsense_is_taken_for_a_small_stream(value: str) -> None:
    with pytest.raises(Failure) as caught:
        with_substreams(cameras(f"cam={MAIN}"), [value], {})
    assert caught.value.exit_code == 2


def test_a_wish_for_what_is_missing_makes_another_camera_of_one_without_a_small_stream(tmp_path: Path) -> None:
    (tmp_path / "small.mp4").write_bytes(b"x")
    given = cameras(f"cam={MAIN}", f"yard={MAIN}")
    told = with_substreams(given, [f"cam={tmp_path / 'small.mp4'}"], {}, missing="main")
    assert told.sources["cam"][0].sub_missing == "main"
    assert told.sources["yard"] == given.sources["yard"]
    with pytest.raises(Failure, match="takes wait or main"):
        with_substreams(given, [], {}, missing="never")


def test_a_known_camera_loses_its_small_stream_on_the_way_to_a_run() -> None:
    known = {"yard": {"Username": "u", "Password": "p", "StreamUrl": MAIN, "SubStreamUrl": SMALL, "SubMissing": "main"}}
    (source,) = read_cameras(["cam=yard"], {}, known=known).sources["cam"]
    assert (source.sub, source.sub_missing) == (SMALL, "main")
    assert registered_sources(known)["yard"] == source
    assert known_secrets(known, ["yard"])["yard"] == {
        "Username": "u", "Password": "p", "StreamUrl": MAIN, "SubStreamUrl": SMALL,
    }  # fmt: skip


def test_cameras_of_before_there_were_small_streams_get_another_name() -> None:
    # Their id is in sockets, shadows and statuses of devices that are not updated at once.
    assert CameraSource(name="dock", url="rtsp://10.0.0.21/s").camera_id == "dock-7e7412b4"
    with_small = CameraSource(name="dock", url="rtsp://10.0.0.21/s", sub="rtsp://10.0.0.21/t")
    assert with_small.camera_id != "dock-7e7412b4"


def test_what_older_components_do_not_know_is_told_of_cameras_without_a_small_stream() -> None:
    demand = CameraDemand(source=CameraSource(name="dock", url="rtsp://10.0.0.21/s"), instance="a", node="b")
    assert b"sub" not in demand.encode()
