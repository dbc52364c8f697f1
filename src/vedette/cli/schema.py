"""``vedette schema``: the JSON Schema of a document kind, for editors."""

from vedette.cli.failure import EXIT_USAGE, Failure
from vedette.cli.output import Output
from vedette.documents.json_schema import SCHEMAS, json_schema
from vedette.documents.suggestions import did_you_mean


def show_schema(kind: str, output: Output) -> int:
    """Write the schema of ``kind``.

    :raises Failure: for an unknown kind
    """
    if kind not in SCHEMAS:
        hint = did_you_mean(kind, SCHEMAS, what="kinds")
        raise Failure(f"there is no document kind `{kind}`", hint=hint, exit_code=EXIT_USAGE)
    output.json(json_schema(kind))
    return 0
