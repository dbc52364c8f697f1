"""``python -m vedette_model_inference``: the component's process."""

from vedette.bus.component import run_component
from vedette_model_inference.main import main

if __name__ == "__main__":
    raise SystemExit(run_component(main, name="vedette.ModelInference"))
