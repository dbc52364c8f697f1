"""``vedette endpoints``: which hosts of AWS a device and its applications need, and whether they answer from here."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

from vedette.cli.aws import speaking_to_aws
from vedette.cli.conversion import conversion_deferred
from vedette.cli.failure import EXIT_FAILED, EXIT_USAGE, Failure
from vedette.cli.output import Output
from vedette.cli.tables import table
from vedette.doctor import Check, State
from vedette.doctor.endpoints import reach
from vedette.documents import load_project, resolve
from vedette.validation.aws_clients import aws_clients

if TYPE_CHECKING:
    from vedette.cloud.endpoints import Endpoint

SCHEMA: Final = "vedette.endpoints/1"
NUCLEUS: Final = Path("/greengrass/v2")
_WORDS: Final = {State.OK: ("ok", "green"), State.WARNING: ("warning", "yellow"), State.FAILED: ("failed", "red")}


@dataclass(frozen=True)
class EndpointOptions:
    """What ``vedette endpoints`` was asked for; see its help."""

    directories: tuple[Path, ...] = ()
    roles: tuple[str, ...] = ()
    policies: tuple[Path, ...] = ()
    region: str | None = None
    profile: str | None = None
    root: Path = NUCLEUS
    check: bool = False
    as_json: bool = False


@dataclass
class _Calls:
    """What applications call, or may call."""

    services: dict[str, list[str]] = field(default_factory=dict)
    """boto3's name of a service -> why it is listed."""
    notes: list[str] = field(default_factory=list)
    """What cannot be told."""

    def add(self, service: str, why: str) -> None:
        reasons = self.services.setdefault(service, [])
        if why not in reasons:
            reasons.append(why)


@dataclass(frozen=True)
class _Row:
    called_by: str
    endpoint: "Endpoint"
    checks: tuple[Check, ...] = ()


def endpoints(options: EndpointOptions, output: Output, talk: Output) -> int:
    """Write the list to ``output``, what cannot be told to ``talk``; 1 when a host does not answer, else 0.

    :raises Failure: for a folder, a role or a policy that cannot be read, or without a region
    """
    from vedette.cloud.application_endpoints import application_endpoints, device_endpoints

    region = options.region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    if not region:
        raise Failure("no AWS region is set", hint="--region eu-west-1, or AWS_REGION=eu-west-1", exit_code=EXIT_USAGE)
    with speaking_to_aws():
        calls = _calls(options, region)
        rows = [_Row("device", item) for item in device_endpoints(region)]
        there = {host for row in rows for host in row.endpoint.hosts}
        if calls.services:
            found = application_endpoints(calls.services, region)
            rows += [_Row("application", item) for item in found if not there.issuperset(item.hosts)]
    if options.check:
        rows, unknown = _checked(rows, own_hosts(options.root))
        calls.notes += unknown
    wrong = any(check.state is State.FAILED for row in rows for check in row.checks)
    if options.as_json:
        output.json(_document(rows, calls, region, wrong=wrong))
    else:
        _write(rows, calls, output, talk, checked=options.check)
    return EXIT_FAILED if wrong else 0


def _calls(options: EndpointOptions, region: str) -> _Calls:
    calls = _Calls()
    for directory in options.directories:
        _add_sources(directory, calls)
    for role in options.roles:
        from vedette.cloud import Cloud
        from vedette.cloud.role_policies import allowed_actions

        cloud = Cloud(profile=options.profile, region=region)
        _add_actions(allowed_actions(cloud, role), f"role {role.rpartition('/')[2]}", calls)
    for path in options.policies:
        from vedette.cloud.role_policies import actions_of

        _add_actions(sorted(set(actions_of(_read_policy(path)))), path.name, calls)
    if calls.services:
        from vedette.cloud.application_endpoints import known_services

        for service in sorted(calls.services.keys() - known_services(region)):
            why = "; ".join(calls.services.pop(service))
            calls.notes.append(f"boto3 knows no service `{service}`, its host is not told ({why})")
    return calls


def _add_sources(directory: Path, calls: _Calls) -> None:
    project = load_project(directory)
    if not project.graphs:
        raise Failure(f"`{directory}` is no Panorama project: there is no graphs/*/graph.json", hint="vedette new DIR")
    seen: set[Path] = set()
    for graph in project.graphs:
        parts = resolve(project, graph=graph.document.file, complete=False, convert=conversion_deferred).parts
        code = parts.resolved_code if parts is not None else None
        if code is None or code.package.folder in seen:
            continue
        seen.add(code.package.folder)
        for client in aws_clients(code.files, project.root):
            place = f"{project.name}: {client.file}:{client.line}"
            if client.service:
                calls.add(client.service, place)
            else:
                calls.notes.append(f"which service is called is not written there: {place}")


def _add_actions(actions: Sequence[str], source: str, calls: _Calls) -> None:
    from vedette.cloud.application_endpoints import services_of

    for action in actions:
        services = services_of(action)
        if not services:
            calls.notes.append(f"{source} allows `{action}`: any service may be called")
        for service in services:
            calls.add(service, f"{source}: {action}")


def _read_policy(path: Path) -> Mapping[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no JSON"
        raise Failure(f"the policy {path} cannot be read: {reason}", hint="a document as IAM has it") from error
    if not isinstance(document, dict):
        raise Failure(f"{path} is no policy: expected an object with `Statement`", hint="a document as IAM has it")
    return document


def own_hosts(root: Path) -> dict[str, str]:
    """Return the account's own hosts of AWS IoT by what stands for them, as the nucleus of this device knows them.

    :param root: of the nucleus; empty where it has no configuration, or none that may be read
    """
    try:
        document = yaml.safe_load((root / "config" / "effectiveConfig.yaml").read_text(encoding="utf-8"))
        configuration = document["services"]["aws.greengrass.Nucleus"]["configuration"]
        data, credentials = configuration["iotDataEndpoint"], configuration["iotCredEndpoint"]
    except (OSError, ValueError, yaml.YAMLError, KeyError, TypeError):
        return {}
    return {"<prefix>-ats.": str(data), "<prefix>.credentials.": str(credentials)}


def _checked(rows: Sequence[_Row], own: Mapping[str, str]) -> tuple[list[_Row], list[str]]:
    """Return the rows with what their hosts answered, and what could not be tried."""

    def known(host: str) -> str:
        return next((name for begin, name in own.items() if host.startswith(begin)), host)

    places = dict.fromkeys(
        (known(host), port)
        for row in rows
        for host in row.endpoint.hosts
        for port in row.endpoint.ports
        if "<" not in known(host)
    )
    found = dict(zip(places, reach(list(places)), strict=True))
    checked = [
        replace(
            row,
            checks=tuple(
                check for host in row.endpoint.hosts for check in _answers(found, known(host), row.endpoint.ports)
            ),
        )
        for row in rows
    ]
    open_ended = dict.fromkeys(host for row in rows for host in row.endpoint.hosts if "<" in known(host))
    notes = [f"not tried, since only the account knows it: {host}" for host in open_ended]
    return checked, notes


def _answers(found: Mapping[tuple[str, int], Check], host: str, ports: Sequence[int]) -> Iterator[Check]:
    """Yield what a host answered at its ports; of AWS IoT's, 443 alone will do."""
    tried = [found[host, port] for port in ports if (host, port) in found]
    some = any(check.state is State.OK for check in tried)
    for check in tried:
        if check.state is State.FAILED and some:
            fix = f"{check.fix}; or let the nucleus use 443 (mqtt.port, greengrassDataPlanePort)"
            yield replace(check, state=State.WARNING, fix=fix)
        else:
            yield check


def _write(rows: Sequence[_Row], calls: _Calls, output: Output, talk: Output, *, checked: bool) -> None:
    head = ["called by", "VPC endpoint", "host", "ports", "for"]
    lines = [
        [
            row.called_by,
            row.endpoint.service or "-",
            host,
            ", ".join(map(str, row.endpoint.ports)),
            row.endpoint.why,
        ]
        for row in rows
        for host in row.endpoint.hosts
    ]
    for line in table(head, lines):
        output.line(line)
    if checked:
        output.line()
        for check in dict.fromkeys(check for row in rows for check in row.checks):
            word, colour = _WORDS[check.state]
            output.line(f"{output.paint(word.ljust(7), colour)} {check.name}  {check.finding}")
            if check.fix:
                output.line(f"        fix: {check.fix}")
    for note in calls.notes:
        talk.line(f"note: {note}")


def _document(rows: Sequence[_Row], calls: _Calls, region: str, *, wrong: bool) -> Mapping[str, Any]:
    return {"schema": SCHEMA, "ok": not wrong, "region": region, "endpoints": list(_items(rows)), "notes": calls.notes}


def _items(rows: Sequence[_Row]) -> Iterator[Mapping[str, Any]]:
    for row in rows:
        yield {
            "called_by": row.called_by,
            "vpc_endpoint": row.endpoint.service or None,
            "hosts": list(row.endpoint.hosts),
            "ports": list(row.endpoint.ports),
            "for": row.endpoint.why,
            "checks": [
                {"name": c.name, "state": c.state.value, "finding": c.finding, "fix": c.fix} for c in row.checks
            ],
        }
