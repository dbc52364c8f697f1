"""The page's port, chosen once for a run."""

import socket
from typing import Final

LOOPBACK: Final = "127.0.0.1"
TRIED: Final = 20


def port_for_page(wanted: int) -> int:
    """Return ``wanted``, or the next port that is free here, or any; ``wanted`` 0 is any.

    Chosen here and not by the display alone: a display that is started again must come back at the address that pages
    in browsers are open at, although another one's port may have become free meanwhile. Should somebody take the port
    before the display does, the display takes the next one.
    """
    for port in [*range(wanted, min(65536, wanted + TRIED)), 0] if wanted else [0]:
        with socket.socket() as probe:
            # As the display does: connections of before that linger are no obstacle.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((LOOPBACK, port))
                probe.listen()
            except OSError:
                continue
            return int(probe.getsockname()[1])
    return wanted
