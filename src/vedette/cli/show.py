"""``vedette show``: the application of a project as a tree, a diagram or JSON. Nothing is started or asked for."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from vedette.cli.arguments import read_cameras, read_known_cameras, read_pairs
from vedette.cli.conversion import conversion_deferred
from vedette.cli.credentials import Credentials
from vedette.cli.failure import EXIT_FAILED, EXIT_USAGE, Failure
from vedette.cli.findings import Sources, as_json, plural, write_findings
from vedette.cli.output import Output
from vedette.diagram import as_document, as_mermaid, as_svg, as_tree, picture_of
from vedette.documents import Project, Resolution, errors, load_project, resolve

SCHEMA: Final = "vedette.show/1"
FORMATS: Final = ("tree", "mermaid", "svg", "json")


@dataclass(frozen=True)
class ShowOptions:
    """What ``vedette show`` was asked for; see its help."""

    directory: Path
    overrides: tuple[Path, ...] = ()
    cameras: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    graph: str | None = None
    cameras_file: Path | None = None
    format: str = "tree"
    origin: bool = False


def show(options: ShowOptions, credentials: Credentials, output: Output, talk: Output) -> int:
    """Write the application to ``output`` and findings to ``talk``; 1 when a finding is an error, else 0.

    What can be read is shown in spite of errors.

    :raises Failure: for a format, camera or setting that is written wrongly
    """
    if options.format not in FORMATS:
        raise Failure(f"--format takes {', '.join(FORMATS)}, got `{options.format}`", exit_code=EXIT_USAGE)
    known = read_known_cameras(options.cameras_file) if options.cameras else {}
    cameras = read_cameras(options.cameras, credentials, known=known)
    settings = dict(read_pairs(options.settings, "--set"))
    project = load_project(options.directory)
    resolution = resolve(
        project,
        options.overrides,
        cameras.sources,
        settings,
        graph=options.graph,
        complete=False,
        convert=conversion_deferred,
    )
    if options.format == "json":
        output.json(_document(project, resolution, options))
        return EXIT_FAILED if errors(resolution.findings) else 0
    wrong = errors(resolution.findings)
    if wrong or options.format == "tree":
        write_findings(wrong, Sources(project), talk)
    if resolution.parts is None:
        return EXIT_FAILED
    picture = picture_of(resolution.parts, project, options.overrides)
    if options.format == "tree":
        output.write(as_tree(picture, paint=output.paint, unicode=output.unicode, origin=options.origin))
    else:
        output.write(as_svg(picture) if options.format == "svg" else as_mermaid(picture))
    if warnings := len(resolution.findings) - len(wrong):
        talk.line(f"{plural(warnings, 'warning')}, see `vedette validate`")
    return EXIT_FAILED if wrong else 0


def _document(project: Project, resolution: Resolution, options: ShowOptions) -> Mapping[str, Any]:
    application = None
    if resolution.parts is not None:
        application = as_document(picture_of(resolution.parts, project, options.overrides))
    return {
        "schema": SCHEMA,
        "ok": not errors(resolution.findings),
        "project": str(project.root),
        "application": application,
        "findings": [as_json(finding) for finding in resolution.findings],
    }
