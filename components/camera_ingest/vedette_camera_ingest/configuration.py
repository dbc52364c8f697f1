"""What may be configured."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError


class ConfigurationError(Exception):
    """The configuration cannot be used; the message names the key, what it holds and what is expected."""


class IngestConfiguration(BaseModel):
    """Configuration of vedette.CameraIngest."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    log_level: str = Field(default="INFO", alias="logLevel", description="DEBUG, INFO, WARNING or ERROR")
    hardware_decoding: Literal["auto", "off"] = Field(
        default="auto", alias="hardwareDecoding", description="auto: where the device has it; off: in software"
    )
    main_stream_linger_s: float = Field(
        default=5.0,
        ge=0,
        le=3600,
        alias="mainStreamLingerS",
        description="how long a camera's main stream, which is opened on demand, stays open for nobody, s",
    )


def read(raw: dict[str, object]) -> IngestConfiguration:
    """Check the component's configuration.

    :raises ConfigurationError: when a key is unknown or holds what cannot be.
    """
    # The nucleus's own, not ours.
    given = {key: value for key, value in raw.items() if key != "accessControl"}
    try:
        return IngestConfiguration.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=True)[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(
            f"configuration key `{key}` of vedette.CameraIngest holds {first.get('input')!r}: {first['msg']}"
        ) from error
