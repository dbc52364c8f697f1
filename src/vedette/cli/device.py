"""``vedette device``: provision, list, describe, reboot, update and decommission core devices."""

import json
import sys
import time
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from vedette.cli.aws import speaking_to_aws
from vedette.cli.failure import EXIT_CHANGES, EXIT_FAILED, EXIT_USAGE, Failure
from vedette.cli.instance import answering, print_json
from vedette.cli.publish import tell_identity
from vedette.cli.tables import table
from vedette.cli.terminal import Terminal

if TYPE_CHECKING:
    from vedette.cloud import Cloud

SCHEMA: Final = "device"


@dataclass(frozen=True)
class Caller:
    """With which credentials, where, and how to answer."""

    profile: str | None = None
    region: str | None = None
    as_json: bool = False
    yes: bool = False

    def cloud(self) -> "Cloud":
        """Return AWS as this caller sees it."""
        from vedette.cloud import Cloud

        return Cloud(profile=self.profile, region=self.region)


@dataclass(frozen=True)
class ProvisionOptions:
    """What ``vedette device provision`` and ``claim`` were asked for; see their help."""

    name: str
    groups: tuple[str, ...] = ()
    description: str = ""
    nucleus: str = "java"
    policy: str | None = None
    role_alias: str | None = None
    private: bool = False
    fips: bool = False
    again: bool = False
    panorama_id: str = ""
    nucleus_file: Path | None = None
    out: Path | None = None
    netplan: Path | None = None
    wait_s: float = 0.0


def provision(options: ProvisionOptions, caller: Caller, terminal: Terminal) -> int:
    """Make a device known and write its archive; returns the exit code.

    :raises Failure: if the account lacks what devices need, or the archive is there already
    """
    from vedette.cloud.provisioning import bundle_files, bundle_name, check_account, endpoints, write_bundle
    from vedette.cloud.provisioning import provision as make

    with answering(SCHEMA, as_json=caller.as_json), speaking_to_aws():
        out = _free(options.out or Path(bundle_name(options.name)))
        wanted = _wanted(options)
        cloud = caller.cloud()
        tell_identity(cloud, terminal)
        check_account(cloud, wanted)
        where = endpoints(cloud, fips=wanted.fips)
        certificate = make(cloud, wanted)
        try:
            write_bundle(bundle_files(cloud.region, wanted, certificate, where), out)
        except OSError as error:
            hint = f"vedette device provision {options.name} --again --out PATH"
            raise Failure(f"{out} cannot be written: {error.strerror}", hint=hint) from error
        groups = f" in {', '.join(options.groups)}" if options.groups else ""
        terminal.done("thing", options.name + groups)
        terminal.done("certificate", f"{certificate.certificate_id[:12]}…, active")
        _tell_archive(out, terminal)
        status = _arrived(cloud, options.name, options.wait_s, terminal) if options.wait_s else ""
    if caller.as_json:
        known: dict[str, Any] = {
            "device": options.name,
            "archive": str(out),
            "certificate_id": certificate.certificate_id,
            **({"status": status} if status else {}),
        }
        print_json(SCHEMA, **known)
    return 0


def wait(name: str, limit_s: float, caller: Caller, terminal: Terminal) -> int:
    """Wait until a device is online and done with its deployments; returns the exit code.

    :raises Failure: naming the step that it stopped at
    """
    with answering(SCHEMA, as_json=caller.as_json), speaking_to_aws():
        status = _arrived(caller.cloud(), name, limit_s, terminal)
    if caller.as_json:
        print_json(SCHEMA, device=name, status=status)
    return 0


def _arrived(cloud: "Cloud", name: str, limit_s: float, terminal: Terminal) -> str:
    from vedette.cli.stopping import StopOnSignal
    from vedette.cloud.arrival import wait_until_online

    def tell(step: str, words: str) -> None:
        terminal.waiting(f"{step}: {words}")

    with StopOnSignal() as stop:
        found = wait_until_online(cloud, name, limit_s=limit_s, clock=time.monotonic, wait=stop.wait, tell=tell)
    indexed = "" if found.connected is not None else "; whether it is connected is not known: the fleet index is off"
    terminal.done("online", f"{name}, {found.health.summary.get('words') or 'deployments done'}{indexed}")
    return found.status


def rotate(options: ProvisionOptions, caller: Caller, terminal: Terminal, *, finish: bool) -> int:
    """Give a device another certificate, or end those that it had before; returns the exit code.

    :raises Failure: if there is no such device, or the archive is there already
    """
    from vedette.cloud.provisioning import bundle_files, bundle_name, end_certificate, endpoints, write_bundle
    from vedette.cloud.provisioning import finish_rotation as end_old
    from vedette.cloud.provisioning import rotate as make

    name = options.name
    with answering(SCHEMA, as_json=caller.as_json), speaking_to_aws():
        cloud = caller.cloud()
        if finish:
            ended = end_old(cloud, name)
            if caller.as_json:
                print_json(SCHEMA, device=name, ended=ended)
            terminal.done("ended", f"{ended} older certificate{'' if ended == 1 else 's'} of {name}")
            return 0
        out = _free(options.out or Path(bundle_name(f"{name}-rotated")))
        wanted = _wanted(options)
        where = endpoints(cloud, fips=wanted.fips)
        certificate = make(cloud, wanted)
        try:
            write_bundle(bundle_files(cloud.region, wanted, certificate, where), out)
        except OSError as error:
            end_certificate(cloud, certificate.arn, name)
            raise Failure(f"{out} cannot be written: {error.strerror}") from error
    if caller.as_json:
        print_json(SCHEMA, device=name, archive=str(out), certificate_id=certificate.certificate_id)
    terminal.done("certificate", f"{certificate.certificate_id[:12]}…, active beside the one in use")
    _tell_archive(out, terminal)
    terminal.line(f"then, when the device is back: vedette device rotate {name} --finish")
    return 0


@dataclass(frozen=True)
class ClaimOptions:
    """What ``vedette device claim`` was asked for beyond an archive; see its help."""

    template: str | None = None
    minutes: int = 60
    serials: Path | None = None
    bucket: str | None = None


def claim(options: ProvisionOptions, limits: ClaimOptions, caller: Caller, terminal: Terminal) -> int:
    """Write an archive that makes any machine a device, for a while; returns the exit code.

    :raises Failure: if the account has no provisioning template, or nothing that ends the claim
    """
    from vedette.cloud.bucket import Bucket
    from vedette.cloud.claims import Limits, make_claim, read_serials
    from vedette.cloud.provisioning import TEMPLATE, bundle_files, end_certificate, endpoints, write_bundle

    template = limits.template or TEMPLATE
    with answering(SCHEMA, as_json=caller.as_json), speaking_to_aws():
        out = _free(options.out or Path(f"vedette-claim-{template}.tar.gz"))
        try:
            serials = read_serials(limits.serials) if limits.serials is not None else None
        except OSError as error:
            raise Failure(f"{limits.serials} cannot be read: {error.strerror}", exit_code=EXIT_USAGE) from error
        until = datetime.now(timezone.utc) + timedelta(minutes=limits.minutes) if limits.minutes else None
        wanted = _wanted(options)
        cloud = caller.cloud()
        tell_identity(cloud, terminal)
        where = endpoints(cloud, fips=wanted.fips)
        bucket = Bucket(cloud, limits.bucket) if limits.bucket is not None else None
        certificate = make_claim(cloud, template, Limits(until, serials), bucket)
        try:
            write_bundle(bundle_files(cloud.region, wanted, certificate, where, claim=template, until=until), out)
        except OSError as error:
            end_certificate(cloud, certificate.arn)
            raise Failure(f"{out} cannot be written: {error.strerror}") from error
    end = until.isoformat(timespec="seconds") if until is not None else ""
    if caller.as_json:
        print_json(SCHEMA, archive=str(out), certificate_id=certificate.certificate_id, until=end, serials=serials)
    _tell_archive(out, terminal)
    who = "any machine" if serials is None else f"{len(serials)} serial number{'' if len(serials) == 1 else 's'}"
    good = f"until {until:%Y-%m-%d %H:%M} UTC" if until is not None else "until vedette device claim --end"
    terminal.done("claim", f"for {who}, {good}")
    return 0


def end_claims(template: str | None, caller: Caller, terminal: Terminal) -> int:
    """End every claim; returns the exit code."""
    from vedette.cloud.claims import claims_of
    from vedette.cloud.claims import end_claims as end
    from vedette.cloud.provisioning import TEMPLATE

    template = template or TEMPLATE
    with answering(SCHEMA, as_json=caller.as_json), speaking_to_aws():
        cloud = caller.cloud()
        ended = claims_of(cloud, template)
        end(cloud, ended)
    if caller.as_json:
        print_json(SCHEMA, ended=len(ended))
    terminal.done("ended", f"{len(ended)} claim certificate{'' if len(ended) == 1 else 's'} of {template}")
    return 0


def _wanted(options: ProvisionOptions) -> Any:
    from vedette.cloud.provisioning import POLICY, ROLE_ALIAS, Provisioning

    if options.nucleus not in {"java", "lite"}:
        raise Failure(f"--nucleus takes java or lite, got `{options.nucleus}`", exit_code=EXIT_USAGE)
    if options.fips and options.nucleus == "lite":
        raise Failure("nucleus lite has no FIPS mode", hint="--nucleus java", exit_code=EXIT_USAGE)
    if options.nucleus_file is not None and not options.nucleus_file.is_file():
        raise Failure(f"--nucleus-file `{options.nucleus_file}` is not there", exit_code=EXIT_USAGE)
    return Provisioning(
        options.name,
        options.groups,
        options.description,
        "lite" if options.nucleus == "lite" else "java",
        options.policy or POLICY,
        options.role_alias or ROLE_ALIAS,
        options.private,
        options.fips,
        options.again,
        options.panorama_id,
        options.netplan,
        options.nucleus_file,
    )


def _free(out: Path) -> Path:
    if out.exists():
        raise Failure(f"`{out}` is there already", hint="remove it, or --out PATH")
    if not out.absolute().parent.is_dir():
        raise Failure(f"the folder of `{out}` is not there", exit_code=EXIT_USAGE)
    return out


def _tell_archive(out: Path, terminal: Terminal) -> None:
    terminal.done("archive", f"{out}, for its owner alone: it holds a private key")
    folder = out.name.removesuffix(".tar.gz")
    terminal.line(f"next, on the machine: tar xzf {out.name} && sudo {folder}/install.sh")


def list_all(
    caller: Caller, *, group: str | None, prefix: str, status: str | None, updates: bool = False, detailed: bool = False
) -> int:
    """Print the devices of the account or of a group; returns the exit code.

    :param updates: look up what each has installed, and mark those for which there is newer software
    :param detailed: end with ``EXIT_CHANGES`` if there is one
    """
    from vedette.cloud.devices import list_devices
    from vedette.cloud.targets import find_targets

    with answering("devices", as_json=caller.as_json), speaking_to_aws():
        cloud = caller.cloud()
        where = find_targets(cloud, [f"thing-group/{group}"])[0] if group is not None else None
        found = list_devices(cloud, where, prefix)
        documents = [item.document() for item in found]
        behind = _marked(cloud, documents) if updates else 0
        shown = [each for each in documents if status is None or each["status"] == status.upper()]
    if caller.as_json:
        print_json("devices", devices=shown)
    elif shown:
        columns = {"DEVICE": "name", "STATUS": "status", "MACHINE": "architecture", "SEEN": "seen"}
        columns |= {"SOFTWARE": "current_software", "NEWEST": "latest_software"} if updates else {}
        rows = [tuple(_cell(key, str(each[key])) for key in columns.values()) for each in shown]
        sys.stdout.write("\n".join(table(tuple(columns), rows)) + "\n")
    else:
        sys.stdout.write("no devices\n")
    return EXIT_CHANGES if detailed and behind else 0


def _marked(cloud: "Cloud", documents: list[dict[str, Any]]) -> int:
    """Add what is installed and what is newest; return how many devices are behind."""
    from vedette.cloud.software import installed_software, newest_software

    newest = newest_software(cloud)
    installed = installed_software(cloud, [each["name"] for each in documents])
    for each in documents:
        current = installed[each["name"]]
        behind = current.behind(newest)
        each |= {
            "current_software": str(current),
            "latest_software": str(newest) if behind else "",
            "update_needed": behind,
        }
        # Panorama's order: what keeps a device from being used comes first.
        if behind and each["status"] in {"ONLINE", "NOT_AVAILABLE"}:
            each["status"] = "UPDATE_NEEDED"
    return sum(1 for each in documents if each["update_needed"])


def _cell(key: str, text: str) -> str:
    return text[:19].replace("T", " ") if key == "seen" else text


def describe(name: str, caller: Caller) -> int:
    """Print all that AWS knows of a device; returns the exit code."""
    from vedette.cloud.device_health import network_lines
    from vedette.cloud.devices import describe_device

    with answering(SCHEMA, as_json=caller.as_json), speaking_to_aws():
        found = describe_device(caller.cloud(), name)
    if caller.as_json:
        print_json(SCHEMA, **found.document())
        return 0
    machine = found.health.machine
    parts = (machine.get("model"), machine.get("system"), machine.get("architecture") or found.architecture)
    facts = {
        "status": found.status,
        "description": found.description,
        "arn": found.arn,
        "panorama id": found.panorama_id,
        "provisioned": found.provisioned[:19].replace("T", " "),
        "machine": ", ".join(part for part in parts if part),
        "serial": machine.get("serial", ""),
        "nucleus": found.nucleus,
        "vedette": machine.get("vedette", ""),
        "groups": ", ".join(found.groups),
        "seen": found.seen[:19].replace("T", " "),
        "tags": ", ".join(f"{key}={value}" for key, value in found.tags.items()),
    }
    lines = [found.name, *(f"  {key:<13} {value}" for key, value in facts.items() if value)]
    lines += [f"  {port:<13} {words}" for port, words in network_lines(found.health.network)]
    lines += [
        f"  application   {item.get('instance', '')}   {item.get('words', '')}" for item in found.health.applications
    ]
    for item in found.deployments:
        reason = f": {item['reason']}" if item["reason"] else ""
        lines.append(f"  deployment    {item['target']}   {item['status']}{reason}")
    lines += [f"  job           {item['job_id']}   {item['progress']}" for item in found.jobs]
    if found.components:
        rows = [(str(c["name"]), str(c["version"]), str(c["state"])) for c in found.components]
        lines += ["", *table(("COMPONENT", "VERSION", "STATE"), rows)]
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


def change_description(name: str, text: str, caller: Caller, terminal: Terminal) -> int:
    """Change a device's description; returns the exit code."""
    from vedette.cloud.devices import describe as write

    with answering(SCHEMA, as_json=caller.as_json), speaking_to_aws():
        write(caller.cloud(), name, text)
    if caller.as_json:
        print_json(SCHEMA, device=name, description=text)
    terminal.done("description", name)
    return 0


def decommission(name: str, caller: Caller, terminal: Terminal) -> int:
    """Take a device out of the account; returns the exit code."""
    from vedette.cloud.devices import decommission as take_out

    with answering(SCHEMA, as_json=caller.as_json), speaking_to_aws():
        cloud = caller.cloud()
        _confirm_name(name, caller, terminal)
        done = take_out(cloud, name)
    if caller.as_json:
        print_json(SCHEMA, device=name, done=done)
    for words in done:
        terminal.done("removed", words)
    stays = "applications and data stay on it: erase its nucleus's folder first if it goes elsewhere"
    terminal.line(f"{name} can connect no more; {stays}" if done else f"there was no device {name}")
    return 0


def update(
    targets: list[str],
    nucleus: str | None,
    suite: str | None,
    caller: Caller,
    terminal: Terminal,
    *,
    allow_major: bool,
    plan_only: bool,
    detailed: bool,
) -> int:
    """Deploy other versions of nucleus and suite to targets; returns the exit code.

    :raises Failure: if a version does not exist, or is a major one and that was not allowed
    """
    from vedette.cloud.targets import find_targets
    from vedette.cloud.updating import carry_out_updates, plan_updates

    with answering("update", as_json=caller.as_json), speaking_to_aws():
        cloud = caller.cloud()
        tell_identity(cloud, terminal)
        plans = plan_updates(cloud, find_targets(cloud, targets), nucleus=nucleus, suite=suite, allow_major=allow_major)
        changed = [plan for plan in plans if plan.changed]
        for plan in plans:
            terminal.line(f"{plan.target}   revision {plan.revision}{'' if plan.changed else ': up to date'}")
            for change in plan.changes:
                terminal.line(f"  {change.kind} {change.what}   {change.before} → {change.after}")
        made = []
        if changed and not plan_only:
            confirm(f"update {', '.join(str(plan.target) for plan in changed)}", caller, terminal)
            made = carry_out_updates(cloud, changed)
    if caller.as_json:
        document = {"targets": [p.document() for p in plans], "deployments": [m.document() for m in made]}
        sys.stdout.write(json.dumps({"schema": "vedette.update/1", "ok": True, **document}, indent=2) + "\n")
    for item in made:
        terminal.done("deployed", f"{item.target}, revision {item.revision}")
    return EXIT_CHANGES if changed and plan_only and detailed else 0


def confirm(what: str, caller: Caller, terminal: Terminal) -> None:
    """Ask whether to do it, unless ``--yes`` was given.

    :raises Failure: if the answer is no, or nobody can be asked
    """
    if caller.yes:
        return
    if not sys.stdin.isatty():
        raise Failure(f"nobody can be asked whether to {what}", hint="--yes does it without asking")
    terminal.clear_status()
    sys.stderr.write(f"{what}? [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise Failure("nothing was changed")


def _confirm_name(name: str, caller: Caller, terminal: Terminal) -> None:
    if caller.yes:
        return
    if not sys.stdin.isatty():
        raise Failure("nobody can be asked to confirm", hint="--yes does it without asking", exit_code=EXIT_FAILED)
    terminal.clear_status()
    sys.stderr.write(f"This ends the device for good. Type its name to go on ({name}): ")
    sys.stderr.flush()
    if sys.stdin.readline().strip() != name:
        raise Failure("nothing was changed")
