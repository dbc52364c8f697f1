"""Recordings that applications ask for: some seconds before and after, as MP4 with a JSON beside it, within a quota.

What came before can only be kept by having encoded it: while recording is configured, every output of the applications
named is encoded all the time (about 5 ms of processor time for each 1080p frame), and the last seconds are held in
memory, 1 MB a second of 1080p at most.

Of a camera whose small stream the application gets, the main stream is recorded beside it, from the moment on at which
it shows pictures: a second file, without what the application draws.
"""

import json
import logging
import os
import queue
import re
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timezone
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from vedette import __version__
from vedette.whole_files import write_whole
from vedette_display.camera_views import CameraViews
from vedette_display.encoders import CLOCK_HZ, AccessUnit
from vedette_display.movie import MovieStream
from vedette_display.salvage import facts_text, salvage
from vedette_display.video import VideoFeeds, VideoVariant

logger = logging.getLogger(__name__)

MOST_S: Final = 120.0
"""Longest recording: an application that wishes for ever begins a new one then."""
MOST_WAITING: Final = 512
"""Pieces for the disk that wait; a disk that is slower than that loses the recording, not the picture."""
SCHEMA: Final = "vedette.recording/1"
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,120}\.(mp4|json)")
_UNFIT: Final = re.compile(r"[^A-Za-z0-9_-]+")


class Wish(NamedTuple):
    """What an application asks for; times in s."""

    id: str
    reason: str
    before: float
    after: float


class Recording(NamedTuple):
    """One recording on the shelf. ``at``: Unix time of the event; ``uploaded``: where it is too, ``s3://...``.

    ``interrupted``: the power or a crash has cut it off.
    """

    name: str
    instance: str
    stream: str
    reason: str
    at: float
    seconds: float
    size: int
    uploaded: str = ""
    interrupted: bool = False


def wish_of(meta: bytes) -> Wish | None:
    """Return the wish in a frame's metadata. It comes from the application's process and is not to be trusted."""
    if b'"clip"' not in meta:
        return None
    try:
        clip = json.loads(meta)["clip"]
        return Wish(
            # A part of a file's name.
            _UNFIT.sub("-", str(clip["id"])[:40]),
            "".join(char if char.isprintable() else " " for char in str(clip["reason"])[:80]),
            min(60.0, max(0.0, float(clip["before"]))),
            min(60.0, max(0.0, float(clip["after"]))),
        )
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None


class Shelf:
    """The folder of recordings: at most ``most_bytes``, the oldest go first. Used by several threads."""

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self.folder = folder
        self.most_bytes = most_bytes
        self._lock = threading.Lock()

    def make(self) -> None:
        """Make the folder, and remove what an earlier process left that nobody can use.

        :raises OSError: when it cannot be made.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for left in self.folder.glob(".*"):
            if not left.with_suffix(".json").exists():
                left.unlink(missing_ok=True)

    def list(self) -> list[Recording]:
        """Return the recordings, the newest first."""
        found = []
        for path in self.folder.glob("*.json"):
            # pathlib's patterns match hidden files too: between a recording's last facts and its two renames,
            # `.name.json` is complete, and nobody could open what it tells of.
            if not _NAME.fullmatch(path.name):
                continue
            try:
                facts = json.loads(path.read_text())
                size = path.with_suffix(".mp4").stat().st_size
                found.append(
                    Recording(
                        path.stem,
                        facts["instance"],
                        facts["stream"],
                        facts["reason"],
                        facts["at"],
                        facts["seconds"],
                        size,
                        str(facts.get("uploaded", "")),
                        facts.get("interrupted") is True,
                    )
                )
            except (OSError, ValueError, KeyError, TypeError):
                continue  # removed this moment, or not ours
        return sorted(found, key=lambda recording: recording.at, reverse=True)

    def read(self, name: str) -> Path | None:
        """Return the path of one of the shelf's files, None when there is none of that name."""
        path = self.folder / name
        return path if _NAME.fullmatch(name) and path.is_file() else None

    def note(self, name: str, **more: object) -> None:
        """Add to a recording's facts, unless it has made room meanwhile.

        :raises OSError: when the disk does not take it
        :raises ValueError: when its facts are damaged
        """
        path = self.folder / f"{name}.json"
        with self._lock:  # facts must not come back after keep() has removed them: nobody would count them
            try:
                facts = json.loads(path.read_text())
            except FileNotFoundError:
                return
            write_whole(path, facts_text({**facts, **more}))

    def keep(self) -> None:
        """Remove the oldest until the quota holds."""
        with self._lock:
            recordings = self.list()
            total = sum(recording.size for recording in recordings)
            while recordings and total > self.most_bytes:
                oldest = recordings.pop()
                total -= oldest.size
                for suffix in (".mp4", ".json"):
                    (self.folder / f"{oldest.name}{suffix}").unlink(missing_ok=True)
                logger.info("recording %s made room", oldest.name)


class Recorder:
    """Follows outputs, holds their last seconds, and writes what is wished for.

    ``instances``: whose outputs, all when empty. ``before_s``: what can be asked for at most. ``views``: where main
    streams of cameras come from.
    """

    def __init__(
        self,
        feeds: VideoFeeds,
        shelf: Shelf,
        device: str,
        *,
        before_s: float,
        instances: Iterable[str],
        views: CameraViews | None = None,
    ) -> None:
        self._feeds = feeds
        self._views = views
        self._shelf = shelf
        self._device = device
        self._before_s = before_s
        self._instances = frozenset(instances)
        self._tapes: dict[str, tuple[_Tape, Callable[[], None]]] = {}
        self._mains: dict[str, str] = {}
        self._jobs: queue.Queue[Callable[[], None] | None] = queue.Queue(MOST_WAITING)
        self._thread = threading.Thread(target=self._work, name="recorder", daemon=True)

    def start(self) -> None:
        """Begin.

        :raises OSError: when the folder cannot be made.
        """
        self._shelf.make()
        # What the power or a crash has cut off; aside, and before anything new has such a name.
        self._jobs.put(self._mend)
        self._thread.start()

    def follow(self, outputs: Iterable[tuple[str, str, str]], views: Mapping[str, str] = MappingProxyType({})) -> None:
        """Follow these outputs (id, instance, stream) and no others; called every second.

        :param views: output -> view of its camera, for cameras with a main stream beside the one that applications get
        """
        wanted = {o[0]: o for o in outputs if not self._instances or o[1] in self._instances}
        self._mains = dict(views)
        for output_id in self._tapes.keys() - wanted.keys():
            tape, detach = self._tapes.pop(output_id)
            detach()
            tape.end()
        for output_id in wanted.keys() - self._tapes.keys():
            _, instance, stream = wanted[output_id]
            tape = _Tape(self, output_id, instance, stream, self._before_s)
            self._tapes[output_id] = tape, self._feeds.attach(output_id, VideoVariant(), tape.take)

    def stop(self) -> None:
        """End what is being recorded, in bounded time."""
        self.follow(())
        if self._thread.ident is not None:
            try:
                self._jobs.put(None, timeout=1.0)
            except queue.Full:
                return
            self._thread.join(1.5)

    @property
    def shelf(self) -> Shelf:
        """Where the recordings are."""
        return self._shelf

    def begin(self, output_id: str, instance: str, stream: str, wish: Wish, at: float) -> "_File":
        """Return a new file on its way to the shelf."""
        stamp = datetime.fromtimestamp(at, timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        words = _UNFIT.sub("-", wish.reason).strip("-")[:30]
        base = _UNFIT.sub("-", f"{instance}-{stream}")[:60].strip("-")
        name = "-".join(part for part in (stamp, base, words, wish.id[-4:]) if part)
        facts: dict[str, Any] = {
            "schema": SCHEMA, "device": self._device, "version": __version__, "output_id": output_id,
            "instance": instance, "stream": stream, "reason": wish.reason, "at": at,
        }  # fmt: skip
        return _File(self._shelf, name, facts)

    def begin_main(self, output_id: str, instance: str, stream: str, wish: Wish) -> "_MainTape | None":
        """Return the recording of the main stream of an output's camera, None where there is no such stream."""
        view = self._mains.get(output_id)
        if view is None or self._views is None:
            return None
        return _MainTape(self, self._feeds, self._views, view, (instance, stream), wish)

    def later(self, job: Callable[[], None]) -> bool:
        """Do something on the disk's own thread; False when too much waits."""
        try:
            self._jobs.put_nowait(job)
        except queue.Full:
            return False
        return True

    def _mend(self) -> None:
        if salvage(self._shelf.folder):
            self._shelf.keep()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                job()
            except OSError as error:
                logger.warning("a recording is lost: %s", error.strerror or type(error).__name__)


class _Tape:
    """One output: its last seconds, and the recording that is being made. Called on the feed's thread."""

    def __init__(self, recorder: Recorder, output_id: str, instance: str, stream: str, before_s: float) -> None:
        self._recorder = recorder
        self._names = (output_id, instance, stream)
        self._before = round(before_s * CLOCK_HZ)
        self._held: deque[AccessUnit] = deque()
        self._file: _File | None = None
        self._main: _MainTape | None = None
        self._began = self._until = 0
        self._last_wish = ""

    def take(self, unit: AccessUnit) -> None:
        """Take in a unit."""
        wish = wish_of(unit.meta)
        new = wish is not None and wish.id != self._last_wish
        if wish is not None and new:
            self._last_wish = wish.id
        if self._file is not None:
            self._write(self._file, unit)
            if wish is not None and new:
                self._until = max(self._until, unit.pts + round(wish.after * CLOCK_HZ))
            if unit.pts >= min(self._until, self._began + round(MOST_S * CLOCK_HZ)):
                self.end()
        elif wish is not None and new:
            self._begin(wish, unit)
        self._hold(unit)

    def end(self) -> None:
        """End the recording that is being made."""
        main, self._main = self._main, None
        if main is not None:
            main.end()
        file, self._file = self._file, None
        if file is not None and not self._recorder.later(file.end):
            logger.warning("a recording of %s is lost: the disk is too slow", self._names[0])

    def _begin(self, wish: Wish, unit: AccessUnit) -> None:
        self._file = self._recorder.begin(*self._names, wish, unit.capture_wall_ns / 1e9)
        start = unit.pts - min(self._before, round(wish.before * CLOCK_HZ))
        units = [*self._held, unit]
        # From the last key frame before the moment asked for.
        first = max((i for i, held in enumerate(units) if held.key and held.pts <= start), default=None)
        if first is None:
            first = next((i for i, held in enumerate(units) if held.key), len(units))
        self._began, self._until = unit.pts, unit.pts + round(wish.after * CLOCK_HZ)
        self._main = self._recorder.begin_main(*self._names, wish)
        logger.info("recording %s: %s", self._names[0], wish.reason or "asked for by the application")
        for held in units[first:]:
            self._write(self._file, held)

    def _write(self, file: "_File", unit: AccessUnit) -> None:
        if not self._recorder.later(lambda: file.add(unit)):
            file.broken = True

    def _hold(self, unit: AccessUnit) -> None:
        self._held.append(unit)
        # Whole groups of pictures go, as long as enough is left behind the next key frame.
        while True:
            key = next((i for i, held in enumerate(self._held) if i and held.key), None)
            if key is None or self._held[key].pts > unit.pts - self._before:
                return
            for _ in range(key):
                self._held.popleft()


class _MainTape:
    """The main stream of a camera while a recording of an output is made."""

    def __init__(
        self,
        recorder: Recorder,
        feeds: VideoFeeds,
        views: CameraViews,
        view: str,
        names: tuple[str, str],
        wish: Wish,
    ) -> None:
        self._recorder = recorder
        self._views = views
        self._view = view
        self._names = names
        self._wish = wish
        self._file: _File | None = None
        self._look_away = views.look(view, "recording")
        self._detach = feeds.attach(view, VideoVariant(overlays=False), self._take)

    def end(self) -> None:
        """Put it on the shelf, if any of it has come."""
        self._detach()
        self._look_away()
        if self._file is not None and not self._recorder.later(self._file.end):
            logger.warning("a recording of %s is lost: the disk is too slow", self._view)

    def _take(self, unit: AccessUnit) -> None:
        # On the feed's thread. What applications get is recorded already.
        if self._views.stream(self._view) != "main":
            return
        if self._file is None:
            instance, stream = self._names
            at = unit.capture_wall_ns / 1e9
            self._file = self._recorder.begin(self._view, instance, f"{stream}, main stream", self._wish, at)
        file = self._file
        if not self._recorder.later(lambda: file.add(unit)):
            file.broken = True


class _File:
    """One recording on its way to the disk; used by the recorder's thread alone."""

    def __init__(self, shelf: Shelf, name: str, facts: dict[str, Any]) -> None:
        self.broken = False
        self._shelf = shelf
        self._name = name
        self._facts = facts
        self._half = shelf.folder / f".{name}.mp4"
        self._half_facts = shelf.folder / f".{name}.json"
        self._movie = MovieStream()
        self._frames = 0

    def add(self, unit: AccessUnit) -> None:
        """Take in a unit.

        :raises OSError: when the disk is full or gone.
        """
        if self.broken:
            return
        try:
            self._append(self._movie.add(unit))
        except OSError:
            self.broken = True
            self._forget()
            raise
        self._frames += 1

    def end(self) -> None:
        """Put it on the shelf.

        :raises OSError: when the disk is full or gone.
        """
        seconds = self._movie.duration_s
        data = self._movie.end()
        if self.broken or not self._frames:
            self._forget()
            return
        self._append(data)
        # In this order a movie never stands on the shelf without facts, which would be neither listed nor counted.
        self._tell({**self._facts, "seconds": round(seconds, 2), "frames": self._frames})
        self._half.replace(self._shelf.folder / f"{self._name}.mp4")
        self._half_facts.replace(self._shelf.folder / f"{self._name}.json")
        self._shelf.keep()

    def _append(self, data: bytes) -> None:
        """Write a fragment, to the disk itself: the power may go at any moment."""
        if data:
            if not self._half_facts.exists():
                self._tell(self._facts)
            with self._half.open("ab") as file:
                file.write(data)
                file.flush()
                os.fdatasync(file.fileno())

    def _tell(self, facts: dict[str, Any]) -> None:
        write_whole(self._half_facts, facts_text(facts), synced=True)

    def _forget(self) -> None:
        for path in (self._half, self._half_facts):
            path.unlink(missing_ok=True)
