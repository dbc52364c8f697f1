"""How the lines begin in which an application's install step says what it has made; the command line shows them."""

from typing import Final

READY: Final = "environment: "
"""Which interpreter and libraries were chosen."""
WARNING: Final = "warning: "
"""What deviates from what the application asked for."""
