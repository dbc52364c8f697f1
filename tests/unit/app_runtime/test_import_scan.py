"""Which imports of an application must work before it is started."""

from pathlib import Path

from vedette_app_runtime.environments.imports import scan


def _write(tmp_path: Path, **files: str) -> Path:
    for name, text in files.items():
        path = tmp_path / (name.replace("__", "/") + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_libraries_are_found_with_the_place_of_their_first_import(tmp_path: Path) -> None:
    sources = _write(
        tmp_path, app="import json\nimport cv2, boto3\nfrom botocore.exceptions import ClientError\nimport cv2\n"
    )
    assert scan(sources).modules == {
        "cv2": "app.py line 2",
        "boto3": "app.py line 2",
        "botocore.exceptions": "app.py line 3",
    }


def test_what_the_application_can_do_without_is_left_out(tmp_path: Path) -> None:
    sources = _write(
        tmp_path,
        app="""
try:
    import tensorrt
except ImportError:
    tensorrt = None
if __name__ == "__main__":
    import argcomplete
def later():
    import matplotlib
""",
    )
    assert scan(sources).modules == {}


def test_its_own_modules_the_sdk_and_the_standard_library_are_no_libraries(tmp_path: Path) -> None:
    sources = _write(
        tmp_path,
        app="import panoramasdk, tracker\nfrom lib.draw import box\nfrom . import near\nimport os.path, json.decoder\n",
        tracker="",
        lib__draw="import scipy.spatial\n",
    )
    assert scan(sources).modules == {"scipy.spatial": "lib/draw.py line 1"}


def test_modules_gone_from_newer_pythons_are_tried(tmp_path: Path) -> None:
    assert "distutils.util" in scan(_write(tmp_path, app="from distutils.util import strtobool\n")).modules


def test_a_file_of_python_2_is_said_and_not_fatal(tmp_path: Path) -> None:
    found = scan(_write(tmp_path, old="print 'hello'\n", app="import cv2\n"))
    assert list(found.modules) == ["cv2"]
    assert found.ignored == ["old.py is not readable as Python 3: its imports were not looked at"]


def test_what_libraries_took_out_goes_unnoticed_or_is_seen_everywhere(tmp_path: Path) -> None:
    sources = _write(
        tmp_path,
        app="import cv2\ndef sent(image):\n    return cv2.imencode('.png', image)[1].tostring()\n",
        feed="import xml.etree.ElementTree as ET\ntext = ET.tostring(ET.Element('a'))\nspan = [1].count(1)\n",
        who="import boto3\ns3, own = boto3.client('s3'), boto3.client('panorama')\n",
    )
    assert scan(sources).outdated == {"tostring": "app.py line 3", "panorama": "who.py line 2"}
