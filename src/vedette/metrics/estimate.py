"""How many custom metrics and API calls a fleet makes. Arithmetic on the table of metrics, no I/O."""

from dataclasses import dataclass
from typing import Final

from vedette.metrics.catalog import APPLICATION_ERRORS, DEFAULT_GROUPS, DEVICE_ACTIVE, METRICS, Group

PRICES: Final = "list prices of us-east-1 as of 2025: compare with https://aws.amazon.com/cloudwatch/pricing/"
_METRIC_TIERS: Final = ((10_000, 0.30), (240_000, 0.10), (750_000, 0.05), (10**12, 0.02))
"""(metrics, US dollars each and month): the price falls with their number."""
_DOLLARS_A_CALL: Final = 0.01 / 1000
_DAYS: Final = 30.4


@dataclass(frozen=True)
class Fleet:
    """What is monitored; cameras, models, applications and streams are those of one device."""

    devices: int
    cameras: int
    models: int
    applications: int
    interval_s: int = 60
    groups: tuple[Group, ...] = DEFAULT_GROUPS
    temperature: bool = True
    streams: int = 0
    """In Kinesis Video Streams."""


@dataclass(frozen=True)
class Estimate:
    """Of the whole fleet, except where the name says otherwise."""

    metrics_by_group: dict[str, int]
    """Custom metrics of one device; ``panorama`` are the two that are always sent."""
    metrics_a_device: int
    metrics: int
    calls_a_device_and_day: int
    calls_a_day: int
    dollars_a_device_and_month: float
    """Metrics and calls."""
    dollars_a_month_metrics: float
    dollars_a_month_calls: float


def estimate(fleet: Fleet) -> Estimate:
    """Return what a fleet sends and about what it costs."""
    times = {
        "device": 1,
        "cameras": fleet.cameras,
        "models": fleet.models,
        "applications": fleet.applications,
        "video": fleet.streams,
    }
    by_group = {"panorama": 1 * (DEVICE_ACTIVE.group is None) + fleet.applications * (APPLICATION_ERRORS.group is None)}
    for group in fleet.groups:
        count = sum(metric.group == group for metric in METRICS) - (group == "device" and not fleet.temperature)
        by_group[group] = count * times[group]
    a_device = sum(by_group.values())
    # Panorama's go every minute in a request of their own, the others in one each interval.
    calls = 24 * 60 + (24 * 3600 // fleet.interval_s if any(by_group[group] for group in fleet.groups) else 0)
    metrics = a_device * fleet.devices
    of_metrics, of_calls = _tiered(metrics), calls * fleet.devices * _DAYS * _DOLLARS_A_CALL
    return Estimate(
        metrics_by_group=by_group,
        metrics_a_device=a_device,
        metrics=metrics,
        calls_a_device_and_day=calls,
        calls_a_day=calls * fleet.devices,
        dollars_a_device_and_month=round((of_metrics + of_calls) / fleet.devices, 2),
        dollars_a_month_metrics=round(of_metrics, 2),
        dollars_a_month_calls=round(of_calls, 2),
    )


def _tiered(metrics: int) -> float:
    dollars, left = 0.0, metrics
    for size, price in _METRIC_TIERS:
        taken = min(left, size)
        dollars += taken * price
        left -= taken
    return dollars
