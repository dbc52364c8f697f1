"""graph.json (application manifest) and override documents."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from vedette.documents.models.fields import (
    Decorator,
    DocumentModel,
    EdgeEnd,
    EnvelopeVersion,
    Integer,
    NodeName,
    NodeReference,
    Optional,
    PackageVersion,
    ParameterInterface,
    PortNumber,
    Text255,
)


class PackageInclude(DocumentModel):
    """A package that defines interfaces used in the graph: ``<account>::<NAME>``."""

    name: Annotated[str, Field(max_length=255, pattern=r"^[$A-Z_a-z0-9]+::[a-zA-Z_0-9\-]+$")]
    version: PackageVersion
    patch_version: str = "package"
    generated_patch_version: str = ""
    uri: str = ""

    @property
    def package(self) -> str:
        """Return the name without the account."""
        return self.name.partition("::")[2]


class _Node(DocumentModel):
    name: NodeName
    overridable: bool = False
    override_mandatory: bool = False
    # Early graphs have it; AWS's later schema has only the decorator's.
    description: str = ""
    decorator: Decorator = Decorator()


class InterfaceNode(_Node):
    """A node that a package implements: ``<account>::<PACKAGE>.<interface>``."""

    interface: Annotated[str, Field(pattern=r"^[$A-Z_a-z0-9\-]+::[A-Z_a-z0-9\-]+\.[A-Z_a-z0-9\-]+$")]
    launch: Literal["onDemand", "onAppStart", "onSignal"] = "onAppStart"

    @property
    def account(self) -> str:
        """Return the account id, or ``panorama``."""
        return self.interface.partition("::")[0]

    @property
    def package(self) -> str:
        """Return the package's name without the account."""
        return self.interface.partition("::")[2].partition(".")[0]

    @property
    def interface_name(self) -> str:
        """Return the interface's name within the package."""
        return self.interface.partition("::")[2].partition(".")[2]


class StringNode(_Node):
    """A string parameter."""

    interface: Literal["string"]
    value: str = ""


class Int32Node(_Node):
    """An integer parameter."""

    interface: Literal["int32"]
    value: Integer = 0


class Float32Node(_Node):
    """A number parameter."""

    interface: Literal["float32"]
    value: float = 0.0


class BooleanNode(_Node):
    """A boolean parameter."""

    interface: Literal["boolean"]
    value: bool = False


ParameterNode = StringNode | Int32Node | Float32Node | BooleanNode

_PARAMETERS = frozenset(ParameterInterface.__args__)  # type: ignore[attr-defined]


def _node_kind(data: Any) -> str:
    interface = data.get("interface") if isinstance(data, dict) else getattr(data, "interface", None)
    return f"<{interface}>" if isinstance(interface, str) and interface in _PARAMETERS else "<package>"


Node = Annotated[
    Annotated[StringNode, Tag("<string>")]
    | Annotated[Int32Node, Tag("<int32>")]
    | Annotated[Float32Node, Tag("<float32>")]
    | Annotated[BooleanNode, Tag("<boolean>")]
    | Annotated[InterfaceNode, Tag("<package>")],
    Discriminator(_node_kind),
]


class Edge(DocumentModel):
    """A connection; each end is ``node.port``, or ``node`` for a parameter."""

    producer: EdgeEnd
    consumer: EdgeEnd


class NetworkRoutingRule(DocumentModel):
    """Leads a port of the device to a port of a node."""

    node: NodeName
    container_port: PortNumber
    host_port: Optional[Integer] = None
    decorator: Decorator = Decorator()


class NodeGraph(DocumentModel):
    """The application."""

    envelope_version: EnvelopeVersion
    description: Text255 = ""
    # AWS asks for at least one package and node; the CLI's template has none before it is filled in.
    packages: list[PackageInclude]
    nodes: list[Node]
    edges: list[Edge] = Field(default_factory=list)
    network_routing_rules: list[NetworkRoutingRule] = Field(default_factory=list)


class GraphDocument(DocumentModel):
    """graph.json."""

    node_graph: NodeGraph


class Replacement(DocumentModel):
    """The name of a node that takes another's place."""

    name: NodeReference


class NodeOverride(DocumentModel):
    """Puts one or several nodes in the place of one."""

    envelope_version: Optional[EnvelopeVersion] = None
    replace: NodeReference
    with_: list[Replacement] = Field(alias="with")


class NodeGraphOverrides(DocumentModel):
    """What a deployment changes in a graph."""

    envelope_version: EnvelopeVersion
    description: Text255 = ""
    packages: list[PackageInclude] = Field(default_factory=list)
    nodes: list[Node] = Field(default_factory=list)
    edges: list[Edge] = Field(default_factory=list)
    network_routing_rules: list[NetworkRoutingRule] = Field(default_factory=list)
    node_overrides: list[NodeOverride] = Field(default_factory=list)


class OverrideDocument(DocumentModel):
    """override.json."""

    node_graph_overrides: NodeGraphOverrides
