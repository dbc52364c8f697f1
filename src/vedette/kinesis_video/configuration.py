"""What may be configured of uploads, in every component that has some."""

import re
import string
from collections.abc import Iterable
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

LONGEST_NAME: Final = 256
STREAM_PLACES: Final = ("device", "instance", "port", "stream")
"""Of the name of an output's stream."""
_UNFIT: Final = re.compile(r"[^A-Za-z0-9_.-]+")


class StreamSettings(BaseModel):
    """How video gets into Kinesis Video Streams. A component adds which."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    create: bool = Field(default=False, description="make streams that are not there (kinesisvideo:CreateStream)")
    retention_hours: int = Field(
        default=24,
        ge=0,
        le=87_600,
        alias="retentionHours",
        description="how long a stream that is made here keeps video; 0: for live viewers alone",
    )
    region: str = Field(
        default="", pattern=r"^$|^[a-z]{2}(-[a-z]+)+-\d$", description="of the streams; empty: the device's"
    )
    megabytes: int = Field(
        default=16, ge=1, le=1024, description="of memory a stream, for what waits while AWS cannot be reached"
    )


def check_template(template: str, known: Iterable[str]) -> None:
    """Check a stream name with places like ``{device}``.

    :raises ValueError: what is wrong, what is expected
    """
    places = sorted(known)
    try:
        parts = list(string.Formatter().parse(template))
    except ValueError:
        raise ValueError("a brace has no partner") from None
    for literal, place, spec, conversion in parts:
        if _UNFIT.search(literal):
            raise ValueError("a stream's name is made of letters, digits, `_`, `.` and `-`")
        if place is not None and (place not in places or spec or conversion):
            raise ValueError(f"{{{place}}} is unknown: places are {', '.join(f'{{{each}}}' for each in places)}")


def stream_name(template: str, **facts: str) -> str:
    """Fill in a name; what AWS does not take (CreateStream: ``[a-zA-Z0-9_.-]+``, 256) becomes ``-``."""
    filled = template.format(**{key: _UNFIT.sub("-", value) for key, value in facts.items()})
    return filled[:LONGEST_NAME]
