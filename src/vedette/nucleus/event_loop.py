"""An event loop on a thread of its own, for a nucleus whose callers run on other threads."""

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from vedette.nucleus.errors import NucleusError

__all__ = ["LoopThread"]

_ResultT = TypeVar("_ResultT")


class LoopThread:
    """One loop, running from when it is made until ``stop``."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name=name, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, _ResultT], limit_s: float) -> _ResultT:
        """Return what a coroutine returns, carried out on the loop.

        :raises NucleusError: if the loop has ended
        :raises concurrent.futures.TimeoutError: if it takes longer than ``limit_s``
        """
        if self._loop.is_closed():
            work.close()
            raise NucleusError("the nucleus is not running")
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(limit_s)

    def stop(self, limit_s: float) -> None:
        """End the loop and wait for its thread for so long."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(timeout=limit_s)

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        finally:
            self._loop.run_until_complete(self._loop.shutdown_default_executor())
            self._loop.close()
