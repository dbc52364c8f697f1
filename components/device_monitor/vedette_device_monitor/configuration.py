"""Configuration keys of vedette.DeviceMonitor."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vedette.metrics import GROUPS, Group


class ConfigurationError(ValueError):
    """The configuration cannot be used; the text names the keys."""


class MonitorConfiguration(BaseModel):
    """What a deployment may set. Numbers and booleans may come as text."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    log_level: str = Field(default="INFO", alias="logLevel")
    metrics: bool = True
    interval_s: int = Field(default=60, alias="intervalS", ge=60, le=3600)
    groups: tuple[Group, ...] = GROUPS
    device_id: str = Field(default="", alias="deviceId", max_length=255)
    device_name: str = Field(default="", alias="deviceName", max_length=255)
    application_ids: dict[str, str] = Field(default_factory=dict, alias="applicationIds")
    spool_mb: int = Field(default=32, alias="spoolMb", ge=1, le=1024)
    health: bool = True
    jobs: bool = True
    diagnostics_bucket: str = Field(default="", alias="diagnosticsBucket")


def read(configuration: Mapping[str, Any]) -> MonitorConfiguration:
    """Read the component's configuration as GetConfiguration gives it.

    :raises ConfigurationError: if it breaks a rule; names the keys, never the values
    """
    given = dict(configuration)
    if isinstance(given.get("groups"), str):
        given["groups"] = [name for name in given["groups"].replace(",", " ").split() if name]
    try:
        return MonitorConfiguration.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(f"component configuration: {where}: {first['msg']}") from None
