"""Runs one of the programs in ``tools/`` in its environment and reads what it says."""

import json
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Protocol

from vedette.conversion.environments import Progress, environment, environment_python
from vedette.conversion.errors import ConversionFailed
from vedette.conversion.running import run_program
from vedette.conversion.toolchains import Toolchain

_TOOLS: Final = Path(__file__).parent / "tools"
_MARK: Final = "::vedette "
_TIMEOUT_S: Final = 1800.0
_LAST_LINES: Final = 8


class RunTool(Protocol):
    """Does what a request says with a toolchain, and returns the program's result."""

    def __call__(
        self, toolchain: Toolchain, request: Mapping[str, Any], work: Path, progress: Progress
    ) -> dict[str, Any]:
        """Run it.

        :raises ConversionFailed: with the program's reason
        :raises vedette.conversion.errors.ToolchainFailed: if its environment cannot be made
        """


class InOwnEnvironment:
    """Runs programs in environments below ``cache``."""

    def __init__(self, cache: Path) -> None:
        self._cache = cache

    def __call__(
        self, toolchain: Toolchain, request: Mapping[str, Any], work: Path, progress: Progress
    ) -> dict[str, Any]:
        """See :class:`RunTool`."""
        return run_tool(environment_python(toolchain, self._cache, progress), toolchain, request, work, progress)


def run_tool(
    python: Path, toolchain: Toolchain, request: Mapping[str, Any], work: Path, progress: Progress
) -> dict[str, Any]:
    """Run the toolchain's program with ``python``; see :class:`RunTool`."""
    document = work / "request.json"
    document.write_text(json.dumps(request))
    last: deque[str] = deque(maxlen=_LAST_LINES)
    messages: list[dict[str, Any]] = []

    def hear(line: str) -> None:
        if not line.startswith(_MARK):
            last.append(line)
            return
        message = json.loads(line.removeprefix(_MARK))
        if "progress" in message:
            progress(message["progress"])
        else:
            messages.append(message)

    words = [str(python), "-I", "-B", str(_TOOLS / toolchain.script), str(document)]
    # -I leaves the program's own folder out of the path; -c puts it back, and nothing else.
    words[3:4] = ["-c", _START, str(_TOOLS / toolchain.script)]
    code = run_program(words, environment(_THREADS), last.append, hear, _TIMEOUT_S, progress)
    failure = next((message for message in messages if "error" in message), None)
    if failure is not None:
        raise ConversionFailed(failure["error"], failure.get("hint") or None)
    result = next((message["result"] for message in messages if "result" in message), None)
    if code == 0 and isinstance(result, dict):
        return result
    if code == -1:
        raise ConversionFailed(f"{toolchain.name} took over {_TIMEOUT_S / 60:.0f} minutes")
    said = " | ".join(line for line in last if line.strip())[-600:]
    raise ConversionFailed(f"{toolchain.name}'s converter ended with {code}: {said or 'without a word'}")


_THREADS: Final = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "", "TF_ENABLE_ONEDNN_OPTS": "0"}
_START: Final = (
    "import runpy, sys, os; path = sys.argv[1]; del sys.argv[0]; sys.path.insert(0, os.path.dirname(path)); "
    "runpy.run_path(path, run_name='__main__')"
)
