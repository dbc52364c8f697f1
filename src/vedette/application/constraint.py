"""The constraint that a parameter's decorator sets: one rule for documents, settings and shadows."""

import re
from typing import Final

from vedette.application.manifest import ParameterInput
from vedette.application.parameter import ParameterValue

_MAX_CHECKED: Final = 1000
"""Characters: a longer value is not tried, an expression may take very long on it."""


def broken_constraint(parameter: ParameterInput, value: ParameterValue) -> str:
    """Return how ``value`` breaks the constraint, in the author's words where there are any, or an empty text."""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if not parameter.constraint_regex or len(text) > _MAX_CHECKED:
        return ""
    try:
        fits = re.search(parameter.constraint_regex, text) is not None
    except (re.error, RecursionError, OverflowError):
        return ""  # not a regular expression that this machine understands: no reason to refuse the value
    return "" if fits else parameter.constraint_text or f"the value does not match {parameter.constraint_regex}"
