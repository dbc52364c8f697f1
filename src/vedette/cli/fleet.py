"""Arguments of the commands for a fleet: publish and deploy."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from vedette.cli.aws import Profile, Region
from vedette.cli.options import (
    Cameras,
    CamerasFile,
    Graph,
    InstanceName,
    JsonFlag,
    MaxFps,
    Overrides,
    Role,
    Settings,
    SubMissing,
    Subs,
    Transport,
)

_credentials: Mapping[str, tuple[str, str]] = {}

Bucket = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="S3 bucket for artifacts; default: vedette-components-REGION-ACCOUNT."),
]


def register(app: typer.Typer, credentials: Mapping[str, tuple[str, str]]) -> None:
    """Add the commands to ``app``; ``credentials`` are those taken out of the command line, by clean URL."""
    global _credentials  # noqa: PLW0603 - typer calls plain functions
    _credentials = credentials
    app.command()(publish)
    app.command()(deploy)


def publish(
    component: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME|DIR]...", help="Vedette's components (default: all of them), or applications."),
    ] = None,
    name: InstanceName = None,
    graph: Graph = None,
    override: Overrides = None,
    wheels: Annotated[
        str | None,
        typer.Option(metavar="PYTHONS|none", help="Pythons that devices may have; default: 3.10,3.11,3.12,3.13."),
    ] = None,
    bucket: Bucket = None,
    plan: Annotated[bool, typer.Option("--plan", help="Say what would be published, and publish nothing.")] = False,
    as_json: JsonFlag = False,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """Publish Vedette's own components in an account and region, or applications without deploying them.

    vedette publish

    vedette publish my-app --name shop-1 --plan
    """
    from vedette.cli.publish import PublishOptions, publish_all
    from vedette.cli.terminal import Terminal

    options = PublishOptions(
        names=tuple(component or ()),
        instance=name,
        graph=graph,
        overrides=tuple(override or ()),
        bucket=bucket,
        wheels=wheels,
        plan_only=plan,
        as_json=as_json,
        profile=profile,
        region=region,
    )
    raise typer.Exit(publish_all(options, Terminal()))


def deploy(  # noqa: PLR0917 - typer reads the options off the signature
    to: Annotated[
        list[str],
        typer.Option(metavar="TARGET", help="thing/NAME, thing-group/NAME or an ARN; may be given several times."),
    ],
    directory: Annotated[
        list[Path] | None, typer.Argument(metavar="[DIR]...", help="Panorama projects: graphs/, packages/, assets/.")
    ] = None,
    override: Overrides = None,
    camera: Cameras = None,
    sub: Subs = None,
    sub_missing: SubMissing = None,
    setting: Settings = None,
    opened: Annotated[
        list[str] | None,
        typer.Option("--open", metavar="[ADDRESS:]PORT", help="Let a port of the application be reached from outside."),
    ] = None,
    role: Role = None,
    graph: Graph = None,
    name: InstanceName = None,
    cameras_file: CamerasFile = None,
    transport: Transport = "tcp",
    max_fps: MaxFps = None,
    ask: Annotated[
        bool, typer.Option("--ask", help="Ask for cameras and parameters, with the titles that the author gave them.")
    ] = False,
    description: Annotated[str, typer.Option(metavar="TEXT", help="Of the instance, for people.")] = "",
    tag: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="Tag of the application's component.")
    ] = None,
    role_alias: Annotated[
        str | None,
        typer.Option(
            "--role-alias", metavar="NAME", help="With --role: alias of the devices' role; default: that of infra/."
        ),
    ] = None,
    replace: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Application that leaves in the same deployment.")
    ] = None,
    remove: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Application to remove; needs no project.")
    ] = None,
    copy: Annotated[
        str | None, typer.Option(metavar="NAME", help="Deploy what an application is elsewhere, or was; no project.")
    ] = None,
    copy_from: Annotated[
        str | None, typer.Option(metavar="TARGET", help="Where to copy from, if it is on several and differs.")
    ] = None,
    nucleus: Annotated[str, typer.Option(metavar="java|lite", help="Which nucleus the devices have.")] = "java",
    no_cloud_logs: Annotated[bool, typer.Option("--no-cloud-logs", help="Do not send logs to CloudWatch.")] = False,
    panorama_logs: Annotated[
        bool | None,
        typer.Option(
            "--panorama-logs/--manager-logs",
            help="Send logs under Panorama's names by vedette.DeviceMonitor, or by aws.greengrass.LogManager; "
            "default: as it is, at first the manager, on nucleus lite the monitor.",
        ),
    ] = None,
    no_monitor: Annotated[
        bool, typer.Option("--no-monitor", help="Leave vedette.DeviceMonitor out: no metrics, alarms and device jobs.")
    ] = False,
    on_failure: Annotated[
        str | None, typer.Option(metavar="rollback|keep", help="What a device does when it fails; default: rollback.")
    ] = None,
    per_minute: Annotated[
        int | None, typer.Option("--rollout", metavar="N", min=1, max=1000, help="Devices a minute, at most.")
    ] = None,
    abort_percent: Annotated[
        float | None,
        typer.Option("--abort", metavar="PERCENT", min=0.01, max=100, help="Stop when so many devices failed."),
    ] = None,
    abort_after: Annotated[
        int, typer.Option(metavar="N", min=1, help="Devices that must be through before --abort counts.")
    ] = 5,
    timeout_minutes: Annotated[
        int | None, typer.Option("--device-timeout", metavar="MINUTES", min=1, help="How long a device may take.")
    ] = None,
    bucket: Bucket = None,
    plan: Annotated[bool, typer.Option("--plan", help="Show the plan and change nothing.")] = False,
    detailed_exit_code: Annotated[
        bool, typer.Option("--detailed-exit-code", help="With --plan: exit code 10 if there is anything to change.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Carry it out without asking.")] = False,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Return as soon as the deployments are created.")] = False,
    quiet: Annotated[
        float, typer.Option("--patience", metavar="SECONDS", min=0, help="How long to wait while nothing moves.")
    ] = 120.0,
    limit: Annotated[
        float, typer.Option("--wait", metavar="SECONDS", min=0, help="How long to follow at most.")
    ] = 1800.0,
    as_json: JsonFlag = False,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """Deploy applications to things or thing groups: shows a plan, asks, carries it out, follows it.

    vedette deploy my-app --to thing-group/shop-cameras --camera camera_node=rtsp://viewer:password@10.0.0.21/stream1

    vedette deploy --remove my-app --to thing-group/shop-cameras
    """
    from vedette.cli.deploy import DeployOptions
    from vedette.cli.deploy import deploy as run
    from vedette.cli.terminal import Terminal

    options = DeployOptions(
        directories=tuple(directory or ()),
        targets=tuple(to),
        overrides=tuple(override or ()),
        cameras=tuple(camera or ()),
        subs=tuple(sub or ()),
        sub_missing=sub_missing,
        settings=tuple(setting or ()),
        opened=tuple(opened or ()),
        role=role,
        role_alias=role_alias,
        ask=ask,
        description=description,
        tags=tuple(tag or ()),
        graph=graph,
        instance=name,
        cameras_file=cameras_file,
        transport=transport,
        max_fps=max_fps,
        replace=tuple(replace or ()),
        remove=tuple(remove or ()),
        copy=copy,
        copy_from=copy_from,
        bucket=bucket,
        nucleus=nucleus,
        cloud_logs=not no_cloud_logs,
        panorama_logs=panorama_logs,
        monitor=not no_monitor,
        on_failure=on_failure,
        per_minute=per_minute,
        abort_percent=abort_percent,
        abort_after=abort_after,
        timeout_minutes=timeout_minutes,
        plan_only=plan,
        detailed_exit_code=detailed_exit_code,
        yes=yes,
        wait=not no_wait,
        quiet_s=quiet,
        limit_s=limit,
        as_json=as_json,
        profile=profile,
        region=region,
    )
    raise typer.Exit(run(options, _credentials, Terminal()))
