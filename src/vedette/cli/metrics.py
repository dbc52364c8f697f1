"""Arguments of ``vedette metrics``: what a fleet sends to CloudWatch, and what that costs."""

from dataclasses import asdict
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command()(metrics)


def metrics(
    wanted: Annotated[
        bool, typer.Option("--estimate", help="Count metrics and calls of a fleet, and their cost.")
    ] = False,
    devices: Annotated[int, typer.Option(min=1, help="Devices of the fleet.")] = 1,
    cameras: Annotated[int, typer.Option(min=0, help="Cameras of each device.")] = 1,
    models: Annotated[int, typer.Option(min=0, help="Models of each device.")] = 1,
    applications: Annotated[int, typer.Option(min=0, help="Application instances of each device.")] = 1,
    streams: Annotated[int, typer.Option(min=0, help="Streams of each device in Kinesis Video Streams.")] = 0,
    interval: Annotated[
        int, typer.Option(min=60, max=3600, metavar="SECONDS", help="intervalS of vedette.DeviceMonitor.")
    ] = 60,
    groups: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES",
            help="groups of vedette.DeviceMonitor, with commas between them; all: every one; default: the component's.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One document on standard output.")] = False,
) -> None:
    """List the metrics that devices send to CloudWatch; with --estimate, what a fleet's cost.

    vedette metrics

    vedette metrics --estimate --devices 40 --cameras 8 --applications 2 --groups all
    """
    from vedette.cli.failure import EXIT_USAGE, Failure
    from vedette.cli.output import Output
    from vedette.metrics import DEFAULT_GROUPS, GROUPS, METRICS
    from vedette.metrics.estimate import PRICES, Fleet, estimate

    if groups is None:
        groups = ",".join(DEFAULT_GROUPS if wanted else GROUPS)
    elif groups == "all":
        groups = ",".join(GROUPS)
    names = [name.strip() for name in groups.split(",") if name.strip()]
    chosen = tuple(group for group in GROUPS if group in names)
    unknown = sorted(set(names) - set(chosen))
    if unknown:
        raise Failure(
            f"there are no metrics of {', '.join(unknown)}", hint=f"--groups {','.join(GROUPS)}", exit_code=EXIT_USAGE
        )
    out = Output()
    if not wanted:
        rows = [each for each in METRICS if each.group is None or each.group in chosen]
        if as_json:
            out.json(
                {
                    "schema": "vedette.metrics/1",
                    "metrics": [{**asdict(each), "namespace": each.namespace} for each in rows],
                }
            )
            return
        width = max(len(each.name) for each in rows)
        for each in rows:
            out.line(
                f"{each.name:{width}}  {each.unit:12}  {each.namespace} by {', '.join(each.dimensions)}: {each.meaning}"
            )
        return
    fleet = Fleet(devices, cameras, models, applications, interval, chosen, streams=streams)
    found = estimate(fleet)
    if as_json:
        out.json(
            {
                "schema": "vedette.metrics-estimate/1",
                "fleet": asdict(fleet),
                "estimate": asdict(found),
                "prices": PRICES,
            }
        )
        return
    parts = ", ".join(f"{group} {count}" for group, count in found.metrics_by_group.items())
    out.line(f"custom metrics  {found.metrics_a_device} a device ({parts}), {found.metrics:,} in all")
    out.line(
        f"API calls       {found.calls_a_device_and_day:,} PutMetricData a device and day, {found.calls_a_day:,} in all"
    )
    out.line(
        f"cost            about ${found.dollars_a_month_metrics:,.2f} a month for metrics and "
        f"${found.dollars_a_month_calls:,.2f} for calls, ${found.dollars_a_device_and_month:,.2f} a device"
    )
    out.line(f"                {PRICES}")
    out.line("less            --interval (calls), --groups (metrics); Panorama's two metrics are always sent")
