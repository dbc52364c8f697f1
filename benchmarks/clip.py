"""Makes the 1080p clip that the benchmarks read: the bundled street scene in 1080p, H.264, key frames 2 s apart."""

from fractions import Fraction
from pathlib import Path

import av

STREET = Path(__file__).parents[1] / "examples" / "media" / "street.mp4"


def make_1080p(target: Path, *, frames: int = 500, fps: int = 25) -> Path:
    """Write ``frames`` pictures of 1920x1080 to ``target`` unless it is there; about 10 s per 250 on one core."""
    if target.exists():
        return target
    unfinished = target.with_suffix(".part.mp4")
    with av.open(str(STREET)) as source, av.open(str(unfinished), "w") as sink:
        stream = sink.add_stream("libx264", rate=fps)
        stream.width, stream.height, stream.pix_fmt = 1920, 1080, "yuv420p"
        stream.bit_rate = 4_000_000
        stream.options = {"preset": "veryfast", "profile": "main", "g": str(2 * fps), "bf": "0"}
        for index, frame in enumerate(source.decode(video=0)):
            if index == frames:
                break
            scaled = frame.reformat(1920, 1080, "yuv420p")
            scaled.pts, scaled.time_base = index, Fraction(1, fps)
            sink.mux(stream.encode(scaled))
        sink.mux(stream.encode(None))
    unfinished.rename(target)
    return target


def repeat(source: Path, target: Path, times: int) -> Path:
    """Write ``source`` ``times`` over to ``target``, unless it is there: long enough to be read fast and once."""
    if target.exists():
        return target
    unfinished = target.with_suffix(".part.mp4")
    with av.open(str(unfinished), "w") as sink:
        stream, offset = None, 0
        for _ in range(times):
            with av.open(str(source)) as container:
                video = container.streams.video[0]
                if stream is None:
                    stream = sink.add_stream_from_template(video)
                end = offset
                for packet in container.demux(video):
                    if packet.dts is None or packet.pts is None:
                        continue
                    packet.pts += offset
                    packet.dts += offset
                    end = max(end, packet.pts + (packet.duration or 0))
                    packet.stream = stream
                    sink.mux(packet)
                offset = end
    unfinished.rename(target)
    return target
