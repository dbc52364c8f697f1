"""The picture as a tree of lines."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from vedette.diagram.cleaning import cleaned
from vedette.diagram.picture import CameraNode, CodeNode, ModelNode, ParameterNode, Picture
from vedette.diagram.words import (
    camera_words,
    cameras_missing,
    loose_words,
    model_words,
    parameter_words,
    tensor_words,
)

Paint = Callable[[str, str], str]
"""(text, colour name) -> text"""

_UNICODE: Final = ("├─ ", "└─ ", "│  ", "   ", "←", "→")
_ASCII: Final = ("|- ", "`- ", "|  ", "   ", "<-", "->")


@dataclass(frozen=True)
class _Branch:
    text: str
    below: Sequence["_Branch"] = field(default_factory=tuple)


def as_tree(
    picture: Picture, *, paint: Paint = lambda text, _: text, unicode: bool = True, origin: bool = False
) -> str:
    """Return the tree, lines ended by ``\\n``.

    :param origin: say of each value and camera in which file and line it stands
    """
    picture = cleaned(picture)
    marks = _UNICODE if unicode else _ASCII
    head = f"{paint(picture.name, 'bold')}   {paint(' + '.join([picture.graph, *picture.overrides]), 'dim')}"
    lines = [head]
    if picture.description:
        lines.append(picture.description)
    lines += _drawn(_Planter(picture, paint, marks, origin=origin).branches(), "", marks)
    return "\n".join(line.rstrip() for line in lines) + "\n"


class _Planter:
    def __init__(self, picture: Picture, paint: Paint, marks: Sequence[str], *, origin: bool) -> None:
        self._picture = picture
        self._paint = paint
        self._from, self._to = marks[4], marks[5]
        self._origin = origin

    def branches(self) -> list[_Branch]:
        picture, found = self._picture, []
        if picture.code is not None:
            found.append(self._code(picture.code))
        found += [self._model(model) for model in picture.models]
        found += [self._camera(camera) for camera in picture.cameras]
        for output in picture.outputs:
            found.append(self._node("output", output.name, output.title, output.interface, []))
        if picture.parameters:
            found.append(_Branch(self._paint("parameters", "cyan"), list(self._parameters(picture.parameters))))
        for other in picture.others:
            found.append(self._node("unknown", other.name, "", other.interface, []))
        if picture.loose:
            below = [_Branch(loose_words(end)) for end in picture.loose]
            found.append(_Branch(self._paint("not connected", "yellow"), below))
        return found

    def _node(self, kind: str, name: str, title: str, what: str, below: Sequence[_Branch]) -> _Branch:
        parts = [
            f"{self._paint(kind.ljust(7), 'cyan')} {self._paint(name, 'bold')}",
            f'"{title}"' if title else "",
            what,
        ]
        return _Branch("   ".join(part for part in parts if part), below)

    def _code(self, code: CodeNode) -> _Branch:
        producers, consumers = self._picture.producers(), self._picture.consumers()
        rows = [(port.name, port.type, self._ends(self._from, producers.get(port.name, []))) for port in code.inputs]
        rows += [(port.name, port.type, self._ends(self._to, consumers.get(port.name, []))) for port in code.outputs]
        hosts = {route.container_port: route.host_port for route in self._picture.routes}
        for inbound in code.inbound_ports:
            host = hosts.pop(inbound.port, None)
            led = f"{self._from} device port {host}" if host is not None else self._paint("no route", "dim")
            rows.append((f"port {inbound.port}", inbound.description or "tcp", led))
        rows += [(f"port {port}", "undeclared", f"{self._from} device port {host}") for port, host in hosts.items()]
        below = [_Branch(f"runs {code.command}")] if code.command else []
        below += [_Branch(text) for text in _columns(rows)]
        if code.requirements:
            below.append(_Branch(f"requirements in {code.requirements}"))
        if code.gpu:
            below.append(_Branch("asks for a GPU"))
        files = f"{code.files} file{'' if code.files == 1 else 's'}" if code.files else "no sources"
        return self._node("code", code.name, code.title, f"{code.package} {code.version}, {files}", below)

    def _ends(self, mark: str, names: Sequence[str]) -> str:
        return f"{mark} {', '.join(names)}" if names else self._paint("not connected", "dim")

    def _model(self, model: ModelNode) -> _Branch:
        framework = " ".join(part for part in (model.framework, model.precision) if part)
        what = ", ".join(part for part in (f"{model.package} {model.version}", framework, model_words(model)) if part)
        rows = [(tensor.name, tensor_words(tensor), "") for tensor in model.inputs]
        return self._node("model", model.name, model.title, what, [_Branch(text) for text in _columns(rows)])

    def _camera(self, node: CameraNode) -> _Branch:
        rows = [(camera.name, camera_words(camera), "") for camera in node.cameras]
        below = [_Branch(text) for text in _columns(rows)]
        what = cameras_missing(node)
        if self._origin and node.cameras:
            what = self._paint(node.place, "dim")
        if node.description:
            below.insert(0, _Branch(self._paint(node.description, "dim")))
        return self._node("camera", node.name, node.title, what, below)

    def _parameters(self, parameters: Sequence[ParameterNode]) -> Iterator[_Branch]:
        names = [parameter.name for parameter in parameters]
        width = max(len(name) for name in names)
        values = max(len(parameter_words(parameter)) for parameter in parameters)
        for parameter in parameters:
            came = f"{parameter.origin} {self._from} {parameter.place}" if self._origin else parameter.origin
            fixed = "" if parameter.overridable else ", fixed"
            fixed = ", must be given" if parameter.mandatory and parameter.origin == "graph" else fixed
            text = f"{self._paint(parameter.name.ljust(width), 'bold')}   {parameter_words(parameter).ljust(values)}   "
            text += self._paint(came + fixed, "dim")
            about = [
                part for part in (f'"{parameter.title}"' if parameter.title else "", parameter.description) if part
            ]
            if parameter.constraint:
                about.append(f"({parameter.constraint})")
            yield _Branch(text, [_Branch(" ".join(about))] if about else ())


def _columns(rows: Sequence[tuple[str, str, str]]) -> list[str]:
    if not rows:
        return []
    first, second = (max(len(row[column]) for row in rows) for column in (0, 1))
    return [f"{row[0].ljust(first)}   {row[1].ljust(second)}   {row[2]}".rstrip() for row in rows]


def _drawn(branches: Sequence[_Branch], indent: str, marks: Sequence[str]) -> Iterator[str]:
    for number, branch in enumerate(branches, start=1):
        last = number == len(branches)
        yield indent + (marks[1] if last else marks[0]) + branch.text
        yield from _drawn(branch.below, indent + (marks[3] if last else marks[2]), marks)
