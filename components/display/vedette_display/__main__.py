"""``python -m vedette_display``: run by the nucleus."""

from vedette.bus.component import run_component
from vedette_display.main import main

if __name__ == "__main__":
    raise SystemExit(run_component(main, name="vedette.Display"))
