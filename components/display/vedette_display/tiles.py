"""Which tiles the page has and what each one says. Pure: a health document in, tiles out.

A tile is an application's output. Where an output is awaited, a place is held for it that tells what for.
"""

from collections.abc import Iterable
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from vedette.health import (
    ApplicationHealth,
    CameraHealth,
    HealthDocument,
    ModelHealth,
    OutputHealth,
    OutputState,
    Severity,
)
from vedette.health.conditions import OUTPUTS, PAUSED_FOR_ONE, Words, describe
from vedette.health.document import Part
from vedette.messages import ApplicationState, CameraState, ModelState
from vedette_display.camera_views import view_of


class Tile(BaseModel):
    """A tile. Severity ``ok``: nothing is known to be wrong; whether it is live, the pictures themselves tell."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(description="<instance>/<stream>: stays the same from waiting for an output to showing it")
    output_id: str | None = None
    name: str = Field(description="camera or stream")
    instance: str = ""
    camera_id: str | None = None
    kind: Literal["camera", "model", "application", "output"] = Field(description="what the words are about")
    severity: Severity
    words: str
    title: str
    detail: str
    action: str
    hint: str
    picture_age_s: float | None = None


def tiles_of(document: HealthDocument) -> list[Tile]:
    """Return the tiles in their order on the page: by application, then by name."""
    cameras = {camera.camera_id: camera for camera in document.cameras}
    models = {model.model_id: model for model in document.models}
    applications = {application.instance: application for application in document.applications}
    tiles: dict[str, Tile] = {}
    for output in document.outputs:
        tile_id = f"{output.instance}/{output.stream}"
        if tile_id in tiles:
            tile_id = f"{tile_id}/{output.port}"
        tiles[tile_id] = _output_tile(tile_id, output, cameras, models, applications.get(output.instance))
    for application in document.applications:
        for tile in _awaited(application, document.outputs, cameras, models):
            tiles.setdefault(tile.id, tile)
    used = {tile.camera_id for tile in tiles.values()}
    for camera in document.cameras:
        if camera.camera_id not in used and camera.severity.rank >= Severity.BUSY.rank:
            tile_id = f"camera/{camera.name}"
            tiles.setdefault(tile_id, _tile(tile_id, camera, "camera", camera.name, camera_id=camera.camera_id))
    return sorted(tiles.values(), key=lambda tile: (tile.instance, tile.name, tile.id))


def views_of(document: HealthDocument) -> list[Tile]:
    """Return a tile for each camera that shows its own pictures, which no application has drawn on."""
    views = []
    for camera in document.cameras:
        part: Part = camera
        ages = [camera.last_frame_age_s]
        if camera.main is not None and camera.stream == "sub":
            ages.append(camera.main.last_frame_age_s)
            if camera.state == CameraState.PAUSED.value:
                # No application wants its small stream: the main one can be looked at all the same.
                part = camera.main
        view = view_of(camera.camera_id)
        age_s = min((age for age in ages if age is not None), default=None)
        tile = _tile(view, part, "camera", camera.name, camera_id=camera.camera_id, output_id=view, picture_age_s=age_s)
        views.append(tile)
    return views


def _output_tile(
    tile_id: str,
    output: OutputHealth,
    cameras: dict[str, CameraHealth],
    models: dict[str, ModelHealth],
    application: ApplicationHealth | None,
) -> Tile:
    camera = cameras.get(output.camera_id or "")
    kind, part = _cause(camera, application, models, output)
    return _tile(
        tile_id,
        part,
        kind,
        output.stream,
        instance=output.instance,
        camera_id=output.camera_id,
        output_id=output.output_id,
        picture_age_s=output.last_frame_age_s,
    )


def _awaited(
    application: ApplicationHealth,
    outputs: Iterable[OutputHealth],
    cameras: dict[str, CameraHealth],
    models: dict[str, ModelHealth],
) -> list[Tile]:
    """Places for outputs that are still to come; cameras that deliver into an application's other output need none."""
    own = [output for output in outputs if output.instance == application.instance]
    covered = {output.camera_id for output in own}
    wanted = [
        camera
        for camera_id in dict.fromkeys(camera_id for ids in application.cameras.values() for camera_id in ids)
        if (camera := cameras.get(camera_id)) is not None and camera_id not in covered
    ]
    if own:
        wanted = [camera for camera in wanted if camera.severity is not Severity.OK]
    tiles = []
    for camera in wanted:
        kind, part = _cause(camera, application, models, _first_picture(application, own))
        tile_id = f"{application.instance}/{camera.name}"
        tiles.append(_tile(tile_id, part, kind, camera.name, instance=application.instance, camera_id=camera.camera_id))
    if not tiles and not own:
        kind, part = _cause(None, application, models, _first_picture(application, own))
        tiles.append(_tile(application.instance, part, kind, application.instance, instance=application.instance))
    return tiles


def _first_picture(application: ApplicationHealth, own: list[OutputHealth]) -> Part:
    port = next((output.port for output in own), None) or "its output"
    facts = {"application": application.instance, "instance": application.instance, "port": port}
    words = describe(OUTPUTS[OutputState.WAITING], facts, age_s=application.state_age_s)
    return _part(OutputState.WAITING.value, words)


def _paused(camera: CameraHealth, application: ApplicationHealth) -> Part:
    facts = {"instance": application.instance, "camera": camera.name}
    return _part(CameraState.PAUSED.value, describe(PAUSED_FOR_ONE, facts, age_s=application.state_age_s))


def _part(state: str, words: Words) -> Part:
    return Part(
        state=state,
        words=words.short,
        title=words.title,
        detail=words.detail,
        severity=words.severity,
        action=words.action,
        hint=words.hint,
    )


def _cause(
    camera: CameraHealth | None,
    application: ApplicationHealth | None,
    models: dict[str, ModelHealth],
    output: Part,
) -> tuple[Literal["camera", "model", "application", "output"], Part]:
    """Return what a tile tells of: the trouble nearest the camera, else the output itself."""
    running = application is not None and application.state == ApplicationState.RUNNING.value
    if camera is not None and application is not None and running and camera.camera_id in application.paused:
        return "camera", _paused(camera, application)
    if camera is not None and camera.severity is not Severity.OK:
        return "camera", camera
    if application is None:
        return "output", output
    waiting = application.state in (ApplicationState.WAITING.value, ApplicationState.RUNNING.value)
    if waiting:
        for model_id in application.models.values():
            model = models.get(model_id)
            if model is not None and model.state != ModelState.READY.value:
                return "model", model
    if application.state != ApplicationState.RUNNING.value:
        return "application", application
    return "output", output


def _tile(
    tile_id: str,
    part: Part,
    kind: Literal["camera", "model", "application", "output"],
    name: str,
    *,
    instance: str = "",
    camera_id: str | None = None,
    output_id: str | None = None,
    picture_age_s: float | None = None,
) -> Tile:
    return Tile(
        id=tile_id,
        output_id=output_id,
        name=name,
        instance=instance,
        camera_id=camera_id,
        kind=kind,
        severity=part.severity,
        words=part.words,
        title=part.title,
        detail=part.detail,
        action=part.action,
        hint=part.hint,
        picture_age_s=picture_age_s,
    )
