"""What may be configured."""

from ipaddress import ip_address
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from vedette.kinesis_video.configuration import STREAM_PLACES, StreamSettings, check_template

STREAM_NAME: Final = "{device}-{instance}-{stream}"
CAMERA_STREAM_NAME: Final = "{device}-{camera}"


class ConfigurationError(Exception):
    """The configuration cannot be used; the message names the key, what it holds and what is expected."""


class RecordingConfiguration(BaseModel):
    """Recordings that applications ask for."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    megabytes: int = Field(
        default=0, ge=0, le=10_000_000, description="of disk at most, the oldest go; 0: no recordings"
    )
    before_s: float = Field(default=10.0, ge=0, le=60, alias="beforeS", description="seconds before an event, at most")
    instances: list[str] = Field(default_factory=list, description="applications; empty: all")
    bucket: str = Field(
        default="",
        pattern=r"^$|^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$",
        description="of S3, to which recordings are uploaded when there is a connection; empty: they stay here",
    )
    prefix: str = Field(
        default="recordings", max_length=200, pattern=r"^[A-Za-z0-9!_.*'()/-]*$", description="of their keys there"
    )


class KinesisVideoConfiguration(StreamSettings):
    """Outputs, and cameras' own streams, that are sent to Kinesis Video Streams."""

    outputs: list[str] = Field(
        default_factory=list,
        max_length=100,
        description="<instance> or <instance>/<stream>, `*` for any; empty: none. Each is encoded all the time",
    )
    stream_name: str = Field(
        default=STREAM_NAME,
        min_length=1,
        max_length=256,
        alias="streamName",
        description="of each output, made of {device}, {instance}, {port}, {stream} and letters, digits, `_.-`",
    )
    cameras: list[str] = Field(
        default_factory=list,
        max_length=100,
        description="names of cameras whose own H.264 is sent as it is while applications use them, `*` for any",
    )
    camera_stream_name: str = Field(
        default=CAMERA_STREAM_NAME,
        min_length=1,
        max_length=256,
        alias="cameraStreamName",
        description="of each camera, made of {device}, {camera} and letters, digits, `_.-`",
    )
    overlays: bool = Field(default=True, description="with labels and boxes; false: as the application put it")
    width: int = Field(default=1920, ge=16, le=7680, description="pixels at most")

    @field_validator("stream_name")
    @classmethod
    def _known_places(cls, value: str) -> str:
        check_template(value, STREAM_PLACES)
        return value

    @field_validator("camera_stream_name")
    @classmethod
    def _known_camera_places(cls, value: str) -> str:
        check_template(value, ("device", "camera"))
        return value


class DisplayConfiguration(BaseModel):
    """Configuration of vedette.Display."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    log_level: str = Field(default="INFO", alias="logLevel", description="DEBUG, INFO, WARNING or ERROR")
    bind: str = Field(
        default="127.0.0.1",
        description="address to listen at; beyond loopback (0.0.0.0, ::, an own address) an access key is asked for",
    )
    port: int = Field(default=8790, ge=0, le=65535, description="a busy one gives way to the next free one; 0: any")
    hosts: list[str] = Field(
        default_factory=list, description="further names under which browsers reach this device, without port"
    )

    tls: Literal["auto", "off"] = Field(default="auto", description="auto: TLS beyond loopback; off: never")
    certificate: str = Field(default="", description="PEM file to serve with; empty: one that the device makes itself")
    private_key: str = Field(default="", alias="privateKey", description="PEM file of the certificate's key")

    rtsp: Literal["auto", "on", "off"] = Field(
        default="auto", description="streams of outputs: auto: on this machine; on: at `bind`, with a password; off"
    )
    rtsp_port: int = Field(default=8554, ge=0, le=65535, alias="rtspPort", description="as `port`")

    rtsps: Literal["off", "on"] = Field(
        default="off",
        description="the same streams over TLS, with the page's certificate; `rtsp: off` beside it: only so",
    )
    rtsps_port: int = Field(default=8322, ge=0, le=65535, alias="rtspsPort", description="as `port`")

    encoder: Literal["auto", "software", "nvenc", "jetson", "qsv", "va", "valp", "vaapi", "amf", "v4l2"] = Field(
        default="auto",
        description="of streams, clips and recordings: auto: hardware that works here; software: libx264; or that one",
    )

    screen: Literal["off", "on", "window"] = Field(
        default="off", description="the device's own screen: on: all of it; window: in a window on a desktop"
    )
    screen_application: str = Field(
        default="", alias="screenApplication", description="instance that has it; empty: the one started last"
    )

    recording: RecordingConfiguration = RecordingConfiguration()

    kinesis_video: KinesisVideoConfiguration = Field(
        default=KinesisVideoConfiguration(), alias="kinesisVideo", description="uploads of outputs"
    )

    @property
    def secure(self) -> bool:
        """Whether the page is served over TLS."""
        return self.tls == "auto" and (not self.loopback or bool(self.certificate))

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the page."""
        return self.bind == "localhost" or ip_address(self.bind).is_loopback


def read(raw: dict[str, object]) -> DisplayConfiguration:
    """Check the component's configuration.

    :raises ConfigurationError: when a key is unknown or holds what cannot be.
    """
    try:
        configuration = DisplayConfiguration.model_validate(raw)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=True)[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(
            f"configuration key `{key}` of vedette.Display holds {first.get('input')!r}: {first['msg']}"
        ) from error
    if configuration.bind != "localhost":
        try:
            ip_address(configuration.bind)
        except ValueError as error:
            raise ConfigurationError(
                f"configuration key `bind` of vedette.Display holds {configuration.bind!r},"
                " expected an IP address such as 127.0.0.1 or 0.0.0.0"
            ) from error
    if bool(configuration.certificate) != bool(configuration.private_key):
        raise ConfigurationError(
            "configuration keys `certificate` and `privateKey` of vedette.Display belong together:"
            " give both files, or neither"
        )
    return configuration
