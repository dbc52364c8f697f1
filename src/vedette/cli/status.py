"""``vedette status``: the health document of what runs here, as a table or as JSON."""

import json
import sys
from typing import Any

from vedette.cli.failure import EXIT_FAILED
from vedette.cli.tables import table
from vedette.cli.terminal import Terminal
from vedette.health import HealthDocument, UploadHealth
from vedette.messages import NetworkStatus
from vedette.nucleus.control import request
from vedette.nucleus.errors import ControlError, NucleusError
from vedette.nucleus.instances import Instance, find_instances


def show_status(terminal: Terminal, *, as_json: bool, nodes: bool = False) -> int:
    """Print the state of every running instance; 0 when something runs and nothing is wrong, else 1."""
    answers: list[tuple[Instance, dict[str, Any]]] = []
    failures = []
    try:
        for instance in find_instances():
            try:
                health = request(instance.control_socket, "health")
            except ControlError as error:
                failures.append(str(error))
                continue
            if health is None:
                failures.append(f"process {instance.pid} has only just begun and knows nothing yet")
            else:
                answers.append((instance, health))
    except NucleusError as error:
        failures.append(str(error))
    if as_json:
        document: dict[str, Any] = {
            "schema": "vedette.status/1",
            "ok": bool(answers) and not failures,
            "instances": [
                {"run_id": instance.run_id, "pid": instance.pid, "root": instance.root, "health": health}
                for instance, health in answers
            ],
            "errors": failures,
        }
        sys.stdout.write(json.dumps(document, indent=2) + "\n")
    for failure in failures:
        terminal.error(failure)
    if not answers:
        if not failures:
            terminal.error("nothing runs here", "vedette demo, or vedette run DIR --camera NODE=URL")
        return EXIT_FAILED
    healths = [HealthDocument.model_validate(health) for _, health in answers]
    if not as_json:
        for (instance, _), health in zip(answers, healths, strict=True):
            sys.stdout.write(render(instance, health, _page_of(instance), nodes=nodes))
    return EXIT_FAILED if failures or any(health.problems for health in healths) else 0


def _page_of(instance: Instance) -> str | None:
    """Return the page's address with its key: for the person at the terminal, not for documents."""
    try:
        answer = request(instance.control_socket, "page")
    except ControlError:
        return None  # an older run: it answers without the key
    return str(answer) if answer else None


def render(instance: Instance, health: HealthDocument, page: str | None = None, *, nodes: bool = False) -> str:
    """Return the document as tables for a person; ``nodes``: with every node of the applications' graphs."""
    if page is None:
        page = health.display.page if health.display is not None else "no page yet"
    lines = [f"{instance.thing_name}   {health.summary.words}   page {page}"]
    screen = health.display.screen if health.display is not None else None
    if screen is not None:
        size = f"{screen.width}x{screen.height}, " if screen.width else ""
        lines.append(f"screen   {size}{screen.owner or screen.detail or screen.state}")
    lines += table(
        ("APPLICATION", "STATE", "HEALTH", "FPS", "MODEL", "RESTARTS"),
        [
            (a.instance, a.words, a.health, number(a.fps, 1), number(a.model_ms, 1, " ms"), str(a.restarts))
            for a in health.applications
        ],
    )
    lines += table(
        ("CAMERA", "STATE", "SIZE", "FPS", "PICTURE"),
        [
            (c.name, c.words, f"{c.width}x{c.height}" if c.width else "-", number(c.fps, 1), age(c.last_frame_age_s))
            for c in health.cameras
        ],
    )
    two = [(camera, camera.main) for camera in health.cameras if camera.main is not None]
    if two:
        lines += table(
            ("MAIN STREAM", "STATE", "SIZE", "FPS", "OPEN FOR"),
            [
                (
                    camera.name,
                    main.words if camera.stream == "sub" else "in use, there is no small one",
                    f"{main.width}x{main.height}" if main.width else "-",
                    number(main.fps, 1),
                    ", ".join(main.wanted_for) or "-",
                )
                for camera, main in two
            ],
        )
    lines += table(
        ("MODEL", "STATE", "CALLS/S", "LATENCY"),
        [(m.name, m.words, number(m.calls_per_s, 1), number(m.latency_ms, 1, " ms")) for m in health.models],
    )
    lines += table(
        ("OUTPUT", "STATE", "FPS", "LATENCY", "VIEWERS"),
        [
            (o.output_id, o.words, number(o.fps, 1), number(o.latency_ms, 0, " ms"), str(o.viewers))
            for o in health.outputs
        ],
    )
    opened = [(a.instance, port) for a in health.applications for port in a.ports]
    if opened:
        lines += table(
            ("PORT", "OF", "LEADS TO", "STATE"),
            [(str(p.host_port), instance, str(p.container_port), p.detail or "open") for instance, p in opened],
        )
    if nodes:
        lines += table(
            ("NODE", "OF", "KIND", "HEALTH"),
            [(node.name, a.instance, node.kind, node.health) for a in health.applications for node in a.nodes],
        )
    if health.deployment is not None:
        lines.append(f"update   {health.deployment.title}: {health.deployment.detail}")
    if health.network is not None:
        lines += _network(health.network)
    lines += [f"{upload.what:<8} {_sent(upload)}" for upload in health.uploads]
    for problem in health.problems:
        lines.append(f"! {problem.subject}: {problem.title}. {problem.detail}".rstrip())
    return "\n".join(lines) + "\n"


def _network(network: NetworkStatus) -> list[str]:
    """Return a line for each port of the device, and one for its clock."""
    lines = []
    for port in network.interfaces:
        speed = f", {port.mbps} Mbit/s" if port.mbps else ""
        out = ", the way out" if port.name == network.uplink else ""
        link = "connected" if port.state == "CONNECTED" else "not connected"
        lines.append(f"network  {port.name} {link}{speed}{out} {' '.join(port.addresses)}".rstrip())
    if network.time is not None:
        by = f" by {network.time.server}" if network.time.server else ""
        lines.append(f"clock    {'set' + by if network.time.state == 'CONNECTED' else 'not set by any time service'}")
    return lines


def _sent(upload: UploadHealth) -> str:
    """Return where something is sent, when it was last, and why it waits."""
    last = "nothing sent yet" if upload.last_success_age_s is None else f"sent {ago(upload.last_success_age_s)}"
    waits = f"; waits on this device: {upload.detail}" if upload.detail else ""
    return f"to {upload.where}: {last}{waits}"


def ago(seconds: float) -> str:
    """Return how long ago something was, in words."""
    if seconds < 3:
        return "just now"
    return f"{seconds:.0f} s ago" if seconds < 120 else f"{seconds / 60:.0f} min ago"


def number(value: float | None, digits: int, unit: str = "") -> str:
    """Return a figure, or a dash where there is none."""
    return "-" if value is None else f"{value:.{digits}f}{unit}"


def age(seconds: float | None) -> str:
    """Return how old a picture is, in words."""
    if seconds is None:
        return "none yet"
    if seconds < 3:
        return "now"
    return f"{seconds:.0f} s old" if seconds < 120 else f"{seconds / 60:.0f} min old"
