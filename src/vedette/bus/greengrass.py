"""The bus over Greengrass IPC, with the AWS SDK.

The V1 client, since each operation can be closed there: on nucleus lite, which does not end the stream of a unary call,
an operation left open costs 5.5 kB (measured), 4.7 GB a day for a component that publishes ten times a second.
"""

import concurrent.futures
import json
import logging
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import awsiot.greengrasscoreipc
from awscrt.exceptions import AwsCrtError
from awsiot.eventstreamrpc import LifecycleHandler, StreamResponseHandler
from awsiot.greengrasscoreipc import client as sdk
from awsiot.greengrasscoreipc import model

from vedette.bus.dispatch import Dispatcher, Mailbox
from vedette.bus.errors import BusError, BusLost, BusTimeout, NotFound, Refused
from vedette.bus.interface import (
    MAX_BYTES,
    QUEUE_MESSAGES,
    Bus,
    ConfigurationHandler,
    InstalledComponent,
    MessageHandler,
    Subscription,
    UpdateHandler,
)
from vedette.bus.sdk_errors import translated_call, translated_connect

__all__ = ["GreengrassBus", "connect_to_nucleus"]

_log = logging.getLogger(__name__)

CALL_TIMEOUT_S: Final = 5.0
NUCLEUS_KEYS: Final = frozenset({"accessControl"})
"""Keys that the nucleus keeps for itself in a component's configuration; no component has them in its model."""
_SOCKET: Final = "AWS_GG_NUCLEUS_DOMAIN_SOCKET_FILEPATH_FOR_COMPONENT"
_TOKEN: Final = "SVCUID"


def connect_to_nucleus(timeout_s: float, environment: Mapping[str, str] = os.environ) -> Bus:
    """Connect; the errors are those of ``vedette.bus.connect``."""
    missing = [name for name in (_SOCKET, _TOKEN) if not environment.get(name)]
    if missing:
        raise BusError(f"{' and '.join(missing)} not set: components are started by a Greengrass nucleus, not by hand")
    lost = threading.Event()
    watcher = _ConnectionWatcher(lost)
    socket_path = environment[_SOCKET]
    with translated_connect(socket_path, timeout_s):
        client = awsiot.greengrasscoreipc.connect(
            ipc_socket=socket_path, authtoken=environment[_TOKEN], lifecycle_handler=watcher, timeout=timeout_s
        )
    return GreengrassBus(client, watcher)


class _ConnectionWatcher(LifecycleHandler):  # type: ignore[misc]
    def __init__(self, lost: threading.Event) -> None:
        self.lost = lost
        self.closing = False

    def on_disconnect(self, reason: Exception | None) -> None:
        if not self.closing:
            _log.error("connection to the nucleus lost: %s", reason)
            self.lost.set()

    def on_error(self, error: Exception) -> bool:
        _log.warning("the nucleus reports an error of the connection: %s", error)
        return True


JobOf = Callable[[Any], Callable[[], None] | None]
"""Makes the handler's call out of an event of the SDK; None for an event without content."""


class _EventHandler(StreamResponseHandler):  # type: ignore[misc]
    """Puts a subscription's events into its mailbox. The SDK calls it on its own thread, which must not be held up."""

    def __init__(self, what: str, mailbox: Mailbox, job_of: JobOf, watcher: _ConnectionWatcher) -> None:
        self.opened = False
        self.ended = False
        self._what = what
        self._mailbox = mailbox
        self._job_of = job_of
        self._watcher = watcher

    def on_stream_event(self, event: Any) -> None:
        job = self._job_of(event)
        if job is not None:
            self._mailbox.put(job)

    def on_stream_error(self, error: Exception) -> bool:
        _log.error("subscription to %s failed: %s", self._what, type(error).__name__)
        return True

    def on_stream_closed(self) -> None:
        if self.opened and not self.ended and not self._watcher.closing:
            # A component that hears nothing any more does no work: as bad as a lost connection.
            _log.log(
                logging.DEBUG if self._watcher.lost.is_set() else logging.WARNING,
                "subscription to %s ended",
                self._what,
            )
            self._watcher.lost.set()


class _OpenStream:
    """A subscription: the SDK's operation and the mailbox its events go to."""

    def __init__(self, operation: Any, mailbox: Mailbox, handler: _EventHandler) -> None:
        self._operation = operation
        self._mailbox = mailbox
        self._handler = handler

    @property
    def dropped(self) -> int:
        return self._mailbox.dropped

    def close(self) -> None:
        self._handler.ended = True
        self._mailbox.close()
        self._operation.close()


class GreengrassBus:
    """A ``Bus`` on a connected SDK client; made by ``connect``."""

    def __init__(self, client: sdk.GreengrassCoreIPCClient, watcher: _ConnectionWatcher) -> None:
        """``watcher`` is the client's lifecycle handler."""
        self.lost = watcher.lost
        self._client = client
        self._watcher = watcher
        self._dispatcher = Dispatcher()

    def publish(self, topic: str, payload: bytes) -> None:
        """Send a binary message."""
        if len(payload) > MAX_BYTES:
            raise ValueError(f"message on {topic} has {len(payload)} bytes, the limit is {MAX_BYTES}")
        message = model.PublishMessage(binary_message=model.BinaryMessage(message=payload))
        self._call(
            self._client.new_publish_to_topic, model.PublishToTopicRequest(topic=topic, publish_message=message), topic
        )

    def subscribe(self, topic_filter: str, handler: MessageHandler) -> Subscription:
        """Call the handler for every message on topics that match."""

        def job(event: Any) -> Callable[[], None] | None:
            message = event.binary_message or event.json_message
            if message is None or message.context is None:
                return None
            content = message.message
            payload = content if isinstance(content, bytes) else json.dumps(content).encode()
            return lambda: handler(message.context.topic, payload)

        # Explicit, since the default differs: the Java nucleus leaves out own messages for a filter with a wildcard.
        mode = model.ReceiveMode.RECEIVE_ALL_MESSAGES
        request = model.SubscribeToTopicRequest(topic=topic_filter, receive_mode=mode)
        return self._open(
            self._client.new_subscribe_to_topic,
            request,
            topic_filter,
            self._dispatcher.mailbox(topic_filter, QUEUE_MESSAGES),
            job,
        )

    def get_configuration(self, key_path: Sequence[str] = (), component: str | None = None) -> dict[str, Any]:
        """Return the object at a key path, without the nucleus's own keys; a leaf comes as ``{"<its key>": value}``."""
        request = model.GetConfigurationRequest(component_name=component, key_path=list(key_path))
        what = f"configuration {'/'.join(key_path) or '(all)'} of {component or 'this component'}"
        response = self._call(self._client.new_get_configuration, request, what)
        return {key: value for key, value in (response.value or {}).items() if key not in NUCLEUS_KEYS}

    def watch_configuration(self, handler: ConfigurationHandler) -> Subscription:
        """Call the handler after this component's configuration has changed."""
        return self._open(
            self._client.new_subscribe_to_configuration_update,
            model.SubscribeToConfigurationUpdateRequest(key_path=[]),
            "configuration updates",
            # One place: the handler reads everything anew, so a call that waits stands for all changes until then.
            self._dispatcher.mailbox("configuration", 1),
            lambda _event: handler,
        )

    def get_secret(self, secret_id: str, *, fresh: bool = False) -> str:
        """Return the secret's text by name or ARN."""
        # Secret managers before 2.2 do not know the field: it is left out where it is not needed.
        request = model.GetSecretValueRequest(secret_id=secret_id, refresh=fresh or None)
        response = self._call(self._client.new_get_secret_value, request, f"secret {secret_id}")
        value = response.secret_value.secret_string if response.secret_value else None
        if value is None:
            raise Refused(f"secret {secret_id} holds bytes, expected text (secretString)")
        return str(value)

    def get_shadow(self, thing: str, name: str) -> dict[str, Any] | None:
        """Return a shadow's document, None when there is none."""
        request = model.GetThingShadowRequest(thing_name=thing, shadow_name=name)
        try:
            response = self._call(self._client.new_get_thing_shadow, request, _shadow(thing, name))
        except NotFound:
            return None
        return _document(response.payload, _shadow(thing, name))

    def update_shadow(self, thing: str, name: str, document: Mapping[str, Any]) -> dict[str, Any]:
        """Send an update document; return what was accepted."""
        payload = json.dumps(document).encode()
        request = model.UpdateThingShadowRequest(thing_name=thing, shadow_name=name, payload=payload)
        response = self._call(self._client.new_update_thing_shadow, request, _shadow(thing, name))
        return _document(response.payload, _shadow(thing, name))

    def publish_to_cloud(self, topic: str, payload: bytes) -> None:
        """Hand a message for AWS IoT Core to the nucleus."""
        if len(payload) > MAX_BYTES:
            raise ValueError(f"message on {topic} has {len(payload)} bytes, the limit is {MAX_BYTES}")
        request = model.PublishToIoTCoreRequest(topic_name=topic, qos=model.QOS.AT_LEAST_ONCE, payload=payload)
        self._call(self._client.new_publish_to_iot_core, request, f"{topic} of AWS IoT Core")

    def subscribe_to_cloud(self, topic_filter: str, handler: MessageHandler) -> Subscription:
        """Call the handler for every message of AWS IoT Core on topics that match."""

        def job(event: Any) -> Callable[[], None] | None:
            message = event.message
            if message is None:
                return None
            return lambda: handler(message.topic_name, message.payload or b"")

        return self._open(
            self._client.new_subscribe_to_iot_core,
            model.SubscribeToIoTCoreRequest(topic_name=topic_filter, qos=model.QOS.AT_LEAST_ONCE),
            f"{topic_filter} of AWS IoT Core",
            self._dispatcher.mailbox(topic_filter, QUEUE_MESSAGES),
            job,
        )

    def watch_updates(self, handler: UpdateHandler) -> Subscription:
        """Call the handler before and after a deployment."""

        def job(event: Any) -> Callable[[], None] | None:
            if event.pre_update_event is not None:
                return lambda: self._begins(event.pre_update_event.deployment_id, handler)
            if event.post_update_event is not None:
                return lambda: handler(event.post_update_event.deployment_id, False)
            return None

        return self._open(
            self._client.new_subscribe_to_component_updates,
            model.SubscribeToComponentUpdatesRequest(),
            "component updates",
            self._dispatcher.mailbox("component updates", QUEUE_MESSAGES),
            job,
        )

    def list_components(self) -> list[InstalledComponent]:
        """Return all components of the device."""
        response = self._call(self._client.new_list_components, model.ListComponentsRequest(), "the list of components")
        return [
            InstalledComponent(each.component_name, each.version or "", each.state or "")
            for each in response.components or ()
        ]

    def _begins(self, deployment_id: str, handler: UpdateHandler) -> None:
        # Without an answer the nucleus waits for as long as the deployment's policy says.
        request = model.DeferComponentUpdateRequest(deployment_id=deployment_id, recheck_after_ms=0)
        try:
            self._call(self._client.new_defer_component_update, request, "go-ahead for an update")
        except BusLost:
            return
        except BusError as error:
            _log.debug("%s", error)
        handler(deployment_id, True)

    def report_running(self) -> None:
        """Tell the nucleus that this component works."""
        request = model.UpdateStateRequest(state=model.ReportedLifecycleState.RUNNING)
        self._call(self._client.new_update_state, request, "state RUNNING")

    def close(self) -> None:
        """End the connection and the handlers' thread."""
        self._watcher.closing = True
        self._dispatcher.close()
        try:
            self._client.close().result(CALL_TIMEOUT_S)
        except (AwsCrtError, RuntimeError, concurrent.futures.TimeoutError) as error:
            _log.debug("closing the connection: %s", error)

    def _call(self, new_operation: Callable[[], Any], request: Any, what: str) -> Any:
        try:
            with translated_call(what):
                operation = new_operation()
                try:
                    return _answer(operation, operation.activate(request), what)
                finally:
                    operation.close()
        except BusError as error:
            # The SDK raises a bare RuntimeError where a connection ends just as a request begins.
            if type(error) is BusError and self.lost.is_set():
                raise BusLost(f"connection to the nucleus lost: {what}") from None
            raise

    def _open(
        self, new_operation: Callable[[Any], Any], request: Any, what: str, mailbox: Mailbox, job_of: JobOf
    ) -> Subscription:
        handler = _EventHandler(what, mailbox, job_of, self._watcher)
        with translated_call(what):
            operation = new_operation(handler)
            try:
                _answer(operation, operation.activate(request), what)
            except BaseException:
                operation.close()
                raise
        handler.opened = True
        return _OpenStream(operation, mailbox, handler)


def _answer(operation: Any, written: "concurrent.futures.Future[None]", what: str) -> Any:
    deadline = time.monotonic() + CALL_TIMEOUT_S
    try:
        written.result(CALL_TIMEOUT_S)
        return operation.get_response().result(max(0.0, deadline - time.monotonic()))
    except concurrent.futures.TimeoutError as error:
        raise BusTimeout(f"no answer from the nucleus about {what} within {CALL_TIMEOUT_S:g} s") from error


def _shadow(thing: str, name: str) -> str:
    return f"shadow {name or '(classic)'} of {thing}"


def _document(payload: bytes | None, what: str) -> dict[str, Any]:
    try:
        document = json.loads(payload or b"")
    except ValueError as error:
        raise Refused(f"the nucleus sent a document that is not JSON: {what}") from error
    if not isinstance(document, dict):
        raise Refused(f"the nucleus sent {type(document).__name__}, expected an object: {what}")
    return document
