"""The Python environment of an application: isolated, cached, and proved by importing what the application imports."""

from vedette_app_runtime.environments.environment import Environment
from vedette_app_runtime.environments.errors import (
    ContainerUnusable,
    EnvironmentFailed,
    InterpreterMissing,
    NoWorkingResolution,
    PackagesUnreachable,
    RequirementsInvalid,
)
from vedette_app_runtime.environments.preparation import load, prepare

__all__ = [
    "ContainerUnusable",
    "Environment",
    "EnvironmentFailed",
    "InterpreterMissing",
    "NoWorkingResolution",
    "PackagesUnreachable",
    "RequirementsInvalid",
    "load",
    "prepare",
]
