"""put(): what it takes, what comes out at a reader, and what it costs when nobody looks."""

import json
from typing import Any

import numpy as np
import panoramasdk
import pytest
from vedette_app_runtime import protocol

from vedette.rings import BGR24, I420

from .conftest import HEIGHT, WIDTH, Host, grey, writer_of


def one_media(host: Host) -> Any:
    node, [camera] = host.started("door")
    camera.show(1)
    [media] = node.inputs.video_in.get(timeout=20)
    return node, camera, media


def opened(host: Host) -> Any:
    """Return node, camera, and a reader of what is put for it."""
    node, camera, media = one_media(host)
    node.outputs.video_out.put(media)  # the first put asks for the socket
    reader = host.look("video_out", "door")
    assert writer_of(node, "door").wait_for_reader(5)
    return node, camera, reader


@pytest.mark.parametrize("wrap", [lambda m: [m], lambda m: (m,), lambda m: m], ids=["list", "tuple", "media"])
def test_put_refuses_what_applications_pass(host: Host, wrap: Any) -> None:
    node, camera, reader = opened(host)
    camera.show(2)
    [media] = node.inputs.video_in.get(timeout=20)
    assert node.outputs.video_out.put(wrap(media)) is None
    assert reader.receive(5).header.capture_wall_ns == 2_000_007_000


@pytest.mark.parametrize("nothing", [[], ()])
def test_an_empty_list_is_put(host: Host, nothing: Any) -> None:
    node, _, _ = one_media(host)
    with pytest.raises(ValueError, match="empty list of media"):
        node.outputs.video_out.put(nothing)


@pytest.mark.parametrize("wrong", [None, 7, "frame", np.zeros((4, 4, 3)), {"a": 1}, [1], [None]])
def test_something_else_is_put(host: Host, wrong: Any) -> None:
    node, _, _ = one_media(host)
    with pytest.raises(TypeError, match=r"put\(\) on 'video_out' takes"):
        node.outputs.video_out.put(wrong)


def test_an_output_without_an_edge_complains(host: Host) -> None:
    host.outputs = {"video_out": False}
    node, _, media = one_media(host)
    node.outputs.video_out.put([media])
    report = host.said(lambda p: isinstance(p, protocol.Report) and p.puts == 1)
    assert report.outputs == []
    assert not [packet for packet in host.heard if isinstance(packet, protocol.OutputWanted)]
    with pytest.raises(ValueError, match="empty"):
        node.outputs.video_out.put([])


def test_an_untouched_frame_is_converted(host: Host) -> None:
    node, camera, reader = opened(host)
    camera.show(2)
    [media] = node.inputs.video_in.get(timeout=20)
    node.outputs.video_out.put(media)
    lease = reader.receive(5)
    assert (lease.header.pixel_format, lease.header.width, lease.header.height) == (I420, WIDTH, HEIGHT)
    assert set(lease.buffer[: WIDTH * HEIGHT]) == {18}
    assert json.loads(lease.meta) == {"labels": [], "rects": []}


def test_an_untouched_frame_put_after_the_next_get_is_another_one(host: Host) -> None:
    node, camera, reader = opened(host)
    camera.show(2)
    [old] = node.inputs.video_in.get(timeout=20)
    for number in range(3, 9):
        camera.show(number)
        node.inputs.video_in.get(timeout=20)
    node.outputs.video_out.put(old)
    lease = reader.receive(5)
    assert set(lease.buffer[: WIDTH * HEIGHT]) == {18}


def test_what_was_drawn_on_a_frame_of_eight_gets_ago_is_lost(host: Host) -> None:
    node, camera, reader = opened(host)
    camera.show(2)
    [old] = node.inputs.video_in.get(timeout=20)
    image = old.image
    for number in range(3, 11):
        camera.show(number)
        node.inputs.video_in.get(timeout=20)
    image[0, 0] = (1, 2, 3)
    node.outputs.video_out.put([old])
    lease = reader.receive(5)
    pixels = np.frombuffer(lease.buffer, np.uint8).reshape(HEIGHT, WIDTH, 3)
    assert lease.header.pixel_format == BGR24
    assert tuple(pixels[0, 0]) == (1, 2, 3)
    assert (pixels[1:] == grey(2)).all()


def test_a_picture_of_another_size_does_not_come_out(host: Host) -> None:
    node, camera, reader = opened(host)
    camera.show(2)
    [media] = node.inputs.video_in.get(timeout=20)
    media.image = np.asfortranarray(np.full((10, 21, 3), 77, np.uint8))
    node.outputs.video_out.put(media)
    lease = reader.receive(5)
    assert (lease.header.width, lease.header.height, set(lease.buffer)) == (21, 10, {77})


def test_frames_are_copied_though_nobody_looks(host: Host) -> None:
    node, camera, media = one_media(host)
    for number in range(2, 6):
        node.outputs.video_out.put(media)
        camera.show(number)
        [media] = node.inputs.video_in.get(timeout=20)
    report = host.said(lambda p: isinstance(p, protocol.Report) and p.puts == 4)
    assert report.outputs == [["video_out", "door", 4, WIDTH, HEIGHT, 0]]
    assert writer_of(node, "door").stats.published == 0


def test_labels_get_lost(host: Host) -> None:
    node, camera, reader = opened(host)
    camera.show(2)
    [media] = node.inputs.video_in.get(timeout=20)
    media.add_label('Größe "1"\n', 0.125, 1)
    media.add_rect(0.1, 0.2, 0.3, 0.4)
    node.outputs.video_out.put(media)
    assert json.loads(reader.receive(5).meta) == {
        "labels": [['Größe "1"\n', 0.125, 1.0]],
        "rects": [[0.1, 0.2, 0.3, 0.4]],
    }


def test_more_labels_than_fit_stop_the_picture(host: Host) -> None:
    node, camera, reader = opened(host)
    camera.show(2)
    [media] = node.inputs.video_in.get(timeout=20)
    for _ in range(3000):
        media.add_label("somebody", 0.12345, 0.54321)
        media.add_rect(0.12345, 0.54321, 0.12345, 0.54321)
    node.outputs.video_out.put(media)
    lease = reader.receive(5)
    kept = json.loads(lease.meta)
    assert len(lease.meta) <= 32 * 1024
    assert len(kept["rects"]) > 700
    left_out = 6000 - len(kept["rects"]) - len(kept["labels"])
    assert host.said(lambda p: isinstance(p, protocol.Report) and p.outputs and p.outputs[0][5] == left_out)


def test_a_cached_frame_wipes_the_labels_of_the_one_before(host: Host) -> None:
    node, [a, b] = host.started("a", "b")
    for number in (1, 2, 3):
        a.show(number)
        b.show(number)
        streams = node.inputs.video_in.get(timeout=20)
        node.outputs.video_out.put(streams)
    reader = host.look("video_out", "a")
    a.show(4)
    while (streams := node.inputs.video_in.get(timeout=20))[0].is_cached:
        pass
    streams[0].add_label("seen", 0, 0)
    assert writer_of(node, "a").wait_for_reader(5)
    node.outputs.video_out.put(streams)
    assert b"seen" in reader.receive(5).meta
    b.show(4)
    streams = node.inputs.video_in.get(timeout=20)
    assert streams[0].is_cached
    node.outputs.video_out.put(streams)
    assert reader.receive(0.05) is None, "an untouched cached frame was shown again, without its label"
    streams[0].add_label("again", 0, 0)
    node.outputs.video_out.put(streams)
    assert b"again" in reader.receive(5).meta


def test_a_slow_viewer_stops_the_application(host: Host) -> None:
    node, camera, reader = opened(host)
    for number in range(2, 40):
        camera.show(number)
        node.outputs.video_out.put(node.inputs.video_in.get(timeout=20))
    leases = [reader.receive(5) for _ in range(4)]
    assert all(leases)
    assert panoramasdk.node().outputs.video_out is node.outputs.video_out


def test_wish_for_a_recording_is_lost_with_its_frame(host: Host) -> None:
    """A reader that misses the frame still hears of it with the next ones; then it is over."""
    node, camera, reader = opened(host)
    camera.show(2)
    [media] = node.inputs.video_in.get(timeout=20)
    media.record("fall", before=2, after=900)
    node.outputs.video_out.put(media)
    lease = reader.receive(5)
    clip = json.loads(lease.meta)["clip"]
    lease.release()
    assert (clip["reason"], clip["before"], clip["after"]) == ("fall", 2.0, 60.0)
    camera.show(3)
    [media] = node.inputs.video_in.get(timeout=20)
    node.outputs.video_out.put(media)
    lease = reader.receive(5)
    assert json.loads(lease.meta)["clip"]["id"] == clip["id"], "the same wish, not another"
    lease.release()
    node.outputs.video_out._sink("video_out", "door")._clip_at -= 10
    camera.show(4)
    [media] = node.inputs.video_in.get(timeout=20)
    node.outputs.video_out.put(media)
    assert "clip" not in json.loads(reader.receive(5).meta)
