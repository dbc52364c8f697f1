"""Nothing leaves a device but what its owner sends: onnxruntime's reports to Microsoft are off."""

import os
from pathlib import Path

from vedette_app_runtime.environments import Environment
from vedette_app_runtime.sandbox.spec import base_environment

import vedette

ROOT = Path(__file__).parents[2]


def test_onnxruntime_reports_its_use_to_microsoft() -> None:
    assert vedette.__version__
    assert os.environ["ORT_DISABLE_TELEMETRY"] == "1"
    # A module that loads onnxruntime without the package before it would begin to report.
    loading = [path for part in ("src", "components") for path in (ROOT / part).rglob("*.py")]
    loading = [path for path in loading if "import onnxruntime" in path.read_text()]
    assert loading
    assert all("vedette" in path.parts or "from vedette" in path.read_text() for path in loading)


def test_an_applications_onnxruntime_reports_its_use() -> None:
    environment = Environment.__new__(Environment)
    object.__setattr__(environment, "root", Path("/"))
    assert base_environment(environment)["ORT_DISABLE_TELEMETRY"] == "1"
