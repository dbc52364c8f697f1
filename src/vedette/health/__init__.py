"""Statuses heard on the bus -> one health document, with the words people read."""

from vedette.health.book import LINGER_S, TOPIC_FILTERS, HealthBook
from vedette.health.conditions import OutputState, Severity
from vedette.health.document import (
    ApplicationHealth,
    CameraHealth,
    ComponentHealth,
    DeploymentHealth,
    DisplayHealth,
    HealthDocument,
    ModelHealth,
    NodeHealth,
    OutputHealth,
    Problem,
    Summary,
    UploadHealth,
)

__all__ = [
    "LINGER_S",
    "TOPIC_FILTERS",
    "ApplicationHealth",
    "CameraHealth",
    "ComponentHealth",
    "DeploymentHealth",
    "DisplayHealth",
    "HealthBook",
    "HealthDocument",
    "ModelHealth",
    "NodeHealth",
    "OutputHealth",
    "OutputState",
    "Problem",
    "Severity",
    "Summary",
    "UploadHealth",
]
