"""Puts together what is to be said of a project."""

from collections.abc import Iterator
from dataclasses import dataclass

from vedette.documents import Finding, Graph, Project, Resolution, errors, resolve
from vedette.documents.document import Document
from vedette.documents.models import OverrideDocument
from vedette.documents.resolution.models import ConvertModel
from vedette.validation.limits import check_limits
from vedette.validation.requirements import check_requirements
from vedette.validation.sources import check_sources


@dataclass(frozen=True)
class CheckedApplication:
    """One graph, alone or with one override document, and whether it resolves."""

    graph: str
    """File of the graph, relative to the project."""
    override: str
    """File of the override; empty for the graph alone."""
    good: bool


@dataclass(frozen=True)
class Validation:
    """Everything found in a project, by place."""

    documents: int
    applications: tuple[CheckedApplication, ...]
    findings: tuple[Finding, ...]


def validate(project: Project, convert: ConvertModel | None = None) -> Validation:
    """Check ``project``. What only a deployment says (cameras, mandatory overrides) is not asked for.

    :param convert: see :func:`vedette.documents.resolve`
    """
    findings = set(project.findings())
    applications: list[CheckedApplication] = []
    sources: set[str] = set()
    for graph in project.graphs:
        for override in (None, *_overrides_of(graph, project)):
            overrides = [] if override is None else [override.path]
            resolution = resolve(project, overrides, graph=graph.document.file, complete=False, convert=convert)
            found = [*resolution.findings, *_limits(resolution)]
            applications.append(
                CheckedApplication(
                    graph.document.file, override.file if override is not None else "", not errors(found)
                )
            )
            findings.update(found, _code(resolution, project, sources))
    return Validation(len(project.documents()), tuple(applications), tuple(sorted(findings)))


def _overrides_of(graph: Graph, project: Project) -> Iterator[Document[OverrideDocument]]:
    """Yield the overrides beside ``graph``, if it is its folder's first: which graph they are for is said nowhere.

    Templates and documents with errors are left out: what is wrong with them is said already.
    """
    if project.graph(graph.name) is graph:
        for override in project.overrides:
            if override.model is not None and override.path.parent == graph.document.path.parent:
                yield override


def _limits(resolution: Resolution) -> list[Finding]:
    return [] if resolution.application is None else check_limits(resolution.application)


def _code(resolution: Resolution, project: Project, seen: set[str]) -> Iterator[Finding]:
    """Yield what is wrong with the code, once for each package."""
    code = resolution.parts.resolved_code if resolution.parts is not None else None
    if code is None or str(code.package.folder) in seen:
        return
    seen.add(str(code.package.folder))
    yield from check_sources(code.files, code.entry, project.root)
    yield from check_requirements(code.files, project.root)
