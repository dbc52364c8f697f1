"""Greengrass IPC of the local nucleus: the protocol that every component's SDK client speaks to it.

``eventstream`` (bytes <-> messages, no I/O) -> ``connection`` (one client) -> ``operations`` (what may be asked)
-> the stores behind them (``vedette.nucleus.configuration``, ``.secrets``, ``.shadows``) and the ``broker``.
It follows the Java nucleus, frame by frame and error by error, so that what works here works on a device; or nucleus
lite (``personality``).
Standard library only: the nucleus process stays small.
"""

from vedette.nucleus.ipc.broker import Broker, Delivery
from vedette.nucleus.ipc.personality import JAVA, LITE, Personality, personality_named
from vedette.nucleus.ipc.server import IpcServer
from vedette.nucleus.ipc.shadow_service import ShadowService
from vedette.nucleus.ipc.tokens import TokenRegistry

__all__ = [
    "JAVA",
    "LITE",
    "Broker",
    "Delivery",
    "IpcServer",
    "Personality",
    "ShadowService",
    "TokenRegistry",
    "personality_named",
]
