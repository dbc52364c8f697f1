"""What needs attention, the cause nearest the camera first, and the whole in one line."""

from collections.abc import Sequence

from vedette.health.conditions import COMPONENTS, SUB_MISSING, Severity, Words, describe
from vedette.health.document import (
    ApplicationHealth,
    CameraHealth,
    ComponentHealth,
    DeploymentHealth,
    ModelHealth,
    OutputHealth,
    Part,
    Problem,
    Summary,
    UploadHealth,
)
from vedette.messages import ApplicationState

_RUNNING = ApplicationState.RUNNING.value


def find_problems(
    cameras: Sequence[CameraHealth],
    models: Sequence[ModelHealth],
    applications: Sequence[ApplicationHealth],
    outputs: Sequence[OutputHealth],
    components: Sequence[ComponentHealth] = (),
    deployment: DeploymentHealth | None = None,
    uploads: Sequence[UploadHealth] = (),
) -> list[Problem]:
    """Return every part that needs attention, but no mere consequence of another one.

    Order: deployment, components, cameras, models, applications, outputs, uploads; within these the worst first, then
    by name.
    """
    found = [_of_component(component) for component in components if component.state in COMPONENTS]
    if deployment is not None:
        found.append(_problem(deployment, "deployment", deployment.name or "update", deployment.deployment_id))
    found += [_problem(part, "camera", part.name, part.camera_id) for part in cameras]
    found += [problem for part in cameras for problem in _of_streams(part)]
    found += [_problem(part, "model", part.name, part.model_id) for part in models]
    found += [
        _problem(part, "application", part.instance, part.instance)
        for part in applications
        if not _waits_for_others(part, cameras, models)
    ]
    healthy = {part.instance for part in applications if part.state == _RUNNING}
    troubled = {part.camera_id for part in cameras if part.severity is not Severity.OK}
    # A camera that one application has paused may go on for another one.
    paused = {(part.instance, camera_id) for part in applications for camera_id in part.paused}
    found += [
        _problem(part, "output", part.stream, part.output_id)
        for part in outputs
        if part.instance in healthy and part.camera_id not in troubled and (part.instance, part.camera_id) not in paused
    ]
    found += [_problem(part, "upload", part.what, part.what) for part in uploads]
    order = ("deployment", "component", "camera", "model", "application", "output", "upload")
    return sorted(
        (problem for problem in found if problem.severity.rank >= Severity.WARNING.rank),
        key=lambda problem: (order.index(problem.kind), -problem.severity.rank, problem.subject),
    )


def summarize(
    problems: Sequence[Problem], parts: Sequence[Part], deployment: DeploymentHealth | None = None
) -> Summary:
    """Return the whole in one line; ``parts`` are those in a state of their own: cameras, models, applications."""
    if problems:
        worst = max((problem.severity for problem in problems), key=lambda severity: severity.rank)
        first = f"{problems[0].subject}, {problems[0].words}"
        words = f"1 problem: {first}" if len(problems) == 1 else f"{len(problems)} problems, first {first}"
        return Summary(severity=worst, words=words, problems=len(problems))
    if deployment is not None and deployment.severity is Severity.BUSY:
        return Summary(severity=Severity.BUSY, words=f"{deployment.title}: {deployment.detail}")
    if not parts:
        return Summary(severity=Severity.INFO, words="No application runs here yet")
    if any(part.severity is Severity.BUSY for part in parts):
        return Summary(severity=Severity.BUSY, words="Starting")
    return Summary(severity=Severity.OK, words="All good")


def _waits_for_others(
    application: ApplicationHealth, cameras: Sequence[CameraHealth], models: Sequence[ModelHealth]
) -> bool:
    if application.state != ApplicationState.WAITING.value:
        return False
    awaited = {camera for ids in application.cameras.values() for camera in ids} | set(application.models.values())
    return any(part.severity is not Severity.OK for part in cameras if part.camera_id in awaited) or any(
        part.severity is not Severity.OK for part in models if part.model_id in awaited
    )


def _problem(part: Part, kind: str, subject: str, subject_id: str) -> Problem:
    return Problem.model_validate(
        {
            "severity": part.severity,
            "kind": kind,
            "subject": subject,
            "subject_id": subject_id,
            "words": part.words,
            "title": part.title,
            "detail": part.detail,
            "hint": part.hint,
        }
    )


def _of_streams(camera: CameraHealth) -> list[Problem]:
    """Return what is wrong with a camera's main stream, unless the whole camera has the same trouble."""
    found = []
    if camera.warning:
        words = describe(SUB_MISSING, {"camera": camera.name}, age_s=0.0, detail=camera.warning)
        found.append(_described(words, "camera", camera.name, camera.camera_id))
    main = camera.main
    if main is not None and main.wanted_for and camera.severity.rank < Severity.WARNING.rank:
        found.append(_problem(main, "camera", f"{camera.name}, main stream", camera.camera_id))
    return found


def _of_component(component: ComponentHealth) -> Problem:
    words = describe(COMPONENTS[component.state], {"component": component.name}, age_s=0.0, detail=component.detail)
    return _described(words, "component", component.name, component.name)


def _described(words: Words, kind: str, subject: str, subject_id: str) -> Problem:
    return Problem.model_validate(
        {
            "severity": words.severity,
            "kind": kind,
            "subject": subject,
            "subject_id": subject_id,
            "words": words.short,
            "title": words.title,
            "detail": words.detail,
            "hint": words.hint,
        }
    )
