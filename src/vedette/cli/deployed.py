"""``vedette application``: instances that were deployed, as Panorama's API and console told of them."""

import json
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from vedette.cli.aws import speaking_to_aws
from vedette.cli.device import Caller
from vedette.cli.failure import EXIT_FAILED, EXIT_PARTLY, Failure
from vedette.cli.instance import answering, print_json
from vedette.cli.publish import write_stdout
from vedette.cli.tables import table
from vedette.cli.terminal import Terminal

if TYPE_CHECKING:
    from vedette.cloud import Cloud
    from vedette.cloud.instances import OnDevice, Place

SCHEMA: Final = "application"
_PERIOD_S: Final = 2.0


@dataclass(frozen=True)
class Asked:
    """Which instance: its name, and where it is or which device is meant if there are several."""

    name: str
    target: str | None = None
    device: str | None = None
    bucket: str | None = None


def list_applications(
    caller: Caller, *, bucket: str | None, device: str | None, status: str | None, removed: bool
) -> int:
    """Print the application instances of the account; returns the exit code."""
    from vedette.cloud.bucket import bucket_of
    from vedette.cloud.instances import list_places
    from vedette.cloud.targets import find_targets, groups_of

    with answering(SCHEMA, as_json=caller.as_json), speaking_to_aws():
        cloud = caller.cloud()
        places = list_places(cloud, bucket_of(cloud, bucket))
        if device is not None:
            (thing,) = find_targets(cloud, [f"thing/{device}"])
            groups = set(groups_of(cloud, thing))
            places = [
                p for p in places if p.target == thing or (p.target.kind == "thinggroup" and p.target.name in groups)
            ]
    places = [p for p in places if (removed or not p.removed) and status in {None, p.status}]
    if caller.as_json:
        print_json(SCHEMA, applications=[place.summary() for place in places])
        return 0
    if not places:
        Terminal().line("no applications; vedette deploy DIR --to TARGET" if not status else f"none is {status}")
        return 0
    rows = [(p.instance, str(p.target), p.component[1], p.status) for p in places]
    write_stdout("\n".join(table(("APPLICATION", "TARGET", "VERSION", "STATUS"), rows)) + "\n")
    return 0


def describe_application(asked: Asked, caller: Caller) -> int:
    """Print all that is known of an instance; returns the exit code."""
    with answering(SCHEMA, as_json=caller.as_json), speaking_to_aws():
        cloud = caller.cloud()
        place = _place(cloud, asked)
        on = _on_device(cloud, place, asked.device)
        document = _description(place, on)
    if caller.as_json:
        print_json(SCHEMA, application=document)
        return 0
    lines = [
        f"{key.replace('_', ' '):<20} {_shown(value)}" for key, value in document.items() if value not in ("", {}, [])
    ]
    write_stdout("\n".join(lines) + "\n")
    return 0


def _description(place: "Place", on: "OnDevice | None") -> dict[str, Any]:
    """Return what DescribeApplicationInstance told, and where it stands on a device."""
    from vedette.cloud.instances import health_status

    configuration = place.configuration
    document = {
        **place.summary(),
        "deployment_id": place.current.deployment_id if place.current is not None else "",
        "revision": place.current.revision if place.current is not None else 0,
        "role": configuration.get("role") or "",
        "tags": dict(place.record.get("tags", {})),
        "parameters": configuration.get("parameters", {}),
        "cameras": {
            node: [c.get("name") for c in several] for node, several in configuration.get("cameras", {}).items()
        },
        "devices": {word: count for word, count in place.standing.counts.items() if count} if place.standing else {},
    }
    if on is None:
        return document
    health, detail = health_status(place.instance, on)
    name, _ = place.component
    version, state = on.components.get(name, ("", ""))
    return {
        **document,
        "device": on.device,
        "health_status": health,
        "health_detail": detail,
        "installed_version": version,
        "component_state": state,
        "runtime_state": {"desired": dict(on.desired), "reported": dict(on.reported)},
    }


def show_nodes(asked: Asked, caller: Caller) -> int:
    """Print the nodes of an instance on a device; returns the exit code."""
    from vedette.cloud.instances import manifest_of, node_instances

    with answering(SCHEMA, as_json=caller.as_json), speaking_to_aws():
        cloud = caller.cloud()
        place = _place(cloud, asked)
        on = _read(cloud, place, asked.device or _only_device(cloud, place))
        versions = place.record.get("models", {})
        nodes = node_instances(place.instance, manifest_of(place), versions, on)
    if caller.as_json:
        print_json(SCHEMA, instance=place.instance, device=on.device, nodes=[node.document() for node in nodes])
        return 0
    rows = [(n.node_instance_id, n.node_name, n.package_name, n.package_version, n.current_status) for n in nodes]
    write_stdout("\n".join(table(("NODE INSTANCE", "NODE", "PACKAGE", "VERSION", "STATUS"), rows)) + "\n")
    return 0


def show_dependencies(asked: Asked, caller: Caller) -> int:
    """Print the packages of an instance with their versions; returns the exit code."""
    from vedette.cloud.instances import dependencies_of

    with answering(SCHEMA, as_json=caller.as_json), speaking_to_aws():
        cloud = caller.cloud()
        place = _place(cloud, asked)
        packages = dependencies_of(cloud, place)
        on = _on_device(cloud, place, asked.device) if asked.device else None
    if on is not None:
        for package in packages:
            package["installed"] = on.components.get(package["name"], ("", ""))[0]
    if caller.as_json:
        print_json(SCHEMA, instance=place.instance, dependencies=packages)
        return 0
    write_stdout(
        "\n".join(table(("PACKAGE", "VERSION", "KIND"), [(p["name"], p["version"], p["kind"]) for p in packages]))
        + "\n"
    )
    return 0


def show_documents(asked: Asked, caller: Caller, *, overrides: bool, out: Path | None) -> int:
    """Write the manifest, or the override documents, as they were deployed; returns the exit code.

    :raises Failure: if there are several to choose from, and no folder to write them to
    """
    from vedette.cloud.instances import documents_of

    with answering(SCHEMA, as_json=caller.as_json), speaking_to_aws():
        place = _place(caller.cloud(), asked)
        graphs, others = documents_of(place)
        documents: Mapping[str, str] = others if overrides else graphs
        if out is not None:
            return _written({**graphs, **others}, out)
        if caller.as_json:
            print_json(SCHEMA, instance=place.instance, documents=dict(documents))
            return 0
        if len(documents) != 1:
            hint = "-o DIR writes all of them" if documents else "it was deployed without override documents"
            raise Failure(f"`{asked.name}` has {len(documents)} of these documents", hint=hint)
    (text,) = documents.values()
    sys.stdout.buffer.write(text.encode())
    sys.stdout.flush()
    return 0


def _written(documents: Mapping[str, str], out: Path) -> int:
    for name, text in documents.items():
        path = out / Path(name).relative_to("/") if name.startswith("/") else out / name
        if ".." in path.parts:
            path = out / path.name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())
        except OSError as error:
            raise Failure(f"{path} cannot be written: {error.strerror}") from error
        Terminal().done("written", str(path))
    return 0


def wait_for(asked: Asked, caller: Caller, *, limit_s: float) -> int:
    """Follow an instance until its deployment or removal is through.

    Returns 0 if it succeeded, 1 if it failed, 4 if it was not through in time.
    """
    terminal, begun, told = Terminal(), time.monotonic(), ""
    waiting = threading.Event()
    with answering(SCHEMA, as_json=caller.as_json), speaking_to_aws():
        cloud = caller.cloud()
        while True:
            place = _place(cloud, asked)
            if place.status != told:
                told = place.status
                terminal.line(f"{place.instance} on {place.target}: {told}")
            settled = told.endswith(("_SUCCEEDED", "_FAILED", "_ERROR"))
            if settled or time.monotonic() - begun > limit_s:
                break
            waiting.wait(_PERIOD_S)
    if caller.as_json:
        print_json(SCHEMA, ok=told.endswith("_SUCCEEDED"), application=place.summary())
    for device, reason in (place.standing.failures if place.standing is not None else {}).items():
        terminal.failed(device, reason)
    return 0 if told.endswith("_SUCCEEDED") else EXIT_FAILED if settled else EXIT_PARTLY


def _place(cloud: "Cloud", asked: Asked) -> "Place":
    from vedette.cloud.bucket import bucket_of
    from vedette.cloud.instances import one_place
    from vedette.cloud.targets import find_targets

    target = find_targets(cloud, [asked.target])[0] if asked.target is not None else None
    return one_place(cloud, bucket_of(cloud, asked.bucket), asked.name, target)


def _on_device(cloud: "Cloud", place: "Place", device: str | None) -> "OnDevice | None":
    """Return what the device reports that is meant: the one named, or the target itself; None for a group."""
    if device is None and place.target.kind == "thing":
        device = place.target.name
    return _read(cloud, place, device) if device is not None else None


def _only_device(cloud: "Cloud", place: "Place") -> str:
    from vedette.cloud.devices import list_devices

    if place.target.kind == "thing":
        return place.target.name
    names = [each.name for each in list_devices(cloud, place.target)]
    if len(names) != 1:
        few = ", ".join(names[:5])
        raise Failure(f"`{place.instance}` is on {len(names)} devices", hint=f"say which: --device, one of {few}")
    return names[0]


def _read(cloud: "Cloud", place: "Place", device: str) -> "OnDevice":
    from vedette.cloud.devices import connectivity
    from vedette.cloud.instances import read_device

    connected = (connectivity(cloud, device) or {}).get(device)
    return read_device(cloud, device, place.instance, connected=connected)


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
