"""AWS's sample application's requirements, from PyPI as it is now; skipped where PyPI cannot be reached."""

import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from vedette_app_runtime.environments import prepare


def _pypi_answers() -> bool:
    request = urllib.request.Request("https://pypi.org/simple/jmespath/", method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


@pytest.mark.skipif(not _pypi_answers(), reason="needs PyPI, which cannot be reached from here")
def test_the_samples_opencv_imports_beside_a_numpy_of_its_time(tmp_path: Path) -> None:
    # GIVEN the requirements of aws-panorama-sample, which resolve to a broken cv2 as of today
    sources = tmp_path / "application/panorama"
    sources.mkdir(parents=True)
    (sources / "requirements.txt").write_text("boto3==1.24.*\nopencv-python==4.6.*\n")
    (sources / "application.py").write_text("import boto3\nimport cv2\nimport numpy\nimport panoramasdk\n")
    # WHEN its environment is prepared
    environment = prepare(tmp_path / "application", tmp_path / "cache", progress=lambda _: None)
    # THEN cv2 works in it, on an array
    program = "import cv2, numpy, boto3; print(cv2.resize(numpy.zeros((4, 4, 3), numpy.uint8), (2, 2)).shape)"
    answer = subprocess.run([str(environment.python), "-c", program], capture_output=True, text=True, check=False)
    assert answer.stdout.strip() == "(2, 2, 3)", answer.stderr
    assert "boto3 1.24" in environment.summary
