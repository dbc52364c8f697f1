"""The figures of the last ten minutes, one value a second, for the page's charts.

Kept whether or not somebody looks, so that who opens the page because something is wrong sees how it came about: one
pass over the health document a second, and 4 bytes a value.
"""

import math
from array import array
from collections.abc import Callable, Mapping
from typing import Any, Final

from vedette.health import HealthDocument
from vedette_display.gallery import Figures

SAMPLES: Final = 600
STEP_S: Final = 1.0
MOST_SUBJECTS: Final = 96
FORGET_S: Final = 3 * SAMPLES
"""A subject that is gone for so long is forgotten."""

_NONE: Final = math.nan


class _Series:
    """One figure's ring of values; ``last`` is the counter it was made of, where it is a rate."""

    def __init__(self) -> None:
        self.values = array("f", [_NONE]) * SAMPLES
        self.last: float | None = None


class _Subject:
    def __init__(self) -> None:
        self.series: dict[str, _Series] = {}
        self.seen = 0


class History:
    """``sample`` is called once a second; ``read`` gives what came since a sample's number."""

    def __init__(self) -> None:
        self._subjects: dict[tuple[str, str], _Subject] = {}
        self._count = 0

    def sample(self, document: HealthDocument, figures: Mapping[str, Figures]) -> None:
        """Take in the present."""
        at = self._count % SAMPLES
        for subject in self._subjects.values():
            for series in subject.series.values():
                series.values[at] = _NONE
        for camera in document.cameras:
            put = self._put("camera", camera.camera_id, at)
            put("fps", camera.fps)
            put("age_s", camera.last_frame_age_s)
            put("dropped", camera.dropped, rate=True)
            put("decode_errors", camera.decode_errors, rate=True)
            put("reconnects", camera.reconnects, rate=True)
        for model in document.models:
            put = self._put("model", model.model_id, at)
            put("latency_ms", model.latency_ms)
            put("calls", model.calls_per_s)
        for application in document.applications:
            put = self._put("application", application.instance, at)
            put("fps", application.fps)
            put("model_ms", application.model_ms)
            put("errors", application.errors, rate=True)
        for output in document.outputs:
            put = self._put("output", output.output_id, at)
            put("fps", output.fps)
            shown = figures.get(output.output_id)
            put("shown_fps", shown.fps if shown else None)
            put("latency_ms", shown.latency_p95 if shown else None)
        self._count += 1
        self._forget()

    def read(self, kind: str, name: str, since: int = 0) -> dict[str, Any] | None:
        """Return the samples from number ``since`` on, oldest first; None for a subject that is not known.

        ``next`` is the number to ask from the next time; ``first`` that of the first sample given.
        """
        subject = self._subjects.get((kind, name))
        if subject is None:
            return None
        first = max(since, self._count - SAMPLES, 0)
        numbers = range(min(first, self._count), self._count)
        return {
            "step_s": STEP_S,
            "first": numbers.start,
            "next": self._count,
            "series": {
                key: [_plain(series.values[number % SAMPLES]) for number in numbers]
                for key, series in subject.series.items()
            },
        }

    def _put(self, kind: str, name: str, at: int) -> Callable[..., None]:
        subject = self._subjects.get((kind, name))
        if subject is None:
            if len(self._subjects) >= MOST_SUBJECTS:
                del self._subjects[min(self._subjects, key=lambda key: self._subjects[key].seen)]
            subject = self._subjects[kind, name] = _Subject()
        subject.seen = self._count

        def put(figure: str, value: float | None, *, rate: bool = False) -> None:
            series = subject.series.setdefault(figure, _Series())
            if rate and value is not None:
                # A counter that went back: its process started again.
                before, series.last = series.last, float(value)
                value = None if before is None else value - before if value >= before else float(value)
            series.values[at] = _NONE if value is None else value

        return put

    def _forget(self) -> None:
        gone = [key for key, subject in self._subjects.items() if self._count - subject.seen > FORGET_S]
        for key in gone:
            del self._subjects[key]


def _plain(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 2)
