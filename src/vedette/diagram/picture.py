"""The typed picture of an application: nodes with ports, edges, values with where they come from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from vedette.application import InboundPort, Launch, Origin, ParameterType, ParameterValue, PortRoute
from vedette.messages import Tensor


@dataclass(frozen=True)
class Port:
    """A port of a node."""

    name: str
    type: str
    description: str = ""
    connected: bool = False


@dataclass(frozen=True)
class CodeNode:
    """The application's code."""

    name: str
    title: str
    package: str
    version: str
    command: str
    """As the runtime descriptor has it; empty where that could not be read."""
    files: int
    requirements: str
    """File that lists them, empty where there is none."""
    gpu: bool
    inputs: Sequence[Port]
    outputs: Sequence[Port]
    inbound_ports: Sequence[InboundPort]


@dataclass(frozen=True)
class ModelNode:
    """A model; reached by the code's ``call()``, not by an edge."""

    name: str
    title: str
    package: str
    version: str
    interface: str
    file: str
    """Name of the model file, empty where there is none that can be used."""
    format: str
    framework: str
    precision: str
    inputs: Sequence[Tensor]


@dataclass(frozen=True)
class Camera:
    """A camera on a camera node."""

    name: str
    address: str
    """Without user and password; empty where only a deployment knows it."""
    launch: Launch
    login: bool
    """Whether it has a user and a password, kept as a secret."""


@dataclass(frozen=True)
class CameraNode:
    """A place for cameras."""

    name: str
    title: str
    description: str
    mandatory: bool
    """Whether a deployment has to name a camera."""
    cameras: Sequence[Camera]
    origin: Origin
    place: str


@dataclass(frozen=True)
class OutputNode:
    """Where pictures go."""

    name: str
    title: str
    interface: str


@dataclass(frozen=True)
class ParameterNode:
    """A parameter with its value."""

    name: str
    title: str
    description: str
    type: ParameterType
    value: ParameterValue | None
    """None for one that is named like a password: it is not shown."""
    default: ParameterValue | None
    origin: Origin
    place: str
    """File, line and column of the value, or the option that gave it."""
    overridable: bool
    mandatory: bool
    constraint: str


@dataclass(frozen=True)
class OtherNode:
    """A node that is of no known kind: its package is missing or has errors."""

    name: str
    interface: str


@dataclass(frozen=True)
class Edge:
    """A connection; ports are empty for parameters."""

    producer: str
    producer_port: str
    consumer: str
    consumer_port: str


EndKind = Literal["input", "output", "node"]


@dataclass(frozen=True)
class LooseEnd:
    """What is connected to nothing: a port of the code, or a whole node."""

    kind: EndKind
    name: str


@dataclass(frozen=True)
class Picture:
    """One application, resolved as far as its documents allow."""

    name: str
    graph: str
    overrides: Sequence[str]
    description: str
    code: CodeNode | None
    models: Sequence[ModelNode]
    cameras: Sequence[CameraNode]
    outputs: Sequence[OutputNode]
    parameters: Sequence[ParameterNode]
    others: Sequence[OtherNode]
    edges: Sequence[Edge]
    routes: Sequence[PortRoute]
    loose: Sequence[LooseEnd]

    def producers(self) -> Mapping[str, list[str]]:
        """Return the nodes that lead to each input port of the code."""
        found: dict[str, list[str]] = {}
        for edge in self.edges:
            if self.code is not None and edge.consumer == self.code.name:
                found.setdefault(edge.consumer_port, []).append(edge.producer)
        return found

    def consumers(self) -> Mapping[str, list[str]]:
        """Return the nodes that each output port of the code leads to."""
        found: dict[str, list[str]] = {}
        for edge in self.edges:
            if self.code is not None and edge.producer == self.code.name:
                found.setdefault(edge.producer_port, []).append(edge.consumer)
        return found
