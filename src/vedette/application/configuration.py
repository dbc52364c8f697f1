"""The configuration of an application's component: what a deployment may change without a new artifact."""

import ipaddress
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from vedette.application.manifest import ApplicationManifest, ParameterInput, describe
from vedette.application.parameter import ParameterValue, ParameterValueError, coerce_parameter
from vedette.messages import CameraSource

Launch = Literal["onAppStart", "onSignal", "onDemand"]
Origin = Literal["graph", "override", "deployment"]
Sandbox = Literal["required", "preferred", "off"]
Network = Literal["own", "machine", "none"]
EnvironmentChoice = Literal["auto", "container", "sources"]
LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR"]

_NUCLEUS_KEYS = frozenset({"accesscontrol"})


class ApplicationConfigurationError(ValueError):
    """The component's configuration cannot be used; the text names the keys."""


class CameraAttachment(CameraSource):
    """A camera on a camera node, and whether it starts paused."""

    launch: Launch = Field(default="onAppStart", description="onSignal: paused until it is resumed")

    @property
    def source(self) -> CameraSource:
        """Return the source alone, as demands carry it."""
        return CameraSource(**self.model_dump(exclude={"launch"}))

    @property
    def camera_id(self) -> str:
        """Return the id of the source: the launch mode does not make another camera."""
        return self.source.camera_id


class PortRoute(BaseModel):
    """A port of the application and the port of the device that leads to it."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    container_port: int = Field(alias="containerPort", ge=1, le=65535)
    host_port: int = Field(alias="hostPort", ge=1, le=65535)
    address: str = Field(
        default="", description="address of the device to open it at, as 127.0.0.1; empty: as the application asks"
    )

    @field_validator("address")
    @classmethod
    def _is_address(cls, text: str) -> str:
        if text:
            ipaddress.IPv4Address(text)
        return text


_START = ("ports", "network", "environment", "limits", "role", "record", "debug_port", "source_folder")
"""Keys that an application is started with; another value needs another start."""


class Limits(BaseModel):
    """What one application may take of the machine; None: as much as there is."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    memory_mb: int | None = Field(default=None, alias="memoryMB", ge=64, description="it is ended beyond it")
    cpus: float | None = Field(default=None, ge=0.05, description="processors' worth of time")
    processes: int = Field(default=1000, ge=16, description="processes at once, and with control groups threads")
    storage_mb: int | None = Field(default=None, alias="storageMB", ge=1, description="it cannot write beyond it")
    logs_mb: int = Field(default=100, alias="logsMB", ge=1, description="of its log files; the oldest are removed")
    free_disk_mb: int = Field(default=512, alias="freeDiskMB", ge=0, description="what it leaves free on the disk")
    scratch_mb: int | None = Field(
        default=None, alias="scratchMB", ge=1, description="memory that /tmp, /var/tmp and /dev/shm may take, each"
    )
    hung_after_s: float = Field(default=60, alias="hungAfterS", gt=0, description="without a sign of its working loop")
    restart_hung_after_s: float = Field(
        default=600, alias="restartHungAfterS", ge=0, description="0: a hung application is left alone"
    )


class ApplicationConfiguration(BaseModel):
    """Configuration keys of an application's component."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    instance: str = Field(min_length=1)
    cameras: dict[str, list[CameraAttachment]] = Field(
        default_factory=dict, description="camera node -> cameras, in the order of get()"
    )
    parameters: dict[str, ParameterValue] = Field(default_factory=dict, description="parameter node -> value")
    parameter_origins: dict[str, Origin] = Field(default_factory=dict, alias="parameterOrigins")
    sandbox: Sandbox = "required"
    log_level: LogLevel = Field(default="INFO", alias="logLevel", description="of the host's own log")
    ports: list[PortRoute] = Field(default_factory=list, description="confirmed routing rules; no other port is open")
    network: Network = Field(
        default="own",
        description="own: TCP ports of its own, open by rule only; machine: those of the machine; none: no network, "
        "cameras and models alone",
    )

    environment: EnvironmentChoice = Field(
        default="auto",
        description="container: the application's own root file system; sources: libraries by requirements.txt; "
        "auto: the container where it fits this machine",
    )
    record: bool = Field(default=False, description="write what it puts and reads to recording.jsonl, for tests")
    debug_port: int | None = Field(
        default=None, alias="debugPort", ge=1024, le=65535, description="wait for a debugger at this port of 127.0.0.1"
    )
    source_folder: str | None = Field(
        default=None,
        alias="sourceFolder",
        pattern=r"^/",
        description="folder of the application's files in place of its component's, for who develops it",
    )
    role: str | None = Field(
        default=None,
        pattern=r"^arn:aws[a-z-]*:iam::[0-9]{12}:role/[\w+=,.@/-]+$",
        description="ARN of the application's AWS role; None: it has no credentials",
    )
    limits: Limits = Field(default_factory=Limits)
    restart_on_change: bool = Field(
        default=False,
        alias="restartOnChange",
        description="start the application anew when a parameter changes, for one that reads them once",
    )

    def value_of(self, parameter: ParameterInput) -> ParameterValue:
        """Return the value of a parameter port, typed: this configuration's, else the manifest's default.

        :raises ApplicationConfigurationError: if the configured value does not fit the parameter's type
        """
        if parameter.node is None or parameter.node not in self.parameters:
            return parameter.default
        try:
            return coerce_parameter(parameter.type, self.parameters[parameter.node])
        except ParameterValueError as error:
            raise ApplicationConfigurationError(f"configuration parameters.{parameter.node}: {error}") from error

    def same_start(self, other: "ApplicationConfiguration") -> bool:
        """Tell whether an application that was started with the one would be started alike with the other."""
        return all(getattr(self, name) == getattr(other, name) for name in _START)

    def unknown_names(self, manifest: ApplicationManifest) -> list[str]:
        """Return the keys that name a camera or parameter node the application does not have."""
        cameras = {node for port in manifest.media_inputs() for node in port.nodes}
        parameters = {port.node for port in manifest.parameters()}
        return [f"cameras.{name}" for name in sorted(self.cameras.keys() - cameras)] + [
            f"parameters.{name}" for name in sorted(self.parameters.keys() - parameters)
        ]

    def as_configuration(self) -> dict[str, Any]:
        """Return the plain document for a recipe's DefaultConfiguration or a deployment's merge."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)

    @classmethod
    def from_component(cls, configuration: Mapping[str, Any]) -> "ApplicationConfiguration":
        """Read the component's whole configuration as GetConfiguration gives it.

        ``accessControl`` belongs to the nucleus and is passed over. Numbers and booleans may come as text.

        :raises ApplicationConfigurationError: if it breaks a rule; names the keys, never the values
        """
        own = {key: value for key, value in configuration.items() if key.lower() not in _NUCLEUS_KEYS}
        try:
            return cls.model_validate(own)
        except ValidationError as error:
            raise ApplicationConfigurationError(f"component configuration: {describe(error)}") from error
