"""Who looks at which output: starts feeds for what is looked at, stops the rest, and keeps the figures."""

import asyncio
import time
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import Final, NamedTuple

from vedette_display.feed import Feed
from vedette_display.flow import Flow, Sent
from vedette_display.picture import Picture, Variant
from vedette_display.window import Window

MOST_KEPT: Final = 32


class Figures(NamedTuple):
    """One output over the last seconds, in ms; None while nothing was drawn.

    ``latency``: capture to drawn on screen. Its parts, at the median: ``ready``: capture until the application's frame
    is here; ``encode``: converted, annotated, encoded; ``delivery``: sent, decoded and drawn by the browser.
    """

    viewers: int
    fps: float | None
    latency_p50: float | None
    latency_p95: float | None
    ready: float | None
    encode: float | None
    delivery: float | None


class _Shown:
    """Figures of an output being collected."""

    def __init__(self) -> None:
        self.latency, self.ready, self.encode, self.delivery = Window(), Window(), Window(), Window()
        self.drawn: dict[int, Window] = {}


class Gallery:
    """Lives on the event loop; feeds deliver into it from their threads.

    ``locate`` tells where an output's ring is; ``look`` is told what somebody looks at, and what for, and returns what
    ends it.
    """

    def __init__(
        self,
        locate: Callable[[str], str | None],
        look: Callable[[str, str], Callable[[], None]] = lambda _output_id, _purpose: lambda: None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._locate = locate
        self._look = look
        self._looks: dict[int, Callable[[], None]] = {}
        self._flows: dict[str, tuple[Flow, ...]] = {}
        self._feeds: dict[str, Feed] = {}
        self._ending: list[Feed] = []
        self._kept: dict[str, Picture] = {}
        self._latest: dict[tuple[str, Variant], Picture] = {}
        self._shown: dict[str, _Shown] = {}
        self.encoded = 0
        """Pictures encoded since start."""

    def attach(self, flow: Flow, purpose: str = "page") -> None:
        """Start to show ``flow.output_id`` to its viewer, at once with the last picture there was."""
        output_id = flow.output_id
        self._looks[id(flow)] = self._look(output_id, purpose)
        self._flows[output_id] = (*self._flows.get(output_id, ()), flow)
        last = self._latest.get((output_id, flow.variant)) or self._kept.get(output_id)
        if last is not None:
            flow.offer(last, time.monotonic(), kept=True)
        if output_id not in self._feeds:
            feed = self._feeds[output_id] = Feed(
                output_id,
                lambda: self._locate(output_id),
                lambda now: self._wanted(output_id, now),
                lambda picture: self._hand_over(output_id, picture),
            )
            feed.start()

    def detach(self, flow: Flow) -> None:
        """Stop showing; without a viewer left the output is not read any more."""
        output_id = flow.output_id
        if end := self._looks.pop(id(flow), None):
            end()
        left = tuple(other for other in self._flows.get(output_id, ()) if other is not flow)
        if shown := self._shown.get(output_id):
            shown.drawn.pop(id(flow), None)
        if left:
            self._flows[output_id] = left
            return
        self._flows.pop(output_id, None)
        self._shown.pop(output_id, None)
        for key in [key for key in self._latest if key[0] == output_id]:
            del self._latest[key]
        if feed := self._feeds.pop(output_id, None):
            feed.stop()
            self._ending = [old for old in self._ending if old.alive] + [feed]

    def drawn(self, flow: Flow, sent: Sent) -> None:
        """Take in that ``flow``'s viewer has drawn a picture."""
        now_ns = time.monotonic_ns()
        picture, now = sent.picture, now_ns / 1e9
        if sent.kept or flow not in self._flows.get(flow.output_id, ()):
            return
        shown = self._shown.setdefault(flow.output_id, _Shown())
        if not picture.fresh:
            return
        shown.latency.add(now, (now_ns - picture.capture_mono_ns) / 1e6)
        shown.ready.add(now, (picture.ready_mono_ns - picture.capture_mono_ns) / 1e6)
        shown.encode.add(now, (picture.encoded_mono_ns - picture.ready_mono_ns) / 1e6)
        shown.delivery.add(now, (now_ns - picture.encoded_mono_ns) / 1e6)
        shown.drawn.setdefault(id(flow), Window()).add(now, 1.0)

    def figures(self) -> dict[str, Figures]:
        """Return the figures of every output somebody looks at."""
        now = time.monotonic()
        return {output_id: self._figures(output_id, flows, now) for output_id, flows in self._flows.items()}

    def kept(self, output_id: str) -> Picture | None:
        """Return the last picture of an output that was ever encoded, if it is still kept."""
        return self._kept.get(output_id)

    def close(self) -> None:
        """Stop every feed and wait for their threads, 2 s at most."""
        feeds = [*self._feeds.values(), *self._ending]
        for feed in feeds:
            feed.stop()
        deadline = time.monotonic() + 2.0
        for feed in feeds:
            feed.join(max(0.0, deadline - time.monotonic()))
        self._feeds.clear()

    def _wanted(self, output_id: str, now: float) -> AbstractSet[Variant]:
        # On the feed's thread: the tuple is replaced, never changed.
        return {flow.variant for flow in self._flows.get(output_id, ()) if flow.wants(now)}

    def _hand_over(self, output_id: str, picture: Picture) -> None:
        # On the feed's thread. The loop may be closed already while a feed ends.
        try:
            self._loop.call_soon_threadsafe(self._deliver, output_id, picture)
        except RuntimeError:
            return

    def _deliver(self, output_id: str, picture: Picture) -> None:
        self.encoded += 1
        self._kept.pop(output_id, None)
        self._kept[output_id] = picture
        while len(self._kept) > MOST_KEPT:
            del self._kept[next(iter(self._kept))]
        flows = self._flows.get(output_id)
        if not flows:
            return
        variants = {flow.variant for flow in flows}
        for key in [key for key in self._latest if key[0] == output_id and key[1] not in variants]:
            del self._latest[key]
        self._latest[output_id, picture.variant] = picture
        now = time.monotonic()
        for flow in flows:
            if flow.variant == picture.variant:
                flow.offer(picture, now)

    def _figures(self, output_id: str, flows: tuple[Flow, ...], now: float) -> Figures:
        shown = self._shown.get(output_id)
        if shown is None:
            return Figures(len(flows), None, None, None, None, None, None)
        rates = [rate for window in shown.drawn.values() if (rate := window.rate(now)) is not None]
        return Figures(
            len(flows),
            max(rates, default=None),
            shown.latency.percentile(now, 0.5),
            shown.latency.percentile(now, 0.95),
            shown.ready.percentile(now, 0.5),
            shown.encode.percentile(now, 0.5),
            shown.delivery.percentile(now, 0.5),
        )
