"""The Transport header in a server's answer to SETUP, and what both sides' have in common. A codec: no I/O."""

import ipaddress
from typing import NamedTuple


class Agreed(NamedTuple):
    """What the server will do: ``channels`` of the connection, or datagrams from ``ports`` of ``source``."""

    channels: tuple[int, int] | None
    ports: tuple[int, int] | None
    source: str | None


def parse_answer(value: str) -> Agreed | None:
    """Return what was agreed; None when the header cannot be understood."""
    words = [word.strip() for word in value.split(",", maxsplit=1)[0].split(";")]
    options = {name.lower(): text for name, _, text in (word.partition("=") for word in words[1:])}
    source: str | None = options.get("source")
    try:
        source = str(ipaddress.ip_address(source or ""))
    except ValueError:
        source = None
    if words[0].upper() == "RTP/AVP/TCP":
        channels = pair(options.get("interleaved", "0-1"), 255)
        return None if channels is None else Agreed(channels, None, source)
    if words[0].upper() in ("RTP/AVP", "RTP/AVP/UDP"):
        return Agreed(None, pair(options.get("server_port", ""), 65535), source)
    return None


def pair(text: str, most: int) -> tuple[int, int] | None:
    """Return two numbers, ``4-5`` or just ``4``, none over ``most``; None for what is none."""
    first, dash, second = text.partition("-")
    if not first.isascii() or not first.isdigit() or (dash and not (second.isascii() and second.isdigit())):
        return None
    low = int(first)
    high = int(second) if dash else low + 1
    return (low, high) if max(low, high) <= most and low != high else None
