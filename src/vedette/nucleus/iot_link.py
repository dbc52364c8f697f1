"""The connection to AWS IoT Core: MQTT 5 over TLS, with the thing's certificate.

Messages are taken while there is no connection and sent when there is one again, up to ``SPOOL_BYTES`` of payload (the
Java nucleus's spooler has the same limit); a subscription is renewed on every new session.
"""

import asyncio
import base64
import functools
import logging
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from vedette.nucleus.errors import NucleusError
from vedette.nucleus.ipc.iot_core import CarrierError, IotMessage

__all__ = ["IotLink", "IotSettings"]

_log = logging.getLogger(__name__)

SPOOL_BYTES: Final = 2_621_440
_ACK_S: Final = 20.0
_STOP_S: Final = 2.0
_KEEP_ALIVE_S: Final = 60
"""As the Java nucleus (``mqtt.keepAliveTimeoutMs``): AWS notices after one and a half that a device is gone."""
_MAX_RECONNECT_MS: Final = 15_000


@dataclass(frozen=True)
class IotSettings:
    """Where IoT Core is and who this thing is. ``ca``: None takes the system's authorities."""

    host: str
    certificate: Path
    key: Path
    ca: Path | None = None
    port: int = 8883

    def check(self) -> None:
        """Return when every file is there; NucleusError otherwise."""
        missing = [
            str(path) for path in (self.certificate, self.key, self.ca) if path is not None and not path.is_file()
        ]
        if missing:
            raise NucleusError(*(f"file `{path}` is not there; IoT Core needs certificate and key" for path in missing))


class IotLink:
    """A ``Carrier``. Everything but the SDK's callbacks belongs to the event loop's thread."""

    def __init__(
        self, settings: IotSettings, client_id: str, deliver: Callable[[IotMessage], None], changed: Callable[[], None]
    ) -> None:
        """Prepare a connection; ``start`` opens it.

        :param client_id: the thing's name; IoT Core's policies usually demand that
        :param deliver: called with every message that comes
        :param changed: called when the connection comes or goes
        """
        self.connected = False
        self._settings = settings
        self._client_id = client_id
        self._deliver = deliver
        self._changed = changed
        self._why = "not connected yet"
        self._waiting_bytes = 0
        self._filters: dict[str, int] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._client: Any = None
        self._mqtt5: Any = None
        self._ended = asyncio.Event()

    @property
    def state(self) -> str:
        """Return the state in words."""
        where = f"{self._settings.host}:{self._settings.port} as {self._client_id}"
        return f"connected to {where}" if self.connected else f"no connection to {where}: {self._why}"

    def start(self) -> None:
        """Begin to connect; goes on until ``stop``. NucleusError when certificate or key cannot be used."""
        from awscrt import mqtt5
        from awsiot import mqtt5_client_builder

        self._settings.check()
        self._mqtt5, self._loop = mqtt5, asyncio.get_running_loop()
        authority = {} if self._settings.ca is None else {"ca_filepath": str(self._settings.ca)}
        try:
            self._client = mqtt5_client_builder.mtls_from_path(
                str(self._settings.certificate),
                str(self._settings.key),
                endpoint=self._settings.host,
                port=self._settings.port,
                client_id=self._client_id,
                clean_session=False,
                keep_alive_interval_sec=_KEEP_ALIVE_S,
                max_reconnect_delay_ms=_MAX_RECONNECT_MS,
                on_publish_received=self._soon(self._received),
                on_lifecycle_connection_success=self._soon(self._up),
                on_lifecycle_connection_failure=self._soon(self._down),
                on_lifecycle_disconnection=self._soon(self._down),
                on_lifecycle_stopped=self._soon(lambda _: self._ended.set()),
                **authority,
            )
        except Exception as error:
            raise NucleusError(f"certificate or key of the thing cannot be used: {error}") from error
        self._client.start()

    async def stop(self) -> None:
        """Disconnect; what waits to be sent is lost."""
        client, self._client = self._client, None
        if client is not None:
            client.stop(self._mqtt5.DisconnectPacket())
            try:
                await asyncio.wait_for(self._ended.wait(), _STOP_S)
            except asyncio.TimeoutError:
                _log.debug("the connection to IoT Core did not end in time")

    # -- Carrier

    def publish(self, message: IotMessage) -> None:
        """Send a message, or keep it until there is a connection."""
        client, mqtt5 = self._client, self._mqtt5
        if client is None:
            raise CarrierError("the connection to IoT Core is closed")
        if self._waiting_bytes + len(message.payload) > SPOOL_BYTES:
            raise CarrierError(f"Message spool is full. Spool size: {self._waiting_bytes} bytes")
        self._waiting_bytes += len(message.payload)
        packet = mqtt5.PublishPacket(
            topic=message.topic,
            payload=message.payload,
            qos=mqtt5.QoS(message.qos),
            retain=message.retain,
            **_packet_properties(message.properties, mqtt5),
        )
        future = client.publish(packet)
        future.add_done_callback(self._soon(lambda done: self._sent(message, done)))

    async def subscribe(self, topic_filter: str, qos: int) -> None:
        """Subscribe and wait for IoT Core's agreement."""
        if self._client is None:
            raise CarrierError("the connection to IoT Core is closed")
        self._filters[topic_filter] = max(qos, self._filters.get(topic_filter, 0))
        try:
            await asyncio.wait_for(asyncio.wrap_future(self._ask(topic_filter)), _ACK_S)
        except asyncio.TimeoutError as error:
            self._filters.pop(topic_filter, None)
            raise CarrierError(f"no answer from IoT Core in {_ACK_S:g} s ({self._why})") from error
        except CarrierError:
            self._filters.pop(topic_filter, None)
            raise
        except Exception as error:
            self._filters.pop(topic_filter, None)
            raise CarrierError(str(error)) from error

    def unsubscribe(self, topic_filter: str) -> None:
        """Ask for no more messages."""
        self._filters.pop(topic_filter, None)
        if self._client is not None:
            self._client.unsubscribe(self._mqtt5.UnsubscribePacket(topic_filters=[topic_filter]))

    # -- what happens

    def _ask(self, topic_filter: str) -> "Future[None]":
        mqtt5 = self._mqtt5
        subscription = mqtt5.Subscription(topic_filter, mqtt5.QoS(self._filters[topic_filter]))
        agreed: Future[None] = Future()

        def answered(done: "Future[Any]") -> None:
            error = done.exception()
            codes = () if error is not None else done.result().reason_codes
            refused = next((code for code in codes if int(code) >= 128), None)
            if error is None and refused is not None:
                error = CarrierError(str(getattr(refused, "name", refused)))
            if not agreed.cancelled():
                agreed.set_exception(error) if error is not None else agreed.set_result(None)

        self._client.subscribe(mqtt5.SubscribePacket(subscriptions=[subscription])).add_done_callback(answered)
        return agreed

    def _received(self, data: Any) -> None:
        packet = data.publish_packet
        payload = packet.payload or b""
        self._deliver(
            IotMessage(
                topic=packet.topic,
                payload=payload.encode() if isinstance(payload, str) else bytes(payload),
                qos=int(packet.qos),
                retain=bool(packet.retain),
                properties=_event_properties(packet),
            )
        )

    def _sent(self, message: IotMessage, done: "Future[Any]") -> None:
        self._waiting_bytes -= len(message.payload)
        error = done.exception()
        code = None if error is not None or done.result().puback is None else done.result().puback.reason_code
        if error is not None:
            _log.warning("a message on %s did not reach IoT Core: %s", message.topic, error)
        elif code is not None and int(code) >= 128:
            _log.warning("IoT Core refused a message on %s: %s", message.topic, getattr(code, "name", code))

    def _up(self, data: Any) -> None:
        self.connected = True
        _log.info("%s", self.state)
        if not data.connack_packet.session_present:
            for topic_filter in self._filters:
                self._ask(topic_filter).add_done_callback(functools.partial(_tell_lost, topic_filter))
        self._changed()

    def _down(self, data: Any) -> None:
        error = getattr(data, "exception", None)
        packet = getattr(data, "connack_packet", None)
        reason = None if packet is None else getattr(packet.reason_code, "name", packet.reason_code)
        self._why = f"{error}" + (f" ({reason})" if reason is not None else "")
        was, self.connected = self.connected, False
        if was and self._client is not None:
            _log.warning("%s", self.state)
        self._changed()

    def _soon(self, work: Callable[[Any], None]) -> Callable[[Any], None]:
        """Return a callback for the SDK's threads that carries ``work`` out on the loop's."""

        def call(data: Any) -> None:
            if self._loop is not None and not self._loop.is_closed():
                try:
                    self._loop.call_soon_threadsafe(work, data)
                except RuntimeError:
                    _log.debug("the nucleus has ended")

        return call


def _tell_lost(topic_filter: str, done: "Future[None]") -> None:
    if done.exception() is not None:
        _log.warning("subscription %s is lost: %s", topic_filter, done.exception())


def _packet_properties(properties: Any, mqtt5: Any) -> dict[str, Any]:
    """Return MQTT 5 properties as the SDK's packet takes them."""
    found: dict[str, Any] = {}
    if properties.get("userProperties"):
        found["user_properties"] = [
            mqtt5.UserProperty(name=item.get("key") or "", value=item.get("value") or "")
            for item in properties["userProperties"]
        ]
    if properties.get("messageExpiryIntervalSeconds") is not None:
        found["message_expiry_interval_sec"] = int(properties["messageExpiryIntervalSeconds"])
    if properties.get("correlationData") is not None:
        found["correlation_data_bytes"] = base64.b64decode(properties["correlationData"])
    if properties.get("responseTopic"):
        found["response_topic"] = properties["responseTopic"]
    if properties.get("contentType"):
        found["content_type"] = properties["contentType"]
    if properties.get("payloadFormat") == "1":
        found["payload_format_indicator"] = mqtt5.PayloadFormatIndicator.AWS_MQTT5_PFI_UTF8
    return found


def _event_properties(packet: Any) -> dict[str, Any]:
    """Return a packet's MQTT 5 properties by their names in the service model."""
    found: dict[str, Any] = {"payloadFormat": str(int(packet.payload_format_indicator or 0))}
    if packet.user_properties:
        found["userProperties"] = [{"key": item.name, "value": item.value} for item in packet.user_properties]
    if packet.message_expiry_interval_sec is not None:
        found["messageExpiryIntervalSeconds"] = packet.message_expiry_interval_sec
    correlation = getattr(packet, "correlation_data_bytes", None)
    if correlation is not None:
        found["correlationData"] = base64.b64encode(bytes(correlation)).decode()
    if packet.response_topic:
        found["responseTopic"] = packet.response_topic
    if packet.content_type:
        found["contentType"] = packet.content_type
    return found
