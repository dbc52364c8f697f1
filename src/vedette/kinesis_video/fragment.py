"""Coded pictures -> fragments of a stream: from key frame to key frame, in milliseconds of Unix time. No I/O."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from vedette.kinesis_video.avc import sample, track_of
from vedette.kinesis_video.matroska import Sample, Track

logger = logging.getLogger(__name__)

LONGEST_MS: Final = 9_000
"""AWS takes fragments of 10 s at most (PutMedia, error 4002)."""
SHORTEST_MS: Final = 1_000
"""AWS's limits name a least duration of 1 s (acknowledgement MIN_FRAGMENT_DURATION_REACHED): a key frame that comes
sooner stays in the fragment."""
MOST_BYTES: Final = 40_000_000
"""AWS takes 50 MB at most (error 4001)."""
STEP_BACK_MS: Final = 2_000
"""A clock that was set back by more begins a connection anew; less is smoothed."""
_PICTURE_BYTES: Final = 48
"""What a picture takes besides its data."""


class CodedPicture(NamedTuple):
    """One H.264 picture.

    ``nals``: its NAL units without start codes; key frames carry the parameter sets. ``at_ms``: Unix time of capture.
    ``run_ms``: the same on a clock that only goes forward, for pictures that stand still.
    """

    nals: Sequence[bytes]
    at_ms: int
    run_ms: int
    key: bool


@dataclass(frozen=True)
class Fragment:
    """What is sent, kept and given up as a whole."""

    track: Track
    samples: tuple[Sample, ...]
    size: int
    """Bytes, about."""
    restart: bool = False
    """Whether its time is before that of the one before: it needs a request of its own."""

    @property
    def start_ms(self) -> int:
        """Unix time of the first picture."""
        return self.samples[0].at_ms

    @property
    def seconds(self) -> float:
        """From the first picture to the last."""
        return (self.samples[-1].at_ms - self.samples[0].at_ms) / 1000


class FragmentMaker:
    """Gathers pictures; gives a fragment to ``done`` when the next one begins.

    Pictures before the first key frame are left out. Where a key frame is awaited for longer than a fragment may last,
    the fragment is cut without one: AWS takes it, but players may not be able to begin there.
    """

    def __init__(self, done: Callable[[Fragment], None], name: str) -> None:
        self._done = done
        self._name = name
        self._track: Track | None = None
        self._samples: list[Sample] = []
        self._size = 0
        self._last: tuple[int, int, int] | None = None
        """Of the last picture: capture, run, and the time that it was given, ms."""
        self._restart = False
        self._told = False

    def add(self, picture: CodedPicture) -> None:
        """Take in a picture."""
        if picture.key:
            self._begin(picture)
        if self._track is None or (not picture.key and not self._samples):
            return
        at_ms = self._time(picture)
        if self._samples and at_ms - self._samples[-1].at_ms > LONGEST_MS:
            # Nothing came for long: what follows without a key frame refers to pictures that are missing.
            self.flush()
            if not picture.key:
                return
        data = sample(picture.nals)
        if self._samples and (
            at_ms - self._samples[0].at_ms > LONGEST_MS or self._size + len(data) > MOST_BYTES or self._restart
        ):
            self._cut()
        self._samples.append(Sample(data, at_ms, picture.key))
        self._size += len(data) + _PICTURE_BYTES

    def _begin(self, picture: CodedPicture) -> None:
        """A key frame has come: end the fragment before it, unless that is too short to be one."""
        track = track_of(picture.nals) or self._track
        lasts_ms = picture.at_ms - self._samples[0].at_ms if self._samples else SHORTEST_MS
        if track != self._track or not 0 <= lasts_ms < SHORTEST_MS:
            self.flush()
        self._track = track

    def flush(self) -> None:
        """End the fragment that is being made."""
        if self._samples and self._track is not None:
            # A fragment that was cut for its clock begins after the cut: the mark belongs to it.
            fragment = Fragment(self._track, tuple(self._samples), self._size, restart=self._restart)
            self._restart = False
            self._samples, self._size = [], 0
            self._done(fragment)

    def _cut(self) -> None:
        restart, self._restart = self._restart, False
        self.flush()
        self._restart = restart
        if not restart and not self._told:
            self._told = True
            logger.warning(
                "%s has no key frame for over %.0f s: AWS takes no longer fragments, so it is cut between key frames,"
                " and players may show nothing there; set a key frame interval of 1 to 5 s at the camera",
                self._name,
                LONGEST_MS / 1000,
            )

    def _time(self, picture: CodedPicture) -> int:
        if self._last is None:
            at_ms = picture.at_ms
        else:
            captured, run_ms, given = self._last
            if picture.at_ms == captured:
                # The same capture again: a picture that stands still, while time goes on.
                at_ms = given + max(1, picture.run_ms - run_ms)
            elif picture.at_ms < given - STEP_BACK_MS:
                logger.warning("the time of %s went back by %.1f s", self._name, (given - picture.at_ms) / 1000)
                self._restart = True
                at_ms = picture.at_ms
            else:
                at_ms = max(picture.at_ms, given + 1)
        self._last = (picture.at_ms, picture.run_ms, at_ms)
        return at_ms
