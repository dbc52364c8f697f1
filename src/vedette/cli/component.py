"""``vedette component``: look at, restart and stop the components of a running nucleus."""

import json
import sys
import threading
from collections import deque
from pathlib import Path
from typing import Final

from vedette.cli.failure import Failure
from vedette.cli.instance import answering, ask, chosen, print_json
from vedette.cli.nucleus import state_words
from vedette.cli.tables import table
from vedette.cli.terminal import Terminal

_PERIOD_S: Final = 0.2


def list_components(*, root: Path | None, as_json: bool) -> int:
    """Print every component with its state."""
    with answering("components", as_json=as_json):
        components = ask(chosen(root), "components")
    if as_json:
        print_json("components", components=components)
    elif components:
        rows = [(c["name"], c["version"], str(c["restarts"]), state_words(c)) for c in components]
        sys.stdout.write("\n".join(table(("COMPONENT", "VERSION", "RESTARTS", "STATE"), rows)) + "\n")
    else:
        sys.stdout.write("no components; vedette deployment create --recipe-dir DIR --merge NAME=VERSION\n")
    return 0


def show_details(name: str, *, root: Path | None, as_json: bool) -> int:
    """Print one component with its configuration."""
    with answering("component", as_json=as_json):
        found = ask(chosen(root), "component-details", hint="vedette component list", name=name)
    if as_json:
        print_json("component", component=found)
        return 0
    pid = "" if found["pid"] is None else f", pid {found['pid']}"
    sys.stdout.write(
        f"name           {found['name']}\nversion        {found['version']}\n"
        f"state          {state_words(found)}{pid}\nrestarts       {found['restarts']}\n"
        f"configuration  {json.dumps(found['configuration'], indent=2, ensure_ascii=False)}\n"
    )
    return 0


def change(name: str, what: str, terminal: Terminal, *, root: Path | None, as_json: bool) -> int:
    """Restart or stop a component (``what``); returns when that has begun."""
    with answering(f"component-{what}", as_json=as_json):
        ask(chosen(root), f"component-{what}", hint="vedette component list", name=name)
    if as_json:
        print_json(f"component-{what}", name=name)
    else:
        terminal.done({"restart": "restarting", "stop": "stopping"}[what], name)
    return 0


def show_log(name: str, *, root: Path | None, lines: int, follow: bool) -> int:
    """Print the newest lines that a component wrote, then what is added, until Ctrl-C."""
    folder = Path(chosen(root).root) / "logs"
    path = folder / f"{name}.log"
    if not path.is_file():
        known = ", ".join(sorted(found.stem for found in folder.glob("*.log"))) or "none yet"
        raise Failure(f"component `{name}` has written nothing", hint=f"there are logs of: {known}")
    with path.open(encoding="utf-8", errors="replace") as file:
        sys.stdout.writelines(deque(file, maxlen=lines))
        position = file.tell()
    sys.stdout.flush()
    stop = threading.Event()
    while follow and not stop.wait(_PERIOD_S):
        position = _added(path, position)
    return 0


def _added(path: Path, position: int) -> int:
    try:
        size = path.stat().st_size
        if size < position:
            position = 0  # rotated: what is there now is new
        if size == position:
            return position
        with path.open(encoding="utf-8", errors="replace") as file:
            file.seek(position)
            sys.stdout.write(file.read())
            sys.stdout.flush()
            return file.tell()
    except FileNotFoundError:
        return 0
