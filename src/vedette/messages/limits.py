"""Numbers that every message keeps to; importing them loads no models."""

from typing import Final

MAX_BYTES: Final = 7_000
"""Nucleus lite closes the connection of who sends more than 10,000 bytes a packet: 7,299 bytes of binary payload."""
REPEAT_S: Final = 1.0
"""How often a live demand or status is repeated."""
TTL_S: Final = 4.0
"""After how long without a repetition a demand or status is forgotten."""
