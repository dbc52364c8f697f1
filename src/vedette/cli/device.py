"""``vedette device``: provision, list, describe, reboot, update and decommission core devices."""

import json
import sys
from dataclasses import dataclass
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
    again: bool = False
    nucleus_file: Path | None = None
    out: Path | None = None


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
        where = endpoints(cloud)
        certificate = make(cloud, wanted)
        try:
            write_bundle(bundle_files(cloud.region, wanted, certificate, where), out)
        except OSError as error:
            hint = f"vedette device provision {options.name} --again --out PATH"
            raise Failure(f"{out} cannot be written: {error.strerror}", hint=hint) from error
    if caller.as_json:
        print_json(SCHEMA, device=options.name, archive=str(out), certificate_id=certificate.certificate_id)
        return 0
    groups = f" in {', '.join(options.groups)}" if options.groups else ""
    terminal.done("thing", options.name + groups)
    terminal.done("certificate", f"{certificate.certificate_id[:12]}…, active")
    _tell_archive(out, terminal)
    return 0


def claim(options: ProvisionOptions, template: str | None, caller: Caller, terminal: Terminal, *, end: bool) -> int:
    """Write an archive that makes any machine a device, or end all such archives; returns the exit code.

    :raises Failure: if the account has no provisioning template
    """
    from vedette.cloud.provisioning import (
        TEMPLATE,
        bundle_files,
        claims_of,
        end_certificate,
        endpoints,
        make_claim,
        write_bundle,
    )

    template = template or TEMPLATE
    with answering(SCHEMA, as_json=caller.as_json), speaking_to_aws():
        cloud = caller.cloud()
        if end:
            ended = claims_of(cloud, f"{template}Claim")
            for arn in ended:
                end_certificate(cloud, arn)
            if caller.as_json:
                print_json(SCHEMA, ended=len(ended))
            terminal.done("ended", f"{len(ended)} claim certificate{'' if len(ended) == 1 else 's'} of {template}")
            return 0
        out = _free(options.out or Path(f"vedette-claim-{template}.tar.gz"))
        wanted = _wanted(options)
        where = endpoints(cloud)
        certificate = make_claim(cloud, template)
        try:
            write_bundle(bundle_files(cloud.region, wanted, certificate, where, claim=template), out)
        except OSError as error:
            end_certificate(cloud, certificate.arn)
            raise Failure(f"{out} cannot be written: {error.strerror}") from error
    if caller.as_json:
        print_json(SCHEMA, archive=str(out), certificate_id=certificate.certificate_id)
    _tell_archive(out, terminal)
    terminal.line("next: vedette device claim --end, as soon as all machines are installed")
    return 0


def _wanted(options: ProvisionOptions) -> Any:
    from vedette.cloud.provisioning import POLICY, ROLE_ALIAS, Provisioning

    if options.nucleus not in {"java", "lite"}:
        raise Failure(f"--nucleus takes java or lite, got `{options.nucleus}`", exit_code=EXIT_USAGE)
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
        options.again,
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


def list_all(caller: Caller, *, group: str | None, prefix: str, status: str | None) -> int:
    """Print the devices of the account or of a group; returns the exit code."""
    from vedette.cloud.devices import list_devices
    from vedette.cloud.targets import find_targets

    with answering("devices", as_json=caller.as_json), speaking_to_aws():
        cloud = caller.cloud()
        where = find_targets(cloud, [f"thing-group/{group}"])[0] if group is not None else None
        found = [item for item in list_devices(cloud, where, prefix) if status is None or item.status == status.upper()]
    if caller.as_json:
        print_json("devices", devices=[item.document() for item in found])
    elif found:
        rows = [(item.name, item.status, item.architecture, item.seen[:19].replace("T", " ")) for item in found]
        sys.stdout.write("\n".join(table(("DEVICE", "STATUS", "MACHINE", "SEEN"), rows)) + "\n")
    else:
        sys.stdout.write("no devices\n")
    return 0


def describe(name: str, caller: Caller) -> int:
    """Print all that AWS knows of a device; returns the exit code."""
    from vedette.cloud.devices import describe_device

    with answering(SCHEMA, as_json=caller.as_json), speaking_to_aws():
        found = describe_device(caller.cloud(), name)
    if caller.as_json:
        print_json(SCHEMA, **found.document())
        return 0
    facts = {
        "status": found.status,
        "description": found.description,
        "machine": found.architecture,
        "nucleus": found.nucleus,
        "groups": ", ".join(found.groups),
        "seen": found.seen[:19].replace("T", " "),
        "tags": ", ".join(f"{key}={value}" for key, value in found.tags.items()),
    }
    lines = [found.name, *(f"  {key:<13} {value}" for key, value in facts.items() if value)]
    for item in found.deployments:
        reason = f": {item['reason']}" if item["reason"] else ""
        lines.append(f"  deployment    {item['target']}   {item['status']}{reason}")
    lines += [f"  job           {item['job_id']}   {item['status']}" for item in found.jobs]
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
