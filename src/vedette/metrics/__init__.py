"""The metrics that a device sends to CloudWatch: one table for what sends, estimates, draws and watches them."""

from vedette.metrics.catalog import (
    APPLICATION_ERRORS,
    DEFAULT_GROUPS,
    DEVICE_ACTIVE,
    GROUPS,
    METRICS,
    NAMESPACE,
    PANORAMA_NAMESPACE,
    Group,
    Metric,
)

__all__ = [
    "APPLICATION_ERRORS",
    "DEFAULT_GROUPS",
    "DEVICE_ACTIVE",
    "GROUPS",
    "METRICS",
    "NAMESPACE",
    "PANORAMA_NAMESPACE",
    "Group",
    "Metric",
]
