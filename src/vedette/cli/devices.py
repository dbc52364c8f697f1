"""Arguments of ``vedette device``."""

from pathlib import Path
from typing import Annotated

import typer

from vedette.cli.aws import Profile, Region
from vedette.cli.options import JsonFlag

device_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Devices of a fleet: provision, list, reboot, update, decommission.",
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the device: a thing of AWS IoT.")]
Targets = Annotated[list[str], typer.Argument(metavar="TARGET...", help="thing/NAME, thing-group/NAME or a name.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do it without asking.")]
Nucleus = Annotated[str, typer.Option(metavar="java|lite", help="Which nucleus the machine gets.")]
Out = Annotated[Path | None, typer.Option("-o", "--out", metavar="FILE", help="Where the archive goes.")]
Private = Annotated[bool, typer.Option("--private", help="For a site without internet, by VPC endpoints.")]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Do not wait for the devices.")]
Limit = Annotated[float, typer.Option("--limit", metavar="SECONDS", min=0, help="How long to wait at most.")]
Fips = Annotated[bool, typer.Option("--fips", help="Endpoints and nucleus by FIPS 140.")]
NucleusFile = Annotated[
    Path | None,
    typer.Option("--nucleus-file", metavar="FILE", help="Nucleus (.zip, lite: .deb) to put into the archive."),
]
RoleAlias = Annotated[
    str | None,
    typer.Option("--role-alias", metavar="NAME", help="Alias of the devices' role; default: that of infra/."),
]


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.add_typer(device_app, name="device")


@device_app.command()
def provision(  # noqa: PLR0917 - typer reads the options off the signature
    name: Name,
    group: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Thing group to join; made if needed.")
    ] = None,
    description: Annotated[str, typer.Option(metavar="TEXT", help="What it is, at most 255 characters.")] = "",
    nucleus: Nucleus = "java",
    private: Private = False,
    fips: Fips = False,
    again: Annotated[
        bool, typer.Option("--again", help="Make a new certificate; those that it has are ended.")
    ] = False,
    panorama_id: Annotated[
        str, typer.Option(metavar="device-ID", help="The id that it had in Panorama; commands take it for the name.")
    ] = "",
    nucleus_file: NucleusFile = None,
    policy: Annotated[
        str | None, typer.Option(metavar="NAME", help="IoT policy of devices; default: that of infra/.")
    ] = None,
    role_alias: RoleAlias = None,
    netplan: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Network settings of the machine, in netplan's form.")
    ] = None,
    wait: Annotated[
        float, typer.Option("--wait", metavar="SECONDS", min=0, help="Wait so long until it is online; 0: do not wait.")
    ] = 0.0,
    out: Out = None,
    as_json: JsonFlag = False,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """Make a device known and write the archive that a machine becomes it with.

    vedette device provision shop-01 --group shop --description "Entrance, left"

    vedette device provision shop-02 --nucleus lite --nucleus-file aws-greengrass-lite.deb --private
    """
    from vedette.cli.device import Caller, ProvisionOptions
    from vedette.cli.device import provision as run
    from vedette.cli.terminal import Terminal

    options = ProvisionOptions(
        name,
        tuple(group or ()),
        description,
        nucleus,
        policy,
        role_alias,
        private,
        fips,
        again,
        panorama_id,
        nucleus_file,
        out,
        netplan,
        wait,
    )
    raise typer.Exit(run(options, Caller(profile, region, as_json), Terminal()))


@device_app.command("wait")
def wait_command(
    name: Name,
    limit: Annotated[float, typer.Option(metavar="SECONDS", min=1, help="How long to wait at most.")] = 1800.0,
    as_json: JsonFlag = False,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """Wait until a device is online and done with its deployments; otherwise name the step it stopped at.

    vedette device wait shop-01

    vedette device wait shop-01 --limit 600 --json
    """
    from vedette.cli.device import Caller, wait
    from vedette.cli.terminal import Terminal

    raise typer.Exit(wait(name, limit, Caller(profile, region, as_json), Terminal()))


@device_app.command()
def rotate(  # noqa: PLR0917 - typer reads the options off the signature
    name: Name,
    finish: Annotated[bool, typer.Option("--finish", help="End the certificates that it had before.")] = False,
    nucleus: Nucleus = "java",
    private: Private = False,
    fips: Fips = False,
    policy: Annotated[
        str | None, typer.Option(metavar="NAME", help="IoT policy of devices; default: that of infra/.")
    ] = None,
    role_alias: RoleAlias = None,
    out: Out = None,
    as_json: JsonFlag = False,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """Give a device another certificate in place: the same thing, its applications untouched.

    vedette device rotate shop-01

    vedette device rotate shop-01 --finish
    """
    from vedette.cli.device import Caller, ProvisionOptions
    from vedette.cli.device import rotate as run
    from vedette.cli.terminal import Terminal

    options = ProvisionOptions(
        name, nucleus=nucleus, policy=policy, role_alias=role_alias, private=private, fips=fips, out=out
    )
    raise typer.Exit(run(options, Caller(profile, region, as_json), Terminal(), finish=finish))


@device_app.command()
def claim(  # noqa: PLR0917 - typer reads the options off the signature
    end: Annotated[bool, typer.Option("--end", help="End every claim: no more machines may become devices.")] = False,
    minutes: Annotated[
        int,
        typer.Option(metavar="N", min=0, max=43200, help="How long it is good; 0: until it is ended by hand."),
    ] = 60,
    serials: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Serial numbers that may use it, one a line; default: any.")
    ] = None,
    template: Annotated[
        str | None, typer.Option(metavar="NAME", help="Provisioning template; default: that of infra/.")
    ] = None,
    nucleus: Nucleus = "java",
    private: Private = False,
    fips: Fips = False,
    nucleus_file: NucleusFile = None,
    role_alias: RoleAlias = None,
    bucket: Annotated[
        str | None, typer.Option(metavar="NAME", help="Where its limits are kept; default: as vedette publish.")
    ] = None,
    out: Out = None,
    as_json: JsonFlag = False,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """Write one archive for many machines: each becomes a device of its own when it first starts.

    vedette device claim --minutes 120 --serials line-3.txt --out line-3.tar.gz

    vedette device claim --end
    """
    from vedette.cli.device import Caller, ClaimOptions, ProvisionOptions, end_claims
    from vedette.cli.device import claim as run
    from vedette.cli.terminal import Terminal

    caller = Caller(profile, region, as_json)
    if end:
        raise typer.Exit(end_claims(template, caller, Terminal()))
    options = ProvisionOptions(
        "claim", nucleus=nucleus, role_alias=role_alias, private=private, fips=fips, nucleus_file=nucleus_file, out=out
    )
    raise typer.Exit(run(options, ClaimOptions(template, minutes, serials, bucket), caller, Terminal()))


@device_app.command("list")
def list_command(
    group: Annotated[str | None, typer.Option(metavar="NAME", help="Only devices of this thing group.")] = None,
    prefix: Annotated[str, typer.Option(metavar="TEXT", help="Only names that begin so.")] = "",
    status: Annotated[str | None, typer.Option(metavar="STATUS", help="Only this status, for example OFFLINE.")] = None,
    updates: Annotated[
        bool, typer.Option("--updates", help="Mark devices with older software than is published: UPDATE_NEEDED.")
    ] = False,
    detailed_exit_code: Annotated[
        bool, typer.Option("--detailed-exit-code", help="With --updates: exit code 10 if one is behind.")
    ] = False,
    as_json: JsonFlag = False,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """List the devices and their status.

    vedette device list --group shop

    vedette device list --updates --detailed-exit-code
    """
    from vedette.cli.device import Caller, list_all

    if detailed_exit_code and not updates:
        raise typer.BadParameter("it goes with --updates", param_hint="--detailed-exit-code")
    caller = Caller(profile, region, as_json)
    raise typer.Exit(
        list_all(caller, group=group, prefix=prefix, status=status, updates=updates, detailed=detailed_exit_code)
    )


@device_app.command()
def describe(
    name: Name,
    set_description: Annotated[
        str | None, typer.Option("--set-description", metavar="TEXT", help="Change what it is said to be.")
    ] = None,
    as_json: JsonFlag = False,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """Show a device: status, deployments, components and their versions, jobs.

    vedette device describe shop-01

    vedette device describe shop-01 --set-description "Entrance, right"
    """
    from vedette.cli.device import Caller, change_description
    from vedette.cli.device import describe as run
    from vedette.cli.terminal import Terminal

    caller = Caller(profile, region, as_json)
    if set_description is not None:
        raise typer.Exit(change_description(name, set_description, caller, Terminal()))
    raise typer.Exit(run(name, caller))


@device_app.command()
def reboot(
    target: Targets,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until the machines have started again.")] = False,
    limit: Limit = 600.0,
    yes: Yes = False,
    as_json: JsonFlag = False,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """Reboot devices, by a job that vedette.DeviceMonitor carries out.

    vedette device reboot shop-01 --wait

    vedette device reboot thing-group/shop --yes
    """
    from vedette.cli.device import Caller
    from vedette.cli.device_jobs import Following
    from vedette.cli.device_jobs import reboot as run
    from vedette.cli.terminal import Terminal

    raise typer.Exit(run(target, Following(wait, limit), Caller(profile, region, as_json, yes), Terminal()))


@device_app.command()
def doctor(
    target: Targets,
    no_wait: NoWait = False,
    limit: Limit = 600.0,
    as_json: JsonFlag = False,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """Ask devices what they lack to run applications.

    vedette device doctor shop-01

    vedette device doctor thing-group/shop --json
    """
    from vedette.cli.device import Caller
    from vedette.cli.device_jobs import Following
    from vedette.cli.device_jobs import doctor as run
    from vedette.cli.terminal import Terminal

    raise typer.Exit(run(target, Following(not no_wait, limit), Caller(profile, region, as_json), Terminal()))


@device_app.command()
def diagnose(
    target: Targets,
    bucket: Annotated[
        str | None, typer.Option(metavar="NAME", help="S3 bucket; default: that of the device's configuration.")
    ] = None,
    pictures: Annotated[
        bool, typer.Option("--pictures", help="With the cameras' last frames, where the device allows it.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", metavar="FOLDER", help="Fetch the bundles into this folder.")
    ] = None,
    no_wait: NoWait = False,
    limit: Limit = 600.0,
    as_json: JsonFlag = False,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """Have devices put logs, health, configuration and versions, without passwords, into S3.

    vedette device diagnose shop-01 --bucket my-diagnostics --out .

    vedette device diagnose thing-group/shop --no-wait
    """
    from vedette.cli.device import Caller
    from vedette.cli.device_jobs import Bundles, Following
    from vedette.cli.device_jobs import diagnose as run
    from vedette.cli.terminal import Terminal

    bundles, following = Bundles(bucket, pictures, out), Following(not no_wait, limit)
    raise typer.Exit(run(target, bundles, following, Caller(profile, region, as_json), Terminal()))


@device_app.command()
def job(
    job_id: Annotated[str, typer.Argument(metavar="JOB", help="Id that reboot, doctor or diagnose told.")],
    cancel: Annotated[bool, typer.Option("--cancel", help="Withdraw it from devices that have not begun.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Follow it to its end.")] = False,
    limit: Limit = 600.0,
    yes: Yes = False,
    as_json: JsonFlag = False,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """Tell what devices have made of a job.

    vedette device job vedette-reboot-1a2b --wait

    vedette device job vedette-reboot-1a2b --cancel
    """
    from vedette.cli.device import Caller
    from vedette.cli.device_jobs import Following, show_job
    from vedette.cli.terminal import Terminal

    caller = Caller(profile, region, as_json, yes)
    raise typer.Exit(show_job(job_id, Following(wait, limit), caller, Terminal(), cancel=cancel))


@device_app.command()
def update(
    target: Targets,
    nucleus: Annotated[
        str | None,
        typer.Option("--nucleus", metavar="VERSION|none", help="Version of the nucleus; default: the newest."),
    ] = None,
    suite: Annotated[
        str | None,
        typer.Option("--suite", metavar="VERSION|none", help="Version of Vedette's components; default: the newest."),
    ] = None,
    allow_major: Annotated[bool, typer.Option("--allow-major", help="Also to another major version.")] = False,
    plan: Annotated[bool, typer.Option("--plan", help="Show what would change, and change nothing.")] = False,
    detailed_exit_code: Annotated[
        bool, typer.Option("--detailed-exit-code", help="With --plan: exit code 10 if there is anything to update.")
    ] = False,
    yes: Yes = False,
    as_json: JsonFlag = False,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """Update nucleus and Vedette's components of devices; a device that fails goes back.

    vedette device update thing-group/shop

    vedette device update shop-01 --nucleus 2.17.0 --suite none --plan
    """
    from vedette.cli.device import Caller
    from vedette.cli.device import update as run
    from vedette.cli.terminal import Terminal

    raise typer.Exit(
        run(
            target,
            nucleus,
            suite,
            Caller(profile, region, as_json, yes),
            Terminal(),
            allow_major=allow_major,
            plan_only=plan,
            detailed=detailed_exit_code,
        )
    )


@device_app.command()
def decommission(
    name: Name, yes: Yes = False, as_json: JsonFlag = False, profile: Profile = None, region: Region = None
) -> None:
    """Take a device out of the account: it can connect no more.

    vedette device decommission shop-01
    """
    from vedette.cli.device import Caller
    from vedette.cli.device import decommission as run
    from vedette.cli.terminal import Terminal

    raise typer.Exit(run(name, Caller(profile, region, as_json, yes), Terminal()))
