"""Parameter types and the one rule by which a value becomes what ``inputs.<port>.get()`` returns.

Values come from documents (typed JSON), from the command line and from Greengrass configuration. The last two may carry
everything as text: nucleus lite makes strings of the scalars of a YAML recipe, and the Java nucleus floats of integers.
"""

import math
import re
from collections.abc import Mapping
from typing import Final, Literal

ParameterType = Literal["string", "int32", "float32", "boolean"]
ParameterValue = str | int | float | bool

_DEFAULTS: Final[Mapping[str, ParameterValue]] = {"string": "", "int32": 0, "float32": 0.0, "boolean": False}
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,10}")
_WORDS: Final[Mapping[str, str]] = {
    "string": "text",
    "int32": "an integer from -2147483648 to 2147483647",
    "float32": "a number",
    "boolean": "true or false",
}
_LARGEST_FLOAT32: Final = 3.4028234663852886e38


class ParameterValueError(ValueError):
    """A value does not fit its parameter's type."""


def default_value(kind: ParameterType) -> ParameterValue:
    """Return what Panorama takes for a parameter without a value: ``""``, 0, 0.0 or false."""
    return _DEFAULTS[kind]


def coerce_parameter(kind: ParameterType, value: object) -> ParameterValue:
    """Return ``value`` as the Python type of ``kind``: str, int, float or bool.

    Text is read as a value of the type (``"20"`` is 20.0 for float32, ``"true"`` is True for boolean); a whole float
    is an integer for int32; an integer is a float for float32. Nothing else is converted.

    :raises ParameterValueError: if it does not fit; says what was expected
    """
    result: ParameterValue | None
    if kind == "string":
        result = value if isinstance(value, str) else None
    elif kind == "boolean":
        result = _boolean(value)
    elif isinstance(value, bool):
        result = None
    elif kind == "int32":
        result = _int32(value)
    else:
        result = _float32(value)
    if result is None:
        raise ParameterValueError(f"takes {_WORDS[kind]} ({kind}), got {_shown(value)}")
    return result


def _shown(value: object) -> str:
    if isinstance(value, int) and abs(value) >= 10**20:
        return "a very large number"  # Python refuses to print integers of over 4,300 digits
    return (repr(value) if isinstance(value, str) else str(value))[:80]


def _boolean(value: object) -> bool | None:
    if isinstance(value, bool):
        return value
    return {"true": True, "false": False}.get(value.strip().lower()) if isinstance(value, str) else None


def _int32(value: object) -> int | None:
    number: int | None = None
    if isinstance(value, str):
        number = int(value) if _INTEGER.fullmatch(value.strip()) else None
    elif isinstance(value, int | float) and value == value // 1:
        number = int(value)
    return number if number is not None and -(2**31) <= number < 2**31 else None


def _float32(value: object) -> float | None:
    if not isinstance(value, int | float | str) or (isinstance(value, str) and "_" in value):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and abs(number) <= _LARGEST_FLOAT32 else None
