"""``application.json``: one application, resolved; fixed with the artifact it lies in."""

from pathlib import PurePosixPath
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from vedette.application.parameter import ParameterType, ParameterValue, coerce_parameter
from vedette.messages import Tensor

MANIFEST_FILE: Final = "application.json"
"""Name of the manifest in the artifact."""


class ApplicationManifestError(ValueError):
    """``application.json`` cannot be used; the text names the fields."""


def _inside(text: str) -> str:
    path = PurePosixPath(text)
    if not text or path.is_absolute() or ".." in path.parts or "\0" in text:
        raise ValueError("expected a relative path that stays inside its folder")
    return text


RelativePath = Annotated[str, AfterValidator(_inside)]


class _ManifestModel(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Entry(_ManifestModel):
    """The command of the runtime descriptor: ``<path> <name> [arguments...]``."""

    path: str = Field(default="", description="program, as python3, python3.8 or bash; empty: name is the program")
    name: str = Field(default="", description="first argument: /panorama/application.py")
    arguments: list[str] = Field(default_factory=list)
    environment: dict[str, str] = Field(default_factory=dict)

    def argv(self) -> list[str]:
        """Return the command as a list."""
        return [part for part in (self.path, self.name) if part] + self.arguments


class MediaInput(_ManifestModel):
    """A media input port of the code package and the camera nodes on it, in the order of ``get()``."""

    kind: Literal["media"] = "media"
    port: str
    nodes: list[str] = Field(default_factory=list, description="camera nodes of the graph; empty: no edge")


class ParameterInput(_ManifestModel):
    """A parameter input port of the code package."""

    kind: Literal["parameter"] = "parameter"
    port: str
    node: str | None = Field(default=None, description="parameter node of the graph; None: no edge, default holds")
    type: ParameterType
    default: ParameterValue = Field(description="value of graph or port, of the declared type")
    title: str = ""
    description: str = ""
    constraint_regex: str = ""
    constraint_text: str = ""

    @model_validator(mode="before")
    @classmethod
    def _typed_default(cls, data: Any) -> Any:
        kind = data.get("type") if isinstance(data, dict) else None
        if isinstance(kind, str) and kind in {"string", "int32", "float32", "boolean"}:
            return {**data, "default": coerce_parameter(data["type"], data.get("default"))}
        return data


class MediaOutput(_ManifestModel):
    """An output port of the code package."""

    port: str
    node: str | None = Field(default=None, description="output node; None: no edge, put() is a silent no-op")


class ModelNode(_ManifestModel):
    """A model that ``node.call(..., name)`` reaches by the name of its graph node."""

    node: str
    component: str = Field(description="component that installs it: vedette.model.<PACKAGE>.<digest>")
    file: RelativePath = Field(description="relative to the component's installed folder, <work>/<component>/current")
    format: Literal["onnx", "tflite"]
    model_id: str = Field(pattern=r"^[0-9a-f]{16}$", description="hash of the model file and its descriptor")
    inputs: list[Tensor] = Field(default_factory=list, description="as descriptor.json declares them")
    frames: dict[str, Any] | None = Field(default=None, description="preprocess.json, for calls with a frame")


class ContainerAsset(_ManifestModel):
    """The application's packaged container: a root file system in an archive, beside the component's other artifact."""

    file: RelativePath = Field(description="among the component's artifacts: <sha256>.tar.gz")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    architecture: str = Field(description="of its programs, as uname has it: aarch64, x86_64")


class InboundPort(_ManifestModel):
    """A port the code listens on."""

    port: int = Field(ge=1, le=65535)
    description: str = ""


class ApplicationManifest(_ManifestModel):
    """One application, resolved."""

    schema_version: Literal[1] = 1
    name: str = Field(description="name of the application: folder of its graph")
    code_node: str = Field(default="code_node", description="graph node of the code")
    code_package: str = Field(description="package of the code, without account id")
    version: str = Field(description="version of the code package, e.g. 1.0")
    description: str = ""
    entry: Entry
    inputs: list[Annotated[MediaInput | ParameterInput, Field(discriminator="kind")]] = Field(default_factory=list)
    outputs: list[MediaOutput] = Field(default_factory=list)
    models: list[ModelNode] = Field(default_factory=list)
    inbound_ports: list[InboundPort] = Field(default_factory=list)
    gpu: bool = Field(default=False, description="a package asks for hardware_access nvhost_gpu")
    requirements_file: RelativePath | None = Field(
        default=None, description="requirements.txt, relative to the folder application.json lies in"
    )
    dockerfile: RelativePath | None = Field(
        default=None, description="the package's Dockerfile, relative to the same folder: what it installs with pip"
    )
    container: ContainerAsset | None = None
    has_sources: bool = Field(default=True, description="whether source_root holds the application's files")
    source_root: RelativePath = Field(
        default="panorama", description="folder beside application.json that is mounted at /panorama"
    )

    def media_inputs(self) -> list[MediaInput]:
        """Return the media inputs."""
        return [port for port in self.inputs if isinstance(port, MediaInput)]

    def parameters(self) -> list[ParameterInput]:
        """Return the parameter inputs."""
        return [port for port in self.inputs if isinstance(port, ParameterInput)]

    def encode(self) -> bytes:
        """Return the manifest as JSON, the same bytes for the same manifest."""
        return (self.model_dump_json(indent=2) + "\n").encode()

    @classmethod
    def decode(cls, data: bytes) -> "ApplicationManifest":
        """Read a manifest.

        :raises ApplicationManifestError: if it is not one; names the fields
        """
        try:
            return cls.model_validate_json(data)
        except ValidationError as error:
            raise ApplicationManifestError(f"{MANIFEST_FILE}: {describe(error)}") from error


def describe(error: ValidationError) -> str:
    """Return the fields and reasons of a validation error in one line, without the values."""
    return "; ".join(
        f"{'.'.join(str(part) for part in item['loc']) or 'document'}: {item['msg']}" for item in error.errors()[:8]
    )
