"""``python -m vedette_camera_ingest``: the component's main process; the work folder is the current one."""

import sys
import threading
from pathlib import Path

from vedette.bus import Bus
from vedette.bus.component import run_component
from vedette_camera_ingest.ingest import CameraIngest


def serve(bus: Bus, stop: threading.Event) -> None:
    """Serve cameras until stop is set."""
    CameraIngest(bus, Path.cwd(), stop).run()


if __name__ == "__main__":
    sys.exit(run_component(serve, name="vedette.CameraIngest"))
