"""Large pages for processes that compute in large arrays.

A model's run reads its weights and intermediate results once each, tens of megabytes: with pages of 4 kB the processor
looks thousands of addresses up. Where the kernel gives large pages to who asks (``madvise``, the default of Debian and
Ubuntu), glibc's allocator asks for them since 2.35 when it is told so at the start of the process; older ones and other
C libraries take no notice. docs/ref/performance.md has what it brings.
"""

from collections.abc import Mapping
from typing import Final

VARIABLE: Final = "GLIBC_TUNABLES"
ASK: Final = "glibc.malloc.hugetlb=1"
"""https://sourceware.org/glibc/manual/latest/html_node/Memory-Allocation-Tunables.html"""


def with_large_pages(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for a process whose allocator asks for them; what else is tuned there stays."""
    tuned = environ.get(VARIABLE, "")
    return {**environ, VARIABLE: f"{tuned}:{ASK}" if tuned else ASK}
