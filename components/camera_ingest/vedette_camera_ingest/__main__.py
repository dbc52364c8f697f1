"""``python -m vedette_camera_ingest``: the component's main process; the work folder is the current one."""

import sys
import threading
from pathlib import Path

from vedette.bus import Bus, NotFound
from vedette.bus.component import ComponentFailed, run_component
from vedette_camera_ingest.configuration import ConfigurationError, IngestConfiguration, read
from vedette_camera_ingest.ingest import CameraIngest


def serve(bus: Bus, stop: threading.Event) -> None:
    """Serve cameras until stop is set.

    :raises ComponentFailed: when the configuration is wrong.
    """
    try:
        configuration = read(bus.get_configuration())
    except NotFound:
        configuration = IngestConfiguration()
    except ConfigurationError as error:
        raise ComponentFailed(str(error)) from error
    CameraIngest(
        bus,
        Path.cwd(),
        stop,
        hardware=configuration.hardware_decoding == "auto",
        linger_s=configuration.main_stream_linger_s,
    ).run()


if __name__ == "__main__":
    sys.exit(run_component(serve, name="vedette.CameraIngest"))
