"""Panorama's document kinds as pydantic models."""

from vedette.documents.models.descriptor import (
    DescriptorDocument,
    InputTensor,
    MlModelDescriptor,
    RuntimeDescriptor,
    RuntimeEntry,
)
from vedette.documents.models.fields import Decorator, DocumentModel
from vedette.documents.models.graph import (
    Edge,
    GraphDocument,
    InterfaceNode,
    NetworkRoutingRule,
    Node,
    NodeGraph,
    NodeGraphOverrides,
    NodeOverride,
    OverrideDocument,
    PackageInclude,
    ParameterNode,
)
from vedette.documents.models.package import (
    Asset,
    Implementation,
    InputPort,
    Interface,
    MediaInputPort,
    NodePackage,
    OutputPort,
    PackageDocument,
    PackageOverridesDocument,
)

__all__ = [
    "Asset",
    "Decorator",
    "DescriptorDocument",
    "DocumentModel",
    "Edge",
    "GraphDocument",
    "Implementation",
    "InputPort",
    "InputTensor",
    "Interface",
    "InterfaceNode",
    "MediaInputPort",
    "MlModelDescriptor",
    "NetworkRoutingRule",
    "Node",
    "NodeGraph",
    "NodeGraphOverrides",
    "NodeOverride",
    "NodePackage",
    "OutputPort",
    "OverrideDocument",
    "PackageDocument",
    "PackageInclude",
    "PackageOverridesDocument",
    "ParameterNode",
    "RuntimeDescriptor",
    "RuntimeEntry",
]
