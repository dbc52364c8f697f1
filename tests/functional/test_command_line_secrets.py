"""What `ps` shows of a command that was given a password."""

import subprocess
import sys
from pathlib import Path

SHOW = """
import sys
from pathlib import Path
from vedette.cli import credentials
found = credentials.hide()
print(found)
print(Path("/proc/self/cmdline").read_bytes().decode().split(chr(0)))
print(sorted(k for k in __import__("os").environ if "CRED" in k))
"""


def test_password_is_in_the_process_list(tmp_path: Path) -> None:
    script = tmp_path / "show.py"
    script.write_text(SHOW)
    done = subprocess.run(
        [sys.executable, str(script), "--camera", "cam=rtsp://viewer:s3cret@127.0.0.1/x"],
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    )
    found, cmdline, environ = done.stdout.splitlines()
    assert found == "{'rtsp://viewer@127.0.0.1/x': ('viewer', 's3cret')}"
    assert "s3cret" not in cmdline
    assert "cam=rtsp://viewer@127.0.0.1/x" in cmdline
    assert environ == "[]"
