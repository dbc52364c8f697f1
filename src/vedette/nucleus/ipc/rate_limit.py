"""How many shadow requests a second are served, as the shadow manager limits them."""

import time
from collections.abc import Callable

__all__ = ["RateLimit", "RequestRates"]


class RateLimit:
    """A bucket that holds one second's worth of requests and fills steadily."""

    def __init__(self, per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        """``clock`` gives seconds that never go back."""
        self._rate = per_second
        self._clock = clock
        self._tokens = per_second
        self._at = clock()

    def take(self) -> bool:
        """Return whether one more request may be served now."""
        now = self._clock()
        self._tokens = min(self._rate, self._tokens + (now - self._at) * self._rate)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class RequestRates:
    """The limit of all requests and of those for one thing."""

    MAX_THINGS = 1000
    """Buckets kept; a client that invents thing names cannot fill the memory."""

    def __init__(self, total: float = 200, per_thing: float = 20, clock: Callable[[], float] = time.monotonic) -> None:
        """Requests a second: ``total`` for all things together, ``per_thing`` for each."""
        self._per_thing = per_thing
        self._clock = clock
        self._total = RateLimit(total, clock)
        self._things: dict[str, RateLimit] = {}

    def take(self, thing: str) -> bool:
        """Return whether one more request for a thing may be served now."""
        limit = self._things.get(thing)
        if limit is None:
            if len(self._things) >= self.MAX_THINGS:
                self._things.pop(next(iter(self._things)))
            limit = self._things[thing] = RateLimit(self._per_thing, self._clock)
        return limit.take() and self._total.take()
