"""package.json and package override documents."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Discriminator, Field, Tag, model_validator
from pydantic.alias_generators import to_camel

from vedette.documents.models.fields import (
    AssetName,
    DocumentModel,
    EnvelopeVersion,
    Integer,
    InterfaceName,
    Optional,
    PackageName,
    PackageVersion,
    PortName,
    PortNumber,
    Text255,
    tag_of_type,
)

Count = Annotated[Integer, Field(ge=0)]


class OtaRequirement(DocumentModel):
    """A version of Panorama's device software."""

    type: Literal["ota"]
    min_version: Optional[str] = None
    max_version: Optional[str] = None

    @model_validator(mode="after")
    def _bounded(self) -> "OtaRequirement":
        if self.min_version is None and self.max_version is None:
            raise ValueError("needs minVersion or maxVersion")
        return self


class DeviceRequirement(DocumentModel):
    """A kind of device."""

    type: Literal["device"]
    name: Literal["panorama_devkit"]


class SharedResourcePolicy(DocumentModel):
    """How an accelerator is shared. AWS's schema allows further keys here."""

    model_config = ConfigDict(frozen=True, strict=True, extra="allow", alias_generator=to_camel)

    policy: Optional[Literal["allow_all"]] = None


class InferenceAccelerator(DocumentModel):
    """A GPU."""

    device_type: Literal["nvhost_gpu"]
    shared_resource_policy: SharedResourcePolicy


class HardwareAccessRequirement(DocumentModel):
    """Access to hardware of the device."""

    type: Literal["hardware_access"]
    inference_accelerators: Optional[list[InferenceAccelerator]] = None
    # What some packages in the field have in place of inferenceAccelerators.
    nv_accelerators: Optional[list[Any]] = None

    @model_validator(mode="after")
    def _of_something(self) -> "HardwareAccessRequirement":
        if self.inference_accelerators is None and self.nv_accelerators is None:
            raise ValueError("needs inferenceAccelerators")
        return self

    @property
    def gpu(self) -> bool:
        """Tell whether a GPU is asked for."""
        return bool(self.inference_accelerators or self.nv_accelerators)


Requirement = Annotated[
    Annotated[OtaRequirement, Tag("<ota>")]
    | Annotated[DeviceRequirement, Tag("<device>")]
    | Annotated[HardwareAccessRequirement, Tag("<hardware_access>")],
    Discriminator(tag_of_type),
]


class Implementation(DocumentModel):
    """A file that implements an asset."""

    description: Text255 = ""
    type: Literal["system", "container", "model"]
    asset_uri: Annotated[str, Field(min_length=1, max_length=255)]
    descriptor_uri: str = ""
    requirements: list[Requirement] = Field(default_factory=list)


class Asset(DocumentModel):
    """A named binary."""

    description: str = ""
    name: AssetName
    implementations: list[Implementation] = Field(default_factory=list)


class OutputPort(DocumentModel):
    """An output port."""

    description: str = ""
    name: PortName
    type: Literal["media", "string", "int32", "float32", "boolean"]


class MediaInputPort(DocumentModel):
    """A media input."""

    description: Text255 = ""
    name: PortName
    type: Literal["media"]
    max_connections: Count = 0


class _ParameterInputPort(DocumentModel):
    description: Text255 = ""
    name: PortName
    max_connections: Count = 0
    reference: bool = False
    reference_source: str = ""


class _NumberInputPort(_ParameterInputPort):
    constraint_regex: str = ""
    # The CLI's package for video files has it; AWS's schema has not.
    minimum: Optional[float] = None


class Int32InputPort(_NumberInputPort):
    """An integer parameter."""

    type: Literal["int32"]
    default: Integer = 0


class Float32InputPort(_NumberInputPort):
    """A number parameter."""

    type: Literal["float32"]
    default: float = 0.0


class BooleanInputPort(_ParameterInputPort):
    """A boolean parameter."""

    type: Literal["boolean"]
    default: bool = False


class StringInputPort(_ParameterInputPort):
    """A string parameter. Of all objects in AWS's schemas, this one may have further keys."""

    model_config = ConfigDict(frozen=True, strict=True, extra="allow", alias_generator=to_camel)

    type: Literal["string"]
    default: str = ""
    constraint_regex: str = ""


class StringListInputPort(_ParameterInputPort):
    """A list of strings: only in the CLI's package for video files, in no AWS schema."""

    type: Literal["string[]"]


InputPort = Annotated[
    Annotated[MediaInputPort, Tag("<media>")]
    | Annotated[StringInputPort, Tag("<string>")]
    | Annotated[Int32InputPort, Tag("<int32>")]
    | Annotated[Float32InputPort, Tag("<float32>")]
    | Annotated[BooleanInputPort, Tag("<boolean>")]
    | Annotated[StringListInputPort, Tag("<string[]>")],
    Discriminator(tag_of_type),
]


class DeclaredPort(DocumentModel):
    """A TCP port that the code listens on."""

    port: PortNumber
    description: Text255 = ""


class Network(DocumentModel):
    """Network of an interface."""

    inbound_ports: Annotated[list[DeclaredPort], Field(max_length=10)] = Field(default_factory=list)


class Interface(DocumentModel):
    """What a node of a graph may be made of."""

    description: str = ""
    name: InterfaceName
    asset: str = ""
    # AWS asks for it; the CLI's package for video files has none.
    category: Optional[Literal["media_source", "media_sink", "business_logic", "ml_model"]] = None
    inputs: list[InputPort] = Field(default_factory=list)
    outputs: list[OutputPort] = Field(default_factory=list)
    network: Network = Network()


class NodePackage(DocumentModel):
    """A package."""

    envelope_version: EnvelopeVersion
    name: PackageName = ""
    version: Optional[PackageVersion] = None
    description: Text255 = ""
    assets: list[Asset] = Field(default_factory=list)
    # AWS asks for at least one; packages are committed without before their first build.
    interfaces: list[Interface]


class PackageDocument(DocumentModel):
    """package.json."""

    node_package: NodePackage


class NodePackageOverrides(DocumentModel):
    """Assets that take the place of a package's."""

    envelope_version: EnvelopeVersion
    name: Optional[InterfaceName] = None
    version: Optional[PackageVersion] = None
    description: Text255 = ""
    asset_overrides: list[Asset] = Field(default_factory=list)


class PackageOverridesDocument(DocumentModel):
    """A package override document."""

    node_package_overrides: NodePackageOverrides
