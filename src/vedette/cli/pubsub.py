"""``vedette pubsub``: hear and say something on a running nucleus's local topics."""

import base64
import json
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from vedette.cli.instance import answering, ask, chosen, listen, print_json
from vedette.cli.terminal import Terminal


def subscribe(topic: str, *, root: Path | None, count: int | None, as_json: bool) -> int:
    """Print every message of a topic or filter until Ctrl-C, or until ``count`` have come."""
    for seen, message in enumerate(listen(chosen(root), "subscribe", topic=topic), 1):
        sys.stdout.write(_line(message, as_json=as_json) + "\n")
        sys.stdout.flush()
        if count is not None and seen >= count:
            break
    return 0


def publish(topic: str, message: str, terminal: Terminal, *, root: Path | None, as_json: bool) -> int:
    """Publish a message, ``-`` is what stands on standard input; tell how many subscribers it went to."""
    payload = sys.stdin.buffer.read() if message == "-" else message.encode()
    with answering("publish", as_json=as_json):
        reached = ask(chosen(root), "publish", topic=topic, payload=base64.b64encode(payload).decode())
    if as_json:
        print_json("publish", topic=topic, subscribers=reached)
    else:
        terminal.done("published", f"{len(payload)} bytes on {topic} to {reached} subscribers")
    return 0


def _line(message: dict[str, Any], *, as_json: bool) -> str:
    payload = base64.b64decode(message["payload"])
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        text = None
    now = datetime.now(timezone.utc)
    if as_json:
        content = {"payload_base64": message["payload"]} if text is None else {"payload": text}
        document = {"type": "message", "time": now.isoformat().replace("+00:00", "Z"), "topic": message["topic"]}
        return json.dumps({**document, "source": message["source"], **content, "dropped": message["dropped"]})
    words = f"{len(payload)} bytes, base64 {message['payload']}" if text is None else text
    return f"{now.astimezone():%H:%M:%S} {message['topic']} ({message['source']}) {words}"
