"""The base of all document models, and the field types of AWS's schemas (version 2021-01-01).

The models accept what AWS's schemas accept, plus the deviations that ``vedette.documents.tolerances`` names; JSON types
are read strictly (text is no number), and a key that may be left out may not be null.
"""

from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

ValueT = TypeVar("ValueT")


class DocumentModel(BaseModel):
    """A frozen object of a document; keys are camelCase in JSON, unknown ones are refused."""

    model_config = ConfigDict(
        frozen=True, strict=True, extra="forbid", alias_generator=to_camel, populate_by_name=False
    )

    def document(self) -> dict[str, Any]:
        """Return the object as it was written: JSON values, without what was left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)


def tag_of_type(data: Any) -> str:
    """Return the tag ``<type>`` of an object in a union, before it is read or after."""
    kind = data.get("type") if isinstance(data, dict) else getattr(data, "type", None)
    return f"<{kind}>"


def _not_null(value: Any) -> Any:
    if value is None:
        raise ValueError("may be left out, but not be null")
    return value


def _whole(value: Any) -> Any:
    """JSON Schema counts 1.0 as an integer."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Optional = Annotated[ValueT | None, BeforeValidator(_not_null)]
"""May be left out (None then)."""
Integer = Annotated[int, BeforeValidator(_whole)]
EnvelopeVersion = Literal["2021-01-01"]
ParameterInterface = Literal["string", "int32", "float32", "boolean"]
PortNumber = Annotated[Integer, Field(ge=1, le=65535)]
Text255 = Annotated[str, Field(max_length=255)]
NodeName = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[$A-Z_a-z0-9\-]+$")]
NodeReference = Annotated[str, Field(pattern=r"^[$A-Z_a-z0-9\-]+$")]
PortName = Annotated[str, Field(min_length=1, max_length=50, pattern=r"^[$A-Z_a-z0-9]+$")]
InterfaceName = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[a-z_A-Z0-9\-]+$")]
AssetName = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[$A-Z_a-z0-9\-]+$")]
PackageVersion = Annotated[str, Field(max_length=255, pattern=r"^[0-9]+\.[0-9]+$")]
# AWS asks for at least one character; the CLI's template has none before it is filled in.
PackageName = Annotated[str, Field(max_length=128, pattern=r"^[a-z_A-Z0-9\-]*$")]
EdgeEnd = Annotated[str, Field(pattern=r"^[a-zA-Z0-9_\-]+\.?[a-z_A-Z0-9\-]+$")]
ElementType = Literal["int8", "uint8", "int16", "uint16", "int32", "uint32", "float16", "float32", "float64"]


class Decorator(DocumentModel):
    """Texts for who deploys."""

    # AWS asks for at least one character; graphs in the field have empty texts.
    title: Text255 = ""
    description: Text255 = ""
    constraint_text: Text255 = ""
    constraint_regex: Text255 = ""
