"""The picture as a Mermaid flow chart."""

import re
from typing import Final

from vedette.diagram.cleaning import cleaned
from vedette.diagram.picture import Picture
from vedette.diagram.words import camera_words, cameras_missing, model_words, parameter_words, tensor_words

_CLASSES: Final = {
    "code": "fill:#dbeafe,stroke:#2563eb,color:#111827",
    "model": "fill:#ede9fe,stroke:#7c3aed,color:#111827",
    "camera": "fill:#dcfce7,stroke:#16a34a,color:#111827",
    "output": "fill:#ffedd5,stroke:#ea580c,color:#111827",
    "parameter": "fill:#f3f4f6,stroke:#6b7280,color:#111827",
    "unknown": "fill:#fee2e2,stroke:#dc2626,color:#111827",
}
_SHAPES: Final = {"camera": ('(["', '"])'), "parameter": ('("', '")'), "model": ('[["', '"]]')}
_ESCAPED: Final = re.compile(r"[^\w .,:/()=\-\u0080-\uffff]")


def as_mermaid(picture: Picture) -> str:
    """Return the chart; every text is escaped, names of nodes are numbered."""
    picture = cleaned(picture)
    nodes: dict[str, tuple[str, list[str]]] = {}
    for camera in picture.cameras:
        shown = [f"{item.name}: {camera_words(item)}" for item in camera.cameras] or [cameras_missing(camera)]
        nodes[camera.name] = ("camera", [camera.title, *shown])
    for parameter in picture.parameters:
        nodes[parameter.name] = ("parameter", [parameter.title, parameter_words(parameter)])
    if (code := picture.code) is not None:
        nodes[code.name] = ("code", [f"{code.package} {code.version}", code.command])
    for output in picture.outputs:
        nodes[output.name] = ("output", [output.title or output.interface])
    for model in picture.models:
        tensors = [f"{tensor.name}: {tensor_words(tensor)}" for tensor in model.inputs]
        nodes[model.name] = ("model", [f"{model.package} {model.version}", model_words(model), *tensors])
    for other in picture.others:
        nodes[other.name] = ("unknown", [other.interface])
    names = {name: f"n{number}" for number, name in enumerate(nodes, start=1)}
    lines = ["flowchart LR"]
    for name, (kind, texts) in nodes.items():
        opening, closing = _SHAPES.get(kind, ('["', '"]'))
        label = "<br/>".join(_escape(text) for text in (name, *texts) if text)
        lines.append(f"  {names[name]}{opening}{label}{closing}:::{kind}")
    for edge in picture.edges:
        if edge.producer in names and edge.consumer in names:
            ports = " to ".join(port for port in (edge.producer_port, edge.consumer_port) if port)
            arrow = f'-- "{_escape(ports)}" -->' if ports else "-->"
            lines.append(f"  {names[edge.producer]} {arrow} {names[edge.consumer]}")
    if code is not None:
        lines += [f'  {names[code.name]} -. "call()" .-> {names[model.name]}' for model in picture.models]
        for number, route in enumerate(picture.routes, start=1):
            lines.append(f'  r{number}(("device port {route.host_port}"))')
            lines.append(f'  r{number} -- "port {route.container_port}" --> {names[code.name]}')
    used = {kind for kind, _ in nodes.values()}
    lines += [f"  classDef {kind} {style}" for kind, style in _CLASSES.items() if kind in used]
    return "\n".join(lines) + "\n"


def _escape(text: str) -> str:
    return _ESCAPED.sub(lambda match: f"#{ord(match[0])};", text)
