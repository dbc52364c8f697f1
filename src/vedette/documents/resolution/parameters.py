"""Parameters: type, value, and where the value comes from."""

from collections.abc import Mapping

from vedette.application import (
    Origin,
    ParameterInput,
    ParameterType,
    ParameterValue,
    ParameterValueError,
    broken_constraint,
    coerce_parameter,
    default_value,
)
from vedette.documents.application import ResolvedParameter
from vedette.documents.findings import Finding, general
from vedette.documents.models import InterfaceNode, MediaInputPort
from vedette.documents.models.package import StringListInputPort
from vedette.documents.resolution.overriding import Overriding
from vedette.documents.resolution.placed import NodeKind, PlacedNode
from vedette.documents.suggestions import did_you_mean


def resolve_parameters(
    code: PlacedNode,
    wired: Mapping[str, PlacedNode],
    overriding: Overriding,
    settings: Mapping[str, object],
    findings: list[Finding],
    *,
    complete: bool,
) -> list[ResolvedParameter]:
    """Return the parameter ports of ``code`` in the package's order."""
    found: list[ResolvedParameter] = []
    for port in code.interface.inputs if code.interface is not None else ():
        if isinstance(port, MediaInputPort | StringListInputPort):
            continue
        node = wired.get(port.name)
        if node is None:
            bare = ParameterInput(port=port.name, type=port.type, default=port.default, description=port.description)
            found.append(ResolvedParameter(bare, bare.default, "graph"))
            continue
        regex = "" if port.type == "boolean" else port.constraint_regex
        parameter = _parameter(node, port.name, regex, overriding, settings, findings, complete=complete)
        if parameter is not None:
            found.append(parameter)
    return found


def check_settings(
    settings: Mapping[str, object], nodes: Mapping[str, PlacedNode], wired: Mapping[str, PlacedNode]
) -> list[Finding]:
    """Return what is wrong with the names of settings."""
    parameters = {node.name for node in nodes.values() if node.kind is NodeKind.PARAMETER}
    by_port = {port: node.name for port, node in wired.items()}
    findings: list[Finding] = []
    for name in settings:
        if name in parameters:
            continue
        hint = f'"{name}" is a port, its node is "{by_port[name]}"' if name in by_port else ""
        hint = hint or did_you_mean(name, parameters, what="parameters")
        findings.append(general("V050", f'setting "{name[:60]}": the application has no such parameter', hint))
    return findings


def _parameter(
    node: PlacedNode,
    port: str,
    regex: str,
    overriding: Overriding,
    settings: Mapping[str, object],
    findings: list[Finding],
    *,
    complete: bool,
) -> ResolvedParameter | None:
    default = _value_of(node, findings)
    if default is None:
        return None
    decorator = node.node.decorator
    parameter = ParameterInput(
        port=port,
        node=node.name,
        type=_type_of(node),
        default=default,
        title=decorator.title,
        description=decorator.description,
        constraint_regex=decorator.constraint_regex or regex,
        constraint_text=decorator.constraint_text,
    )
    value: ParameterValue = default
    origin: Origin = "graph"
    replacing = overriding.replaced.get(node.name, [])
    if replacing:
        given = _value_of(replacing[0], findings)
        if given is not None:
            value, origin = given, "override"
            if problem := broken_constraint(parameter, value):
                findings.append(replacing[0].finding("V053", problem, at="value"))
    if node.name in settings:
        typed = _setting(parameter, node, settings[node.name], findings)
        if typed is not None:
            value, origin = typed, "deployment"
    elif complete and node.node.override_mandatory and not replacing:
        hint = f"give a value: --set {node.name}=VALUE, or an override document"
        findings.append(node.finding("V042", "an override is mandatory, and there is none", hint))
    return ResolvedParameter(parameter, value, origin)


def _setting(
    parameter: ParameterInput, node: PlacedNode, given: object, findings: list[Finding]
) -> ParameterValue | None:
    if not node.node.overridable:
        hint = f'set "overridable": true on the node in {node.document.file}'
        findings.append(node.finding("V041", "is not overridable, but a setting gives it a value", hint))
        return None
    try:
        value = coerce_parameter(parameter.type, given)
    except ParameterValueError as error:
        findings.append(general("V051", f'setting "{node.name}": {error}'))
        return None
    if problem := broken_constraint(parameter, value):
        findings.append(general("V053", f'setting "{node.name}": {problem}'))
        return None
    return value


def _type_of(node: PlacedNode) -> ParameterType:
    kinds: dict[str, ParameterType] = {"int32": "int32", "float32": "float32", "boolean": "boolean"}
    return kinds.get(node.node.interface, "string")


def _value_of(node: PlacedNode, findings: list[Finding]) -> ParameterValue | None:
    kind = _type_of(node)
    if isinstance(node.node, InterfaceNode):
        return default_value(kind)
    try:
        return coerce_parameter(kind, node.node.value)
    except ParameterValueError as error:
        findings.append(node.finding("V051", f"value {error}", at="value"))
        return None
