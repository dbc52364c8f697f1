"""The page on hardening: every layer has an owner, and what it says that Vedette leaves alone is left alone."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/guide/hardening.md").read_text()
LAYERS = ("firmware", "operating system", "nucleus", "Vedette's components", "libraries of an application", "container")


def code() -> dict[Path, str]:
    found = [
        path for part in ("src", "components") for path in (ROOT / part).rglob("*") if path.suffix in {".py", ".sh"}
    ]
    return {path: path.read_text() for path in found}


def test_a_layer_has_no_owner() -> None:
    rows = [line.split("|") for line in PAGE.splitlines() if line.startswith("| ") and line.count("|") == 4]
    for layer in LAYERS:
        (owners,) = [
            row[2].strip() for row in rows if row[1].strip().startswith((layer, f"the application's {layer}"))
        ][:1]
        assert owners


def test_a_library_of_the_devices_environment_is_not_pinned() -> None:
    """An advisory in one of them leads to a release: its version is in the lock file, and changes only there."""
    wanted = re.search(r"^dependencies = \[(.*?)^\]", (ROOT / "pyproject.toml").read_text(), re.DOTALL | re.MULTILINE)
    assert wanted is not None
    names = re.findall(r'"([a-z0-9-]+)', wanted[1])
    assert len(names) > 10
    lock = (ROOT / "uv.lock").read_text()
    assert [name for name in names if f'name = "{name}"\nversion = "' not in lock] == []


def test_the_suite_forwards_packets_between_the_devices_networks() -> None:
    assert [
        path for path, text in code().items() if re.search("ip_forward|iptables|masquerade|SO_BINDTODEVICE", text)
    ] == []
