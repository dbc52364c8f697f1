"""``vedette shadow``: read and change device shadows of a running nucleus."""

import json
import sys
from pathlib import Path

from vedette.cli.failure import EXIT_USAGE, Failure
from vedette.cli.instance import answering, ask, chosen, print_json
from vedette.cli.terminal import Terminal


def get(*, root: Path | None, thing: str | None, name: str, as_json: bool) -> int:
    """Print a shadow."""
    with answering("shadow", as_json=as_json):
        found = ask(
            chosen(root), "shadow-get", hint="vedette shadow set '{\"fps\": 5}' makes one", thing=thing, shadow=name
        )
    if as_json:
        print_json("shadow", shadow=found)
    else:
        sys.stdout.write(json.dumps(found, indent=2, ensure_ascii=False) + "\n")
    return 0


def update(
    text: str, terminal: Terminal, *, root: Path | None, thing: str | None, name: str, section: str, as_json: bool
) -> int:
    """Merge JSON into a shadow's desired (or reported) state; null takes a key away."""
    with answering("shadow", as_json=as_json):
        document = _document(text, section)
        found = ask(chosen(root), "shadow-set", thing=thing, shadow=name, document=document)
    if as_json:
        print_json("shadow", shadow=found)
    else:
        terminal.done("shadow", f"{name or 'classic'} is now version {found['version']}")
    return 0


def _document(text: str, section: str) -> dict[str, object]:
    if section not in {"desired", "reported"}:
        raise Failure(
            f"a shadow has no section `{section}`", hint="--section desired or reported", exit_code=EXIT_USAGE
        )
    try:
        document = json.loads(text)
    except ValueError as error:
        raise Failure(f"the state is not JSON: {error}", hint="vedette shadow set '{\"fps\": 5}'") from error
    if not isinstance(document, dict):
        raise Failure("the state is no JSON object", hint="vedette shadow set '{\"fps\": 5}'")
    return document if "state" in document else {"state": {section: document}}
