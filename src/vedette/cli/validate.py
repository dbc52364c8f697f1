"""``vedette validate``: everything that is wrong with a project, and where."""

import os
import time
from pathlib import Path

from vedette.cli.conversion import conversion_deferred
from vedette.cli.failure import EXIT_FAILED
from vedette.cli.findings import Sources, as_json, count, plural, write_findings
from vedette.cli.output import Output
from vedette.documents import Project, errors, load_project
from vedette.documents.asset_facts import AssetFacts
from vedette.validation import Validation
from vedette.validation import validate as validate_project

SCHEMA = "vedette.validate/1"


def validate(directory: Path, output: Output, *, as_document: bool, verify: bool) -> int:
    """Check the project in ``directory``; 1 when a finding is an error, else 0.

    :param as_document: one JSON document in place of text
    :param verify: read every asset again, also those that have not changed since they were read last
    """
    began = time.monotonic()
    facts = AssetFacts(cache_file(), fresh=verify)
    project = load_project(directory, facts)
    result = validate_project(project, conversion_deferred)
    facts.keep()
    elapsed_s = time.monotonic() - began
    if as_document:
        output.json(_document(project, result, elapsed_s))
    else:
        write_findings(result.findings, Sources(project), output)
        documents = plural(result.documents, "document")
        output.line(f"{documents}: {count(result.findings)} ({elapsed_s:.2f} s)")
    return EXIT_FAILED if errors(result.findings) else 0


def cache_file() -> Path:
    """Return where hashes of assets are kept between runs."""
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path("~/.cache").expanduser())
    return Path(cache) / "vedette" / "assets.json"


def _document(project: Project, result: Validation, elapsed_s: float) -> dict[str, object]:
    wrong = len(errors(result.findings))
    return {
        "schema": SCHEMA,
        "ok": not wrong,
        "project": str(project.root),
        "documents": result.documents,
        "errors": wrong,
        "warnings": len(result.findings) - wrong,
        "elapsed_s": round(elapsed_s, 3),
        "applications": [
            {"graph": item.graph, "override": item.override or None, "ok": item.good} for item in result.applications
        ],
        "findings": [as_json(finding) for finding in result.findings],
    }
