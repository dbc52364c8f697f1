"""``vedette deployment``: change what a running nucleus runs, and see what became of it."""

import json
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from vedette.cli.failure import EXIT_FAILED, EXIT_USAGE, Failure
from vedette.cli.instance import answering, ask, chosen, print_json
from vedette.cli.tables import table
from vedette.cli.terminal import Terminal
from vedette.nucleus.instances import Instance

_PERIOD_S: Final = 0.1
_UP: Final = frozenset({"RUNNING", "FINISHED"})
_OPEN: Final = frozenset({"QUEUED", "IN_PROGRESS"})
_POLICIES: Final = {"rollback": True, "keep": False}


@dataclass(frozen=True)
class CreateOptions:
    """What ``vedette deployment create`` was asked for."""

    recipe_dir: Path | None
    artifact_dir: Path | None
    merge: Sequence[str]
    remove: Sequence[str]
    update_config: str | None
    document: Path | None
    run_with: Sequence[str]
    system_limits: str | None
    group: str
    on_failure: str
    notify_s: float | None
    wait: bool
    as_json: bool
    root: Path | None


def create(options: CreateOptions, terminal: Terminal) -> int:
    """Create a deployment and wait for its end; 1 when it fails."""
    with answering("deployment", as_json=options.as_json):
        request = _request(options)
        instance = chosen(options.root)
        if options.remove:
            deployed = {component["name"] for component in ask(instance, "components")}
            for name in options.remove:
                if name not in deployed:
                    terminal.warn("remove", f"`{name}` is not deployed")
        deployment_id = ask(instance, "deployment-create", **request)
        if not options.wait:
            return _tell_created(deployment_id, terminal, options)
        found = _wait(instance, deployment_id, terminal, quiet=options.as_json)
    if options.as_json:
        print_json("deployment", ok=found["status"] == "SUCCEEDED", deployment=found)
    elif found["status"] == "SUCCEEDED":
        terminal.done("deployed", deployment_id)
    else:
        details = found.get("deploymentStatusDetails", {})
        cause = details.get("deploymentFailureCause", "no cause was told")
        terminal.failed(
            found["status"].lower(), f"{details.get('detailedDeploymentStatus', '')} {deployment_id}".strip()
        )
        changed = details.get("detailedDeploymentStatus") != "FAILED_NO_STATE_CHANGE"
        terminal.error(
            cause, "vedette component list, vedette component logs NAME" if changed else "nothing was changed"
        )
    return 0 if found["status"] == "SUCCEEDED" else EXIT_FAILED


def show_status(deployment_id: str | None, *, root: Path | None, as_json: bool) -> int:
    """Print one deployment, without an id the newest; 1 when it failed."""
    with answering("deployment", as_json=as_json):
        found = ask(chosen(root), "deployment-status", hint="vedette deployment list", deployment_id=deployment_id)
    if as_json:
        print_json("deployment", ok=found["status"] != "FAILED", deployment=found)
    else:
        details = found.get("deploymentStatusDetails", {})
        sys.stdout.write(f"{found['deploymentId']}  {found['status']}  {found['createdOn']}\n")
        for key in ("detailedDeploymentStatus", "deploymentFailureCause"):
            if key in details:
                sys.stdout.write(f"  {details[key]}\n")
    return EXIT_FAILED if found["status"] == "FAILED" else 0


def list_deployments(*, root: Path | None, as_json: bool) -> int:
    """Print every local deployment, oldest first."""
    with answering("deployments", as_json=as_json):
        found = ask(chosen(root), "deployment-list")
    if as_json:
        print_json("deployments", deployments=found)
    elif found:
        rows = [
            (
                d["deploymentId"],
                d["status"],
                d["createdOn"],
                d.get("deploymentStatusDetails", {}).get("deploymentFailureCause", ""),
            )
            for d in found
        ]
        sys.stdout.write("\n".join(table(("DEPLOYMENT", "STATUS", "CREATED", ""), rows)) + "\n")
    else:
        sys.stdout.write("no local deployments yet\n")
    return 0


def cancel(deployment_id: str, terminal: Terminal, *, root: Path | None, as_json: bool) -> int:
    """Ask for a deployment to be cancelled; one that has begun to change things goes on."""
    with answering("deployment-cancel", as_json=as_json):
        ask(chosen(root), "deployment-cancel", hint="vedette deployment list", deployment_id=deployment_id)
    if as_json:
        print_json("deployment-cancel", deployment_id=deployment_id)
    else:
        terminal.done("cancelling", deployment_id)
    return 0


def _request(options: CreateOptions) -> dict[str, Any]:
    for folder, name in ((options.recipe_dir, "--recipe-dir"), (options.artifact_dir, "--artifact-dir")):
        if folder is not None and not folder.is_dir():
            raise Failure(f"folder `{folder}` is not there", hint=f"name an existing folder: {name} DIR")
    if options.on_failure not in _POLICIES:
        raise Failure(
            f"`{options.on_failure}` is no way to fail", hint="--on-failure rollback or keep", exit_code=EXIT_USAGE
        )
    add = {}
    for text in options.merge:
        name, equals, version = text.partition("=")
        if not name or bool(equals) != bool(version):
            raise Failure(
                f"`{text}` is no component with its version",
                hint="--merge NAME=VERSION, or --merge NAME for the newest",
                exit_code=EXIT_USAGE,
            )
        add[name] = version or "*"
    if options.document is not None:
        said = (add, options.remove, options.group, options.run_with, options.system_limits)
        if any(said):
            raise Failure(
                "--document says all that its target has",
                hint="leave out --merge, --remove, --group, --run-with and --system-limits",
                exit_code=EXIT_USAGE,
            )
        return {
            "document": _document(options.document),
            "configuration": _configuration(options.update_config),
            **_folders(options),
        }
    request = {
        "add": add,
        "remove": list(options.remove),
        "configuration": _configuration(options.update_config),
        "run_with": _run_with(options.run_with, options.system_limits),
        "group": options.group,
        "roll_back": _POLICIES[options.on_failure],
        "notify_s": options.notify_s,
        **_folders(options),
    }
    if not any(request[key] for key in ("add", "remove", "configuration", "run_with", "recipe_folder")):
        raise Failure("nothing to deploy", hint="--merge NAME=VERSION, --remove NAME or --update-config JSON")
    return request


def _folders(options: CreateOptions) -> dict[str, Any]:
    return {
        "recipe_folder": None if options.recipe_dir is None else str(options.recipe_dir.resolve()),
        "artifact_folder": None if options.artifact_dir is None else str(options.artifact_dir.resolve()),
    }


def _document(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Failure(f"`{path}` cannot be read: {error.strerror}", hint="--document FILE") from error
    except ValueError as error:
        raise Failure(f"`{path}` is no JSON: {error}", hint="--document FILE") from error


def _configuration(text: str | None) -> dict[str, Any]:
    """Return ``{component: {"MERGE": {}, "RESET": []}}``."""
    hint = '--update-config \'{"NAME": {"MERGE": {"fps": 10}, "RESET": ["/old"]}}\''
    return _by_component(text, "configuration", {"MERGE", "RESET"}, hint)


def _run_with(users: Sequence[str], limits: str | None) -> dict[str, dict[str, Any]]:
    """Return ``{component: {"posixUser": TEXT, "systemResourceLimits": {}}}``."""
    found: dict[str, dict[str, Any]] = {}
    for text in users:
        name, colon, user = text.partition(":posixUser=")
        if not name or not colon:
            raise Failure(
                f"`{text}` names no component and user", hint="--run-with NAME:posixUser=USER", exit_code=EXIT_USAGE
            )
        found[name] = {"posixUser": user}
    hint = '--system-limits \'{"NAME": {"memory": 512000, "cpus": 1.5}}\''
    for name, said in _by_component(limits, "limit", {"memory", "cpus"}, hint).items():
        found.setdefault(name, {})["systemResourceLimits"] = said
    return found


def _by_component(text: str | None, what: str, keys: set[str], hint: str) -> dict[str, Any]:
    """Return what a JSON text, or a file named as ``@file``, says of each component."""
    if text is None:
        return {}
    try:
        document = json.loads(Path(text[1:]).read_text() if text.startswith("@") else text)
    except OSError as error:
        raise Failure(f"`{text[1:]}` cannot be read: {error.strerror}", hint=hint) from error
    except ValueError as error:
        raise Failure(f"the {what} is not JSON: {error}", hint=hint) from error
    good = isinstance(document, dict) and all(
        isinstance(change, dict) and change.keys() <= keys for change in document.values()
    )
    if not good:
        raise Failure(f"the {what} has another form than expected", hint=hint)
    return dict(document)


def _tell_created(deployment_id: str, terminal: Terminal, options: CreateOptions) -> int:
    if options.as_json:
        print_json("deployment", deployment={"deploymentId": deployment_id, "status": "QUEUED"})
    else:
        terminal.done("queued", deployment_id)
        terminal.line(f"next: vedette deployment status {deployment_id[:8]}")
    return 0


def _wait(instance: Instance, deployment_id: str, terminal: Terminal, *, quiet: bool) -> dict[str, Any]:
    pause = threading.Event()
    while True:
        found: dict[str, Any] = ask(instance, "deployment-status", deployment_id=deployment_id)
        if found["status"] not in _OPEN:
            terminal.clear_status()
            return found
        if not quiet:
            states = [f"{c['name']} {c['state']}" for c in ask(instance, "components") if c["state"] not in _UP]
            terminal.status(f"  {found['status'].lower().replace('_', ' ')}   {', '.join(states)}".rstrip())
        pause.wait(_PERIOD_S)
