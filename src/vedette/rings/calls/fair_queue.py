"""Who is served next: one call of each client in turn, each client's own calls in their order."""

from collections import OrderedDict, deque
from typing import Deque, Generic, Hashable, Optional, Tuple, TypeVar

ClientT = TypeVar("ClientT", bound=Hashable)
ItemT = TypeVar("ItemT")


class FairQueue(Generic[ClientT, ItemT]):
    """Round robin over clients, so that one that asks a lot delays another by one item at most.

    Not thread-safe. The number of items a client may have waiting is the caller's to bound.
    """

    def __init__(self) -> None:
        self._lines: "OrderedDict[ClientT, Deque[ItemT]]" = OrderedDict()
        self.waiting = 0
        """How many items wait: only to be read. A server looks at it several times a call."""

    def push(self, client: ClientT, item: ItemT) -> None:
        """Put ``item`` at the end of the client's line; a new client comes after all others."""
        self._lines.setdefault(client, deque()).append(item)
        self.waiting += 1

    def pop(self) -> Optional[Tuple[ClientT, ItemT]]:
        """Return the next client and its oldest item, or None when nothing waits."""
        if not self._lines:
            return None
        client, line = self._lines.popitem(last=False)
        item = line.popleft()
        self.waiting -= 1
        if line:
            self._lines[client] = line
        return client, item

    def drop(self, client: ClientT) -> int:
        """Throw away what the client has waiting; return how many items that were."""
        dropped = len(self._lines.pop(client, ()))
        self.waiting -= dropped
        return dropped
