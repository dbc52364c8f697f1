"""The base of every bus message."""

from pydantic import BaseModel, ConfigDict


class Message(BaseModel):
    """A frozen document on the bus; unknown keys are ignored so that versions may differ between components."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    def encode(self) -> bytes:
        """Return the message as JSON, without the fields that are None."""
        return self.model_dump_json(exclude_none=True).encode()
