"""Shadow requests over local publish/subscribe: ``$aws/things/T/shadow[/name/S]/{get,update,delete}``.

The answer comes on the request's ``accepted`` or ``rejected`` topic. Source: the shadow manager's
``PubSubIntegrator.java``; who may ask is decided by the pub/sub policies alone, as there.
"""

import asyncio
import logging
import re
from collections.abc import Callable
from typing import Final

from vedette.nucleus.ipc.broker import Broker
from vedette.nucleus.ipc.errors import IpcRefusal
from vedette.nucleus.ipc.shadow_service import PRINCIPAL, ShadowService

__all__ = ["serve_shadow_topics"]

_log = logging.getLogger(__name__)

_FILTER: Final = "$aws/things/+/shadow/#"
_REQUEST: Final = re.compile(
    r"\$aws/things/(?P<thing>[^/]*)/shadow(/name/(?P<name>[^/]*))?/(?P<what>update|delete|get)"
)


def serve_shadow_topics(broker: Broker, shadows: ShadowService, loop: asyncio.AbstractEventLoop) -> Callable[[], None]:
    """Answer shadow requests that are published on this machine, on ``loop``; returns the closer."""

    def hear(topic: str, payload: bytes, source: str) -> None:
        found = None if source == PRINCIPAL else _REQUEST.fullmatch(topic)
        if found is not None and not loop.is_closed():
            # Not here: whoever publishes must not wait for it, and shadows belong to the loop's thread.
            loop.call_soon_threadsafe(_serve, shadows, found, payload)

    return broker.subscribe(_FILTER, hear)


def _serve(shadows: ShadowService, request: re.Match[str], payload: bytes) -> None:
    thing, name = request["thing"], request["name"] or ""
    try:
        if request["what"] == "update":
            shadows.update(thing, name, payload)
        elif request["what"] == "delete":
            shadows.delete(thing, name)
        else:
            shadows.get(thing, name)
    except IpcRefusal as refusal:
        _log.debug("shadow request %s refused: %s", request.string, refusal)
