"""Whether the component, as its recipe starts it, computes in large pages."""

import platform
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from vedette.large_pages import with_large_pages

RECIPE = Path(__file__).parents[3] / "recipes" / "vedette.ModelInference.yaml"
OFFERED = Path("/sys/kernel/mm/transparent_hugepage/enabled")
LOOK = """
held = [bytearray(b"x") * (16 << 20) for _ in range(4)]
lines = open("/proc/self/smaps_rollup").read().splitlines()
print(next(line.split()[1] for line in lines if line.startswith("AnonHugePages:")))
"""


def large_kb(environment: dict[str, str], script: str = 'exec "$0" -c "$1"') -> int:
    done = subprocess.run(
        ["/bin/sh", "-c", script, sys.executable, LOOK],
        env=environment, capture_output=True, text=True, timeout=30, check=True,
    )  # fmt: skip
    return int(done.stdout)


def recipe_script() -> str:
    [manifest] = yaml.safe_load(RECIPE.read_text())["Manifests"]
    *exports, start = manifest["Lifecycle"]["run"].splitlines()
    assert start.startswith("exec ")
    return "\n".join([*exports, 'exec "$0" -c "$1"'])


@pytest.mark.skipif(
    not OFFERED.exists() or "[never]" in OFFERED.read_text(), reason="this kernel gives nobody large pages"
)
@pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc" or tuple(map(int, platform.libc_ver()[1].split("."))) < (2, 35),
    reason="this C library asks for none",
)
def test_the_component_computes_in_small_pages() -> None:
    # Half of them: the kernel may have few in one piece.
    assert large_kb({}, recipe_script()) > 32 << 10
    assert large_kb(with_large_pages({})) > 32 << 10


def test_the_recipe_and_what_is_measured_ask_differently() -> None:
    asked = with_large_pages({})
    script = recipe_script().replace('exec "$0" -c "$1"', "env")
    done = subprocess.run(["/bin/sh", "-c", script], env={}, capture_output=True, text=True, timeout=30, check=True)
    assert set(map("=".join, asked.items())) <= set(done.stdout.splitlines())
