"""CameraIngest in a process of its own, on a bus of that process, for benchmarks that measure it from outside."""

import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from vedette_camera_ingest.ingest import CameraIngest

from vedette.bus.memory import MemoryBroker, MemoryBus
from vedette.messages import REPEAT_S, CameraDemand, CameraStatus


def serve(
    demands: Sequence[CameraDemand], tell: Callable[[CameraStatus], str | None], work: str, *, hardware: bool = False
) -> None:
    """Run the component until standard input ends; prints the line that ``tell`` makes of a status, if any."""
    broker, stop = MemoryBroker(), threading.Event()
    host = MemoryBus(broker, "host")
    printing = threading.Lock()

    def hear(_topic: str, payload: bytes) -> None:
        with printing:
            line = tell(CameraStatus.model_validate_json(payload))
            if line is not None:
                sys.stdout.write(line + "\n")
                sys.stdout.flush()

    def want() -> None:
        while not stop.is_set():
            for demand in demands:
                host.publish(CameraDemand.topic(demand.source.camera_id), demand.encode())
            stop.wait(REPEAT_S)

    def end() -> None:
        sys.stdin.read()
        stop.set()

    host.subscribe(CameraStatus.topic("+"), hear)
    for work_of in (want, end):
        threading.Thread(target=work_of, daemon=True).start()
    CameraIngest(MemoryBus(broker, "vedette.CameraIngest"), Path(work), stop, hardware=hardware).run()
