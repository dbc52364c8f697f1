"""The base of every bus message."""

from typing import Final

from pydantic import BaseModel, ConfigDict

MAX_BYTES: Final = 7_000
"""Nucleus lite closes the connection of who sends more than 10,000 bytes a packet: 7,299 bytes of binary payload."""
REPEAT_S: Final = 1.0
"""How often a live demand or status is repeated."""
TTL_S: Final = 4.0
"""After how long without a repetition a demand or status is forgotten."""


class Message(BaseModel):
    """A frozen document on the bus; unknown keys are ignored so that versions may differ between components."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    def encode(self) -> bytes:
        """Return the message as JSON, without the fields that are None."""
        return self.model_dump_json(exclude_none=True).encode()
