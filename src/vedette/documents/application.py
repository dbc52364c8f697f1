"""The resolved application: what graph, overrides, packages and the person who deploys say, put together."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from vedette.application import (
    ApplicationConfiguration,
    CameraAttachment,
    Entry,
    InboundPort,
    MediaInput,
    MediaOutput,
    Origin,
    ParameterInput,
    ParameterValue,
    PortRoute,
)
from vedette.documents.code_files import CodeFiles
from vedette.documents.container_asset import ContainerArchive
from vedette.documents.model_files import ModelFile, ModelFormat
from vedette.documents.project import Package
from vedette.messages import Tensor


@dataclass(frozen=True)
class ResolvedParameter:
    """A parameter port of the code, with the value it starts with."""

    input: ParameterInput
    value: ParameterValue
    origin: Origin


@dataclass(frozen=True)
class ModelUnit:
    """The model behind one interface of a model package."""

    package: Package
    interface: str
    file: ModelFile
    format: ModelFormat
    side_files: tuple[ModelFile, ...]
    inputs: tuple[Tensor, ...]
    frames: Mapping[str, Any] | None = None
    """preprocess.json: how the model's server makes the input of a frame."""

    @cached_property
    def model_id(self) -> str:
        """Return 16 hex digits of model file, side files and declared inputs. Reads the files, once.

        :raises vedette.documents.model_files.ModelFileError: if a file or its archive cannot be read
        """
        hashes = [file.sha256 for file in (self.file, *self.side_files)]
        described = json.dumps([item.model_dump() for item in self.inputs], sort_keys=True)
        if self.frames is not None:
            described += json.dumps(self.frames, sort_keys=True)
        return hashlib.sha256("\n".join([*hashes, described]).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class ResolvedModel:
    """A model node of the graph."""

    node: str
    unit: ModelUnit


@dataclass(frozen=True)
class ResolvedCode:
    """The code of the application."""

    node: str
    package: Package
    entry: Entry
    files: CodeFiles
    inbound_ports: tuple[InboundPort, ...]
    container: ContainerArchive | None = None
    """The packaged container; None: there is none, or it cannot be read."""


@dataclass(frozen=True)
class ResolvedApplication:
    """One application, ready to be compiled. Holds no credentials but in ``secrets``."""

    name: str
    instance: str
    description: str
    code: ResolvedCode
    media_inputs: tuple[MediaInput, ...]
    parameters: tuple[ResolvedParameter, ...]
    outputs: tuple[MediaOutput, ...]
    models: tuple[ResolvedModel, ...]
    model_units: tuple[ModelUnit, ...]
    """Every usable model of the packages that ``models`` come from, used here or not: what their components hold."""
    cameras: Mapping[str, tuple[CameraAttachment, ...]]
    routes: tuple[PortRoute, ...]
    """Routing rules that are confirmed."""
    gpu: bool
    secrets: Mapping[str, Mapping[str, str]] = field(default_factory=dict, repr=False)
    """Secret name -> {Username, Password, StreamUrl}; for the caller to store, never written to a document."""

    def configuration(self) -> ApplicationConfiguration:
        """Return what a deployment configures: cameras, parameter values, ports."""
        given = {p.input.node: p for p in self.parameters if p.input.node is not None}
        return ApplicationConfiguration(
            instance=self.instance,
            cameras={node: list(cameras) for node, cameras in self.cameras.items()},
            parameters={node: parameter.value for node, parameter in given.items()},
            parameter_origins={node: parameter.origin for node, parameter in given.items()},
            ports=list(self.routes),
        )
