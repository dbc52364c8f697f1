"""Processes that an application starts in every other way than by a fork use panoramasdk as well."""

import pytest

from .conftest import Rig

CHILD = """
import json, panoramasdk

def main():
    node = panoramasdk.node()
    shape = node.inputs.video_in.get(timeout=30)[0].image.shape
    print(json.dumps({"child": [list(shape), node.inputs.threshold.get()]}), flush=True)

if __name__ == "__main__":
    main()
"""
WAYS = {
    "subprocess": "subprocess.run([sys.executable, '/panorama/child.py'], check=True)",
    "shell": "subprocess.run('python3 /panorama/child.py; true', shell=True, check=True)",
    "spawn": "p = multiprocessing.get_context('spawn').Process(target=child.main); p.start(); p.join()",
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_process_with_its_descriptors_closed_finds_no_host(rig: Rig, way: str) -> None:
    rig.camera("door").start()
    rig.parameter("threshold", "float32", 20)
    rig.source(
        "import multiprocessing, subprocess, sys, time\nsys.path.insert(0, '/panorama')\nimport child\n"
        f"if __name__ == '__main__':\n    {way}\n    time.sleep(100)\n"
    )
    (rig.application / "panorama/child.py").write_text(CHILD)
    rig.start()
    assert rig.said("child", 60) == [[[48, 64, 3], 20.0]]
    rig.stop()
    # THEN nothing of it is left
    assert not (rig.work / "attaching").exists()
