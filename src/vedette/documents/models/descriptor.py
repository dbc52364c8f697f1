"""descriptor.json of models and of code."""

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from vedette.documents.models.fields import DocumentModel, ElementType, EnvelopeVersion, Integer, Optional, tag_of_type

NonEmpty = Annotated[str, Field(min_length=1)]


class InputTensor(DocumentModel):
    """An input of a model."""

    name: str
    type: Optional[ElementType] = None
    shape: list[Integer]


class MlModelDescriptor(DocumentModel):
    """A model as its framework has it."""

    envelope_version: EnvelopeVersion
    # AWS has the first three; ONNX was written by users early, TFLITE is ours, "" stands in the CLI's template.
    framework: Literal["TENSORFLOW", "PYTORCH", "MXNET", "ONNX", "TFLITE", ""]
    framework_version: Optional[
        Annotated[str, Field(min_length=3, max_length=10, pattern=r"^[0-9]+\.[A-Za-z0-9.]+$")]
    ] = None
    precision_mode: Literal["FP32", "FP16"] = "FP32"
    inputs: list[InputTensor]


class EnvironmentVariable(DocumentModel):
    """A variable of the environment."""

    name: NonEmpty
    value: str


class RuntimeEntry(DocumentModel):
    """The command that starts the code: ``<path> <name> [arguments...]``."""

    path: str = "$default"
    name: Optional[NonEmpty] = None
    arguments: list[str] = Field(default_factory=list)
    environment: list[EnvironmentVariable] = Field(default_factory=list)

    @model_validator(mode="after")
    def _named(self) -> "RuntimeEntry":
        others = self.model_fields_set & {"path", "arguments", "environment"}
        if self.name is None and others:
            raise ValueError(f"has {', '.join(sorted(others))} but no name")
        return self


class ExitEvent(DocumentModel):
    """A function that is called before the node ends."""

    description: str = ""
    type: Literal["onExit"]
    handler: NonEmpty


class InputEvent(DocumentModel):
    """A function that is called when inputs arrive."""

    description: str = ""
    type: Literal["onPartialInput", "onCompleteInput"]
    handler: NonEmpty
    inputs: list[NonEmpty]


def _event_tag(data: object) -> str:
    tag = tag_of_type(data)
    return "<inputs>" if tag in {"<onPartialInput>", "<onCompleteInput>"} else tag


Event = Annotated[
    Annotated[ExitEvent, Tag("<onExit>")] | Annotated[InputEvent, Tag("<inputs>")], Discriminator(_event_tag)
]


class RuntimeDescriptor(DocumentModel):
    """How the code of a package is started."""

    envelope_version: EnvelopeVersion
    entry: Optional[RuntimeEntry] = None
    events: list[Event] = Field(default_factory=list)


class DescriptorDocument(DocumentModel):
    """descriptor.json."""

    ml_model_descriptor: Optional[MlModelDescriptor] = None
    runtime_descriptor: Optional[RuntimeDescriptor] = None
