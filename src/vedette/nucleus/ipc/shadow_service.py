"""Device shadows as the shadow manager serves them: every request also speaks on the shadow's topics.

An update publishes, in this order: ``update/delta`` (when desired and reported differ), ``update/documents``,
``update/accepted``; then the caller has its answer. A refusal publishes ``<request>/rejected``.
"""

import time
from collections.abc import Callable
from typing import Any, Final, Protocol

from vedette.nucleus.ipc.broker import Broker
from vedette.nucleus.ipc.errors import ResourceNotFoundError, ServiceError, UnauthorizedError
from vedette.nucleus.ipc.protocol import to_json
from vedette.nucleus.ipc.rate_limit import RequestRates
from vedette.nucleus.ipc.shadow_request import (
    Rejection,
    check_names,
    check_size,
    check_thing,
    check_version,
    invalid,
    parse_update,
)
from vedette.nucleus.shadow_document import ShadowDocument
from vedette.nucleus.shadows import ShadowStore, ShadowStoreError

__all__ = ["PRINCIPAL", "Authorize", "ShadowService"]

PRINCIPAL: Final = "aws.greengrass.ShadowManager"
"""Who publishes on the shadow topics, and who may do everything."""


class Authorize(Protocol):
    """Raises UnauthorizedError when a component may not use an operation on a resource."""

    def __call__(self, component: str, operation: str, resource: str, /) -> None: ...


def topic_prefix(thing: str, name: str) -> str:
    """Return the topic below which a shadow's topics lie; also the resource of its policies."""
    return f"$aws/things/{thing}/shadow" + (f"/name/{name}" if name else "")


class ShadowService:
    """Get, update, delete and list shadows. For ``principal`` see each method; the default may do everything.

    The methods raise IpcRefusal: InvalidArgumentsError, UnauthorizedError, ResourceNotFoundError, ConflictError, or
    ServiceError ("Too Many Requests" among them). Call them on the server's thread.
    """

    def __init__(
        self,
        store: ShadowStore,
        broker: Broker,
        authorize: Authorize,
        *,
        rates: RequestRates | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """``clock`` gives the Unix time for time stamps."""
        self._store = store
        self._broker = broker
        self._authorize = authorize
        self._rates = rates or RequestRates()
        self._clock = clock

    def get(self, thing: str | None, name: str | None = "", *, principal: str = PRINCIPAL) -> dict[str, Any]:
        """Return ``{"state": {"desired", "reported", "delta"?}, "metadata", "version", "timestamp"}``."""
        return self._serve("get", thing, name, lambda t, n: self._get(t, n, principal))

    def _get(self, thing: str, name: str, principal: str) -> dict[str, Any]:
        self._check(principal, "GetThingShadow", topic_prefix(thing, name))
        document = _existing(name, self._store.get(thing, name))
        state: dict[str, Any] = dict(document.state)
        difference = document.delta()
        if difference:
            state["delta"] = difference[0]
        answer = {**document.plain(), "state": state, "timestamp": self._now_s()}
        self._publish(thing, name, "get/accepted", answer)
        return answer

    def update(
        self, thing: str | None, name: str | None, payload: bytes | None, *, principal: str = PRINCIPAL
    ) -> dict[str, Any]:
        """Merge an update document (JSON) into a shadow; return what went out on ``update/accepted``."""
        token: dict[str, str] = {}
        return self._serve("update", thing, name, lambda t, n: self._update(t, n, payload, principal, token), token)

    def _update(
        self, thing: str, name: str, payload: bytes | None, principal: str, token: dict[str, str]
    ) -> dict[str, Any]:
        if not payload:
            raise invalid("Missing update payload")
        self._check(principal, "UpdateThingShadow", topic_prefix(thing, name))
        update = parse_update(payload)
        if "clientToken" in update:
            token["clientToken"] = update["clientToken"]
        current = self._store.get(thing, name) or ShadowDocument()
        check_version(current, update)
        now = self._now_s()
        document, stamps = current.updated(update["state"], now)
        check_size(document)
        self._store.put(thing, name, document)
        common = {"version": document.version, "timestamp": now, **token}
        difference = document.delta()
        if difference:
            self._publish(thing, name, "update/delta", {**common, "state": difference[0], "metadata": difference[1]})
        documents: dict[str, Any] = {"current": document.plain(), "timestamp": now, **token}
        if current.version:
            documents["previous"] = current.plain()
        self._publish(thing, name, "update/documents", documents)
        accepted = {**common, "state": update["state"], "metadata": stamps}
        self._publish(thing, name, "update/accepted", accepted)
        return accepted

    def delete(self, thing: str | None, name: str | None = "", *, principal: str = PRINCIPAL) -> None:
        """Delete a shadow."""
        self._serve("delete", thing, name, lambda t, n: self._delete(t, n, principal))

    def _delete(self, thing: str, name: str, principal: str) -> dict[str, Any]:
        self._check(principal, "DeleteThingShadow", topic_prefix(thing, name))
        document = _existing(name, self._store.delete(thing, name))
        answer = {"version": document.version, "timestamp": self._now_s()}
        self._publish(thing, name, "delete/accepted", answer)
        return answer

    def names(self, thing: str | None, *, principal: str = PRINCIPAL) -> list[str]:
        """Return the names of a thing's named shadows, sorted."""
        try:
            checked = check_thing(thing)
            self._throttle(checked)
            self._check(principal, "ListNamedShadowsForThing", checked)
        except Rejection as rejection:
            raise rejection.refusal from None
        return self._store.names(checked)

    def _serve(
        self,
        request: str,
        thing: str | None,
        name: str | None,
        serve: Callable[[str, str], dict[str, Any]],
        token: dict[str, str] | None = None,
    ) -> dict[str, Any]:
        try:
            thing, name = check_names(thing, name)
        except Rejection as rejection:
            # Names that cannot be part of a topic: nobody could be listening there.
            raise rejection.refusal from None
        self._throttle(thing)
        try:
            return serve(thing, name)
        except Rejection as rejection:
            self._reject(thing, name, request, rejection, token)
            raise rejection.refusal from None
        except ShadowStoreError as error:
            failure = ServiceError(str(error))
            self._reject(thing, name, request, Rejection(failure, 500, "Internal service failure"), token)
            raise failure from error

    def _throttle(self, thing: str) -> None:
        if not self._rates.take(thing):
            raise ServiceError("Too Many Requests")

    def _check(self, principal: str, operation: str, resource: str) -> None:
        if principal == PRINCIPAL:
            return
        try:
            self._authorize(principal, operation, resource)
        except UnauthorizedError as error:
            raise Rejection(error, 401, "Unauthorized") from error

    def _reject(self, thing: str, name: str, request: str, rejection: Rejection, token: dict[str, str] | None) -> None:
        body = {"code": rejection.code, "message": rejection.message, "timestamp": self._now_s(), **(token or {})}
        self._publish(thing, name, f"{request}/rejected", body)

    def _publish(self, thing: str, name: str, suffix: str, document: dict[str, Any]) -> None:
        self._broker.publish(f"{topic_prefix(thing, name)}/{suffix}", to_json(document), PRINCIPAL)

    def _now_s(self) -> int:
        return int(self._clock())


def _existing(name: str, document: ShadowDocument | None) -> ShadowDocument:
    if document is None:
        missing = ResourceNotFoundError("No shadow found", resourceType="shadow")
        raise Rejection(missing, 404, f"No shadow exists with name: {name or 'Unnamed Shadow'}")
    return document
