"""The bus as a component sees it: publish/subscribe, configuration, secrets and shadows of whatever nucleus runs it.

``connect()`` gives a ``Bus`` on the real nucleus; ``vedette.bus.memory`` gives one for tests; ``vedette.bus.component``
is the common main of a component. Importing this package does not import the AWS SDK; ``connect()`` does.
"""

from vedette.bus.errors import BusError, BusLost, BusTimeout, NotFound, NotSupported, Refused, Unauthorized
from vedette.bus.interface import MAX_BYTES, Bus, Subscription

__all__ = [
    "MAX_BYTES",
    "Bus",
    "BusError",
    "BusLost",
    "BusTimeout",
    "NotFound",
    "NotSupported",
    "Refused",
    "Subscription",
    "Unauthorized",
    "connect",
]


def connect(timeout_s: float = 10.0) -> Bus:
    """Connect to the nucleus that started this process, from the environment it gave.

    :raises BusLost: no nucleus answers at the socket within ``timeout_s``
    :raises Unauthorized: the nucleus does not accept this process's token (it is from an earlier start)
    :raises BusError: this process was not started by a nucleus
    """
    from vedette.bus.greengrass import connect_to_nucleus

    return connect_to_nucleus(timeout_s)
