"""Models as node.call() reaches them: waits for one that loads, survives the restart of its server."""

import socket
import threading
import time
from typing import Any, Callable, Dict, Optional, Sequence, Tuple

import numpy as np

from ._errors import HostGone, TimeoutException
from ._media import media
from ._rings.calls import CallClient, CallError, CallFailure, CallLost, CallTimeout, Description, RepeatedCall
from ._tensors import KnownInputs, ModelInput, frame_of, model_inputs, shown

_LOST_CALLS = 3
"""A call in whose course the server ended this often is given up: it is probably what ends it."""
_REFUSALS = ("unknown_input", "missing_input", "wrong_shape", "wrong_dtype", "bad_buffer", "too_large")
_FAILED = "failed"
_MOST_SIGNATURES = 16
"""Kinds of inputs of one model for whose calls something is kept: shapes new at each call gain nothing by it."""


class Model:
    """A model node of the application. Any number of threads may call.

    A signal handler's exception (an alarm that bounds a call, Ctrl-C in a notebook) may come between any two steps of a
    call. What is then half done, a slot taken or a packet read, cannot be known: the connection is made anew.
    """

    def __init__(self, name: str, lost: "Callable[[], None]") -> None:
        self.name = name
        self._lost = lost
        self._changed = threading.Condition()
        self._client: Optional[CallClient] = None
        self._state = "loading"
        self._detail = ""
        self._gone = False
        self._untold = False
        self._known: Optional[KnownInputs] = None
        self._signatures: Dict[Any, RepeatedCall] = {}

    def offer(self, sock: socket.socket) -> None:
        """Take a connection to the model's server; calls that wait go on with it."""
        client = CallClient(sock)
        with self._changed:
            previous = self._forget()
            self._client = client
            self._state, self._detail = "ready", ""
            self._changed.notify_all()
        if previous is not None:
            previous.close()

    def note(self, state: str, detail: str) -> None:
        """Note the state of a model that cannot be called at present."""
        with self._changed:
            self._state, self._detail = state, detail
            self._changed.notify_all()

    def host_gone(self) -> None:
        """End the waiting calls: nobody will bring a connection any more."""
        with self._changed:
            self._gone = True
            self._changed.notify_all()

    def close(self) -> None:
        """Disconnect."""
        self.host_gone()
        with self._changed:
            client = self._forget()
        if client is not None:
            client.close()

    def call(self, given: Any, time_out: Optional[float]) -> Tuple[Any, ...]:
        """Run the model on ``given`` (see :func:`model_inputs`) and return copies of its outputs.

        :raises TimeoutException: when there was no answer within ``time_out`` seconds; None waits for ever.
        :raises ValueError: when the input does not fit the model.
        :raises RuntimeError: when the model could not be loaded, or failed on this input.
        """
        deadline = None if time_out is None else time.monotonic() + max(0.0, float(time_out))
        lost = 0
        while True:
            client = self._client or self._wait_for_client(deadline)
            try:
                return self._call(client, given, deadline)
            except CallTimeout as error:
                raise TimeoutException("model {!r} gave no answer within {} s".format(self.name, time_out)) from error
            except CallError as error:
                kind = ValueError if error.code in _REFUSALS else RuntimeError
                raise kind("model {!r}: {}".format(self.name, error)) from error
            except CallLost as error:
                self._drop(client)
                lost += 1
                if lost >= _LOST_CALLS:
                    raise RuntimeError(
                        "the server of model {!r} ended {} times during this call".format(self.name, lost)
                    ) from error

    def _call(self, client: CallClient, given: Any, deadline: Optional[float]) -> Tuple[Any, ...]:
        known = self._known
        values = known.values(given) if known is not None and known.client is client else None
        if known is not None and values is not None:
            return self._run(known, values, deadline)
        description = self._description(client)
        frame = frame_of(given, description)
        if frame is not None:
            return self._call_frame(client, frame, deadline)
        inputs = model_inputs(self.name, given, description.inputs)
        known = self._known = KnownInputs(client, inputs, self._repeated(client, inputs))
        return self._run(known, [each.values for each in inputs], deadline)

    def _run(
        self, known: KnownInputs, values: "Sequence[np.ndarray[Any, Any]]", deadline: Optional[float]
    ) -> Tuple[Any, ...]:
        try:
            turn = known.repeated.turn(deadline)
            try:
                known.write(turn.inputs, values)
                return tuple([output.copy() for output in turn.run(deadline)])
            finally:
                turn.free()
        except CallFailure:
            raise
        except BaseException as error:  # noqa: BLE001 - a handler's exception may be any
            raise self._interrupted(known.client, error)  # noqa: B904 - it is its own cause

    def _description(self, client: CallClient) -> Description:
        try:
            return client.description
        except CallFailure:
            raise
        except BaseException as error:  # noqa: BLE001 - as above
            raise self._interrupted(client, error)  # noqa: B904 - as above

    def _call_frame(self, client: CallClient, frame: media, deadline: Optional[float]) -> Tuple[Any, ...]:
        try:
            with frame.lent() as source, client.call_frame(source, _remaining(deadline)) as result:
                return tuple([shown(output).copy() for output in result.outputs])
        except CallFailure:
            raise
        except BaseException as error:  # noqa: BLE001 - as above
            raise self._interrupted(client, error)  # noqa: B904 - as above

    def _interrupted(self, client: CallClient, error: BaseException) -> BaseException:
        self._drop(client)
        if not isinstance(error, RuntimeError):
            return error
        # A thread that is interrupted as it waits may find the client's lock given up, which then is told over what
        # the handler raised; and the thread that had taken it meanwhile finds it gone: that one calls again.
        return error.__context__ or CallLost("another thread's call was interrupted")

    def _repeated(self, client: CallClient, inputs: Sequence[ModelInput]) -> RepeatedCall:
        """Return the calls with inputs like these, which were mostly made before."""
        signature = (client, tuple([(each.name, each.dtype, each.shape) for each in inputs]))
        with self._changed:
            repeated = self._signatures.get(signature)
            if repeated is None:
                keep = self._client is client and len(self._signatures) < _MOST_SIGNATURES
                repeated = RepeatedCall(client, signature[1], shown, keep)
                if keep:
                    self._signatures[signature] = repeated
        return repeated

    def _wait_for_client(self, deadline: Optional[float]) -> CallClient:
        self._tell_loss()
        with self._changed:
            while self._client is None:
                if self._gone:
                    raise HostGone("the application's host has ended")
                if self._state == _FAILED:
                    raise RuntimeError("model {!r} cannot be used: {}".format(self.name, self._detail or _FAILED))
                remaining = _remaining(deadline)
                if remaining is not None and remaining <= 0:
                    raise TimeoutException(
                        "model {!r} is not ready: {}{}".format(
                            self.name, self._state, ", " + self._detail if self._detail else ""
                        )
                    )
                self._changed.wait(remaining)
            return self._client

    def _drop(self, client: CallClient) -> None:
        with self._changed:
            if self._client is not client:
                return
            self._untold = True
            self._forget()
            self._state, self._detail = "restarting", "its server has ended"
        client.close()
        self._tell_loss()

    def _tell_loss(self) -> None:
        """Ask the host for another connection. An interrupted drop has not: the next call does, then."""
        if self._untold:
            self._lost()
            self._untold = False

    def _forget(self) -> Optional[CallClient]:
        """Return the client that was used so far, if any, and let go of it and of what is kept for it. Lock held."""
        client, self._client, self._known = self._client, None, None
        self._signatures.clear()
        return client


def _remaining(deadline: Optional[float]) -> Optional[float]:
    return None if deadline is None else deadline - time.monotonic()
