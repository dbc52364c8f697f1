"""Real pictures for the comparison: frames of the street scene that comes with the examples."""

from pathlib import Path

import numpy as np

from vedette.resources import ResourceError, examples_dir

_FRAMES = (60, 300)


def write_pictures(target: Path) -> bool:
    """Write two frames as (2, H, W, 3) uint8 RGB; False where the examples are not installed."""
    import av

    try:
        video = examples_dir() / "media" / "street.mp4"
        with av.open(str(video)) as container:
            wanted = []
            for number, frame in enumerate(container.decode(video=0)):
                if number in _FRAMES:
                    wanted.append(frame.to_ndarray(format="rgb24"))
                if number >= max(_FRAMES):
                    break
    except (ResourceError, OSError, av.FFmpegError):
        return False
    if not wanted:
        return False
    np.save(target, np.stack(wanted))
    return True
