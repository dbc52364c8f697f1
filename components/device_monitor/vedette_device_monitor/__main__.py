"""``python -m vedette_device_monitor``."""

from vedette.bus.component import run_component
from vedette_device_monitor.main import main

if __name__ == "__main__":
    raise SystemExit(run_component(main, name="vedette.DeviceMonitor"))
