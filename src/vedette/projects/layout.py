"""How JSON is laid out in documents that people read and edit."""

import json
from typing import Any, Final

LINE: Final = 120


def laid_out(value: Any, indent: str = "", unit: str = "    ", newline: str = "\n") -> str:
    """Return JSON as a person would write it: an object or list of plain values stands on one line where it fits.

    :param indent: what the line begins with on which the value stands
    """
    line = json.dumps(value, ensure_ascii=False)
    items = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    plain = not any(isinstance(item, dict | list) for item in items)
    if not items or (plain and len(indent) + len(line) <= LINE):
        return line
    inner, outer = newline + indent + unit, newline + indent
    if isinstance(value, dict):
        parts = [
            f"{json.dumps(key, ensure_ascii=False)}: {laid_out(item, indent + unit, unit, newline)}"
            for key, item in value.items()
        ]
        return "{" + inner + f",{inner}".join(parts) + outer + "}"
    return "[" + inner + f",{inner}".join(laid_out(item, indent + unit, unit, newline) for item in value) + outer + "]"
