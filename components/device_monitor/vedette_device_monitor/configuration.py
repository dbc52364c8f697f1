"""Configuration keys of vedette.DeviceMonitor."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from vedette.application.log_streams import GROUP_PREFIXES
from vedette.metrics import DEFAULT_GROUPS, Group
from vedette_device_monitor.logs.destination import RETENTION_DAYS


class ConfigurationError(ValueError):
    """The configuration cannot be used; the text names the keys."""


class MonitorConfiguration(BaseModel):
    """What a deployment may set. Numbers and booleans may come as text."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    log_level: str = Field(default="INFO", alias="logLevel")
    metrics: bool = True
    interval_s: int = Field(default=60, alias="intervalS", ge=60, le=3600)
    groups: tuple[Group, ...] = DEFAULT_GROUPS
    device_id: str = Field(default="", alias="deviceId", max_length=255)
    device_name: str = Field(default="", alias="deviceName", max_length=255)
    application_ids: dict[str, str] = Field(default_factory=dict, alias="applicationIds")
    spool_mb: int = Field(default=32, alias="spoolMb", ge=1, le=1024)
    logs: bool = False
    log_groups: str = Field(default=GROUP_PREFIXES[0], alias="logGroups", pattern=r"^/[A-Za-z0-9_./#-]{1,200}[^/]$")
    log_region: str = Field(default="", alias="logRegion", max_length=50)
    log_retention_days: int = Field(default=0, alias="logRetentionDays")
    log_kms_key: str = Field(default="", alias="logKmsKey", max_length=256)
    system_logs: bool = Field(default=False, alias="systemLogs")
    health: bool = True
    jobs: bool = True
    diagnostics_bucket: str = Field(default="", alias="diagnosticsBucket")
    diagnostics_pictures: bool = Field(default=False, alias="diagnosticsPictures")

    @field_validator("log_retention_days")
    @classmethod
    def _as_the_service_has_it(cls, days: int) -> int:
        if days not in RETENTION_DAYS:
            raise ValueError(f"CloudWatch keeps logs for {', '.join(map(str, sorted(RETENTION_DAYS - {0})))} days")
        return days


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
