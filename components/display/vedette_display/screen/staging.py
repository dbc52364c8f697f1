"""Health document -> what the screen shows. Pure."""

from collections.abc import Callable

from vedette.health import HealthDocument, Severity
from vedette.messages import ApplicationState
from vedette_display.screen.scene import Scene, SceneTile
from vedette_display.tiles import tiles_of

_ON_ITS_WAY = (ApplicationState.RUNNING.value, ApplicationState.STOPPED.value)


def stage(document: HealthDocument, owner: str, device: str, locate: Callable[[str], str | None]) -> Scene:
    """Return what is to be seen while ``owner`` has the screen; ``locate`` tells where an output's ring is."""
    shown = []
    for tile in tiles_of(document):
        if not owner or tile.instance != owner:
            continue
        wrong = tile.severity is not Severity.OK
        shown.append(
            SceneTile(
                name=tile.name,
                socket=None if tile.output_id is None else locate(tile.output_id),
                severity=tile.severity.value,
                title=tile.title if wrong else "",
                detail=tile.detail if wrong else "",
            )
        )
    update = document.deployment
    busy = update is not None and update.severity in {Severity.BUSY, Severity.WARNING}
    if shown:
        notice = f"{update.title}: {update.detail}" if update is not None and busy else ""
        return Scene(device=device, owner=owner, tiles=shown, notice=notice)
    if update is not None and update.severity is Severity.BUSY:
        return Scene(device=device, title=update.title, detail=update.detail)
    # Nobody has a picture: the application that is on its way says what it waits for.
    for application in sorted(document.applications, key=lambda a: a.state_age_s):
        if application.state not in _ON_ITS_WAY:
            return Scene(device=device, title=application.title, detail=application.detail)
    if document.applications:
        return Scene(device=device, title="No picture", detail="No application here puts pictures out")
    return Scene(device=device, title="No application runs here", detail=document.summary.words)
