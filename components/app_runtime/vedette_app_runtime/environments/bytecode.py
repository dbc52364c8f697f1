"""Compiling an environment's libraries once, since an application cannot write beside them."""

import subprocess
from pathlib import Path
from typing import Final

TIMEOUT_S: Final = 600.0


def compile_bytecode(python: Path, venv: Path) -> None:
    """Compile every module of ``venv`` with the interpreter that it is made of; what does not compile is passed over.

    Nothing of the libraries is run: neither their modules nor what they put into .pth files (``-S``).
    :raises OSError: if the interpreter cannot be started
    """
    # The workers' share is the machine's: libraries have thousands of modules.
    command = [str(python), "-I", "-S", "-m", "compileall", "-q", "-q", "-j", "0", str(venv / "lib")]
    try:
        subprocess.run(
            command,
            cwd="/",
            env={"PATH": "/usr/bin:/bin"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
            timeout=TIMEOUT_S,
        )
    except subprocess.TimeoutExpired:
        return  # they are compiled at each start then
