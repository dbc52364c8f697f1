"""The process that ``verification`` starts: request on standard input, reason on standard output, else code 0."""

import json
import os
import resource
import sys
from pathlib import Path

from vedette.messages import Tensor
from vedette.parent_process import end_with_parent
from vedette_model_inference.configuration import Configuration
from vedette_model_inference.engines import open_session
from vedette_model_inference.errors import LoadError
from vedette_model_inference.providers import has_nvidia
from vedette_model_inference.session import RunError, zeros

_NO_MEMORY = ("Failed to allocate", "bad_alloc", "bad allocation", "MemoryError")
_LEAST_BYTES = 2 << 30


def main() -> int:
    """Load and run the model once; a run that fails in good order is no reason against the file."""
    request = json.load(sys.stdin)
    _become_expendable(request["parent"])
    declared = [Tensor.model_validate(tensor) for tensor in request["declared"]]
    configuration = Configuration.model_validate(request["configuration"])
    try:
        session = open_session(Path(request["path"]), request["format"], configuration)
    except LoadError as error:
        sys.stdout.write(str(error))
        return 2
    try:
        session.run(zeros(session.inputs, declared))
    except RunError as error:
        if any(word in str(error) for word in _NO_MEMORY):
            sys.stdout.write(f"the model wants more memory than this device has: {error}")
            return 2
        return 0
    return 0


def _become_expendable(parent: int) -> None:
    """Die with the parent, before it when memory runs out, without a core file, and behind the calls that run."""
    end_with_parent(parent)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(5)
    if not has_nvidia():
        # What is too large then fails in good order, before the rest of the device is short of memory; CUDA's own
        # address space is larger than any memory.
        limit = max(_LEAST_BYTES, _available_bytes())
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    try:
        Path("/proc/self/oom_score_adj").write_text("1000")
    except OSError:
        # A kernel or container without it: then memory is judged as usual.
        return


def _available_bytes() -> int:
    """Return what the kernel says that may still be used without swapping; all of the memory where it does not say."""
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) << 10
    except (OSError, ValueError, IndexError):
        pass
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    sys.exit(main())
