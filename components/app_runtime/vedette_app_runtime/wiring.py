"""Manifest and configuration brought together: what each port and model of one instance leads to."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from vedette.application import ApplicationConfiguration, ApplicationManifest, ModelNode, ParameterInput, ParameterValue
from vedette.application.desired import Desired
from vedette.messages import CameraSource, ModelDemand
from vedette.redaction import redact
from vedette_app_runtime import protocol

_NOTHING: Final = Desired()


@dataclass(frozen=True)
class Camera:
    """One stream of a video input port."""

    index: int
    port: str
    node: str
    source: CameraSource
    paused: bool

    @property
    def camera_id(self) -> str:
        """Id of the source, as CameraIngest knows it."""
        return self.source.camera_id


@dataclass(frozen=True)
class Parameter:
    """One parameter port and its present value."""

    port: str
    node: str | None
    value: ParameterValue
    origin: str
    """graph, override, deployment or shadow."""
    type: str = ""
    title: str = ""
    help: str = ""


@dataclass(frozen=True)
class Wiring:
    """What the ports and models of an instance lead to."""

    instance: str
    application: str
    media_inputs: tuple[str, ...]
    cameras: tuple[Camera, ...]
    """Per port in the order that get() returns them; ``index`` counts through all ports."""
    parameters: tuple[Parameter, ...]
    outputs: tuple[tuple[str, str | None], ...]
    """(port, output node of the graph, or None when no edge leads from it)."""
    models: tuple[ModelNode, ...]
    store: Path
    """Folder of all components' work folders, where models lie."""
    code_node: str = ""
    """Graph node of the code."""

    def hello(self, *, record: bool = False) -> protocol.Hello:
        """Return what the application's process is told first; ``record``: it is to tell what it puts and reads."""
        return protocol.Hello(
            version=protocol.VERSION,
            instance=self.instance,
            media_inputs=list(self.media_inputs),
            cameras=[[c.port, c.source.name, redact(c.source.url)] for c in self.cameras],
            parameters={parameter.port: parameter.value for parameter in self.parameters},
            outputs={port: node is not None for port, node in self.outputs},
            models=[model.node for model in self.models],
            record=record,
        )

    def model_demand(self, model: ModelNode, *, wanted: bool = True) -> ModelDemand:
        """Return the demand for a model, with the absolute path at which its component has put it."""
        return ModelDemand(
            model_id=model.model_id,
            path=str(self.store / model.component / "current" / model.file),
            format=model.format,
            inputs=model.inputs,
            frames=model.frames,
            instance=self.instance,
            node=model.node,
            wanted=wanted,
        )

    def same_processes(self, other: "Wiring") -> bool:
        """Tell whether a running application can go from this wiring to ``other``: only values and pauses differ."""
        return self.fixed == other.fixed

    @property
    def fixed(self) -> object:
        """What a running application cannot change."""
        cameras = [(camera.port, camera.node, camera.source) for camera in self.cameras]
        parameters = [(parameter.port, parameter.node) for parameter in self.parameters]
        return (self.instance, self.media_inputs, cameras, parameters, self.outputs, self.models)


def wire(
    manifest: ApplicationManifest,
    configuration: ApplicationConfiguration,
    store: Path,
    desired: Desired = _NOTHING,
) -> Wiring:
    """Bring manifest, configuration and shadow together; the shadow's entries go before the configuration's.

    :param store: the folder of all components' work folders
    :raises ApplicationConfigurationError: if a parameter's value does not fit its type
    """
    cameras: list[Camera] = []
    for media in manifest.media_inputs():
        for node in media.nodes:
            for attached in configuration.cameras.get(node, []):
                source = attached.source
                paused = desired.pauses(node, source.name, attached.launch == "onSignal")
                cameras.append(Camera(len(cameras), media.port, node, source, paused))
    return Wiring(
        instance=configuration.instance,
        application=manifest.name,
        media_inputs=tuple(media.port for media in manifest.media_inputs()),
        cameras=tuple(cameras),
        parameters=tuple(_parameter(port, configuration, desired) for port in manifest.parameters()),
        outputs=tuple((output.port, output.node) for output in manifest.outputs),
        models=tuple(manifest.models),
        store=store,
        code_node=manifest.code_node,
    )


def _parameter(port: ParameterInput, configuration: ApplicationConfiguration, desired: Desired) -> Parameter:
    value, origin = configuration.value_of(port), configuration.parameter_origins.get(port.node or "", "")
    if port.node is not None and port.node in desired.parameters:
        value, origin = desired.parameters[port.node], "shadow"
    elif not origin:
        origin = "deployment" if port.node in configuration.parameters else "graph"
    words = " · ".join(text for text in (port.description, port.constraint_text) if text)
    return Parameter(port.port, port.node, value, origin, port.type, port.title, words)
