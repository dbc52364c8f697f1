"""A host as a process of its own, on a bus in memory: ``host_process.py APPLICATION WORK``; prints its statuses."""

import json
import sys
import threading
from pathlib import Path

from vedette_app_runtime.environments import Environment
from vedette_app_runtime.host import Host
from vedette_app_runtime.install import read_manifest

from vedette.bus.memory import MemoryBroker, MemoryBus
from vedette.messages import ApplicationStatus

application, work = Path(sys.argv[1]), Path(sys.argv[2])
prefix = Path(sys.prefix)
environment = Environment(prefix / "bin/python", prefix / "bin", (prefix, Path(sys.base_prefix)), "the tests' own")
broker = MemoryBroker()
configuration = json.loads((application.parent / "configuration.json").read_text())
bus = MemoryBus(broker, "host", configuration=configuration)
probe = MemoryBus(broker, "probe")


def tell(_topic: str, payload: bytes) -> None:
    """Print a status."""
    sys.stdout.write(payload.decode() + "\n")
    sys.stdout.flush()


probe.subscribe(ApplicationStatus.topic("+"), tell)
Host(bus, read_manifest(application), application, work, prepare=lambda _progress, _stop: environment).run(
    threading.Event()
)
