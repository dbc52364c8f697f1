"""The node: what an application is, or has."""

import time
from typing import Any, Optional, Tuple

from . import _runtime
from ._ports import Ports


class node:
    """The application's code node: its ports and the models it calls.

    Used both ways: ``class Application(panoramasdk.node)`` and ``self.node = panoramasdk.node()``. Ports are there
    before any ``__init__`` runs, which need not call ``super().__init__()`` and may take arguments of its own. Every
    node of a process has the same ports.
    """

    inputs: Ports
    """One attribute per input port of the code package's interface."""
    outputs: Ports
    """One attribute per output port."""

    def __new__(cls, *_args: Any, **_kwargs: Any) -> "node":
        self = super().__new__(cls)
        runtime = _runtime.current()
        self.inputs = runtime.inputs
        self.outputs = runtime.outputs
        return self

    def __init__(self, *_args: Any, **_kwargs: Any) -> None:
        """Take whatever a subclass passes on."""

    def call(self, input: Any = None, name: Any = None, time_out: Optional[float] = None) -> Tuple[Any, ...]:
        """Run a model and return its outputs, a tuple of arrays in the model's order.

        Waits while the model is being loaded; other threads run meanwhile.

        :param input: dictionary of arrays by input name; or, for a model with one input, an array or a media. Arrays
            are cast to the model's element type, and get a batch dimension where they lack it. A media goes to a
            model with a preprocess.json as it is: the model's server scales and normalises it; with a postprocess
            block the outputs are boxes (n, 4), scores (n,) and classes (n,).
        :param name: name of the model's node in the graph. ``call(name, input)`` works, too: the reference has it so.
        :param time_out: seconds; None waits for ever.
        :raises KeyError: when the application has no such model.
        :raises ValueError: when the input does not fit the model.
        :raises TimeoutException: (a TimeoutError) when there was no answer in time.
        """
        if isinstance(input, str) and not isinstance(name, str):
            input, name = name, input  # noqa: A001
        if not isinstance(name, str):
            raise TypeError(
                "call() takes an input and the name of a model node, got {} and {}".format(
                    type(input).__name__, type(name).__name__
                )
            )
        runtime = _runtime.current()
        runtime.ready()
        model = runtime.models.get(name)
        if model is None:
            raise KeyError(
                "{!r} is no model node of this application; its models: {}".format(
                    name, ", ".join(sorted(runtime.models)) or "none"
                )
            )
        start = time.monotonic()
        with runtime.activity.wait():
            outputs = model.call(input, time_out)
        runtime.activity.called(time.monotonic() - start)
        return outputs
