"""Serving one request: its operation is found and carried out, and whatever comes of it becomes a frame."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from vedette.nucleus.ipc import protocol
from vedette.nucleus.ipc.call import Call, Operation
from vedette.nucleus.ipc.errors import IpcRefusal, ServiceError, UnknownOperation
from vedette.nucleus.ipc.personality import Personality
from vedette.nucleus.ipc.requests import parse
from vedette.nucleus.ipc.service_model import UNSUPPORTED
from vedette.nucleus.ipc.streams import Stream

__all__ = ["Desk"]

_log = logging.getLogger(__name__)


class Desk:
    """Serves the requests of one connection, on the loop's thread."""

    def __init__(
        self,
        personality: Personality,
        operations: Callable[[], Mapping[str, Operation]],
        *,
        answer: Callable[[bytes], None],
        opened: Callable[[Stream], None],
        ended: Callable[[Stream], None],
    ) -> None:
        """Prepare.

        :param answer: takes the frame of an answer
        :param opened: told of a stream that stays open for events, before its operation begins
        :param ended: told that a request was refused, so that its stream is closed
        """
        self._personality = personality
        self._operations = operations
        self._answer = answer
        self._opened = opened
        self._ended = ended
        self._pending: set[asyncio.Task[None]] = set()
        """Answers that take their time; they are carried through even when the client has gone."""

    def serve(self, component: str, stream: Callable[[str], Stream], stream_id: int, name: str, payload: bytes) -> None:
        """Serve a request; ``stream`` makes the stream for events of a shape, ``name`` is the operation in full."""
        short = name.removeprefix(protocol.PREFIX)
        made: Stream | None = None
        try:
            operation = self._operation(name, short)
            made = stream(operation.event_shape or "")
            request = parse(payload, integers_as_floats=operation.integers_as_floats)
            if operation.event_shape is not None:
                self._opened(made)
            answer = _handled(operation, short, Call(component, request, made))
            if not isinstance(answer, bytes):
                self._answer_later(answer, operation, short, made, component)
                return
            frame = self._response(operation, short, stream_id, answer)
        except IpcRefusal as refusal:
            frame = self._refusal(refusal, short, stream_id, made, component)
        self._answer(frame)

    def _operation(self, full_name: str, name: str) -> Operation:
        operation = self._operations().get(name) if full_name != name else None
        if operation is not None:
            return operation
        if full_name != name and name in UNSUPPORTED and not self._personality.lite:
            raise ServiceError(f"Operation {full_name} is not supported by Greengrass")
        raise UnknownOperation(f"{full_name} is an unsupported operation.")

    def _response(self, operation: Operation, name: str, stream_id: int, answer: bytes) -> bytes:
        last = operation.event_shape is None and self._personality.terminates
        return protocol.response(stream_id, f"{name}Response", answer, last=last)

    def _refusal(self, refusal: IpcRefusal, name: str, stream_id: int, stream: Stream | None, component: str) -> bytes:
        _log.debug("%s of %s refused: %s", name, component, refusal)
        if stream is not None:
            self._ended(stream)
        return (protocol.lite_error if self._personality.lite else protocol.error)(stream_id, refusal)

    def _answer_later(
        self, answer: Awaitable[dict[str, Any]], operation: Operation, name: str, stream: Stream, component: str
    ) -> None:
        async def finish() -> None:
            try:
                body = protocol.to_json(await _guarded(answer, name, component))
                frame = self._response(operation, name, stream.stream_id, body)
            except IpcRefusal as refusal:
                frame = self._refusal(refusal, name, stream.stream_id, stream, component)
            self._answer(frame)

        task = asyncio.get_running_loop().create_task(finish())
        self._pending.add(task)
        task.add_done_callback(self._pending.discard)


def _handled(operation: Operation, name: str, call: Call) -> bytes | Awaitable[dict[str, Any]]:
    try:
        answer = operation.handle(call)
        return protocol.to_json(answer) if isinstance(answer, dict) else answer
    except IpcRefusal:
        raise
    except Exception as error:
        # A fault of ours must not cost other components their nucleus.
        raise _fault(name, call.component) from error


async def _guarded(answer: Awaitable[dict[str, Any]], name: str, component: str) -> dict[str, Any]:
    try:
        return await answer
    except IpcRefusal:
        raise
    except Exception as error:
        raise _fault(name, component) from error


def _fault(name: str, component: str) -> ServiceError:
    _log.exception("%s of %s failed", name, component)
    return ServiceError(f"{name} failed inside the nucleus; its log says why")
