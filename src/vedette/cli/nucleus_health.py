"""What is known of all that runs on a local nucleus: heard on its bus, asked by ``vedette status``."""

import json
import threading

from vedette.health import TOPIC_FILTERS, ComponentHealth, HealthBook, HealthDocument
from vedette.nucleus.nucleus import Nucleus


class NucleusHealth:
    """Keeps a nucleus's health document, and answers for it on the nucleus's control socket."""

    def __init__(self, nucleus: Nucleus) -> None:
        """``nucleus``: one that has been started."""
        self._nucleus = nucleus
        self._book = HealthBook()
        self._lock = threading.Lock()
        for topic_filter in TOPIC_FILTERS:
            nucleus.broker.subscribe(topic_filter, self._hear)
        nucleus.set_health(lambda: json.loads(self.document().to_json()))
        nucleus.set_page(lambda: self.page_address)

    def document(self) -> HealthDocument:
        """Return what is known at this moment."""
        components = [
            ComponentHealth(name=view.name, state=view.state.value, version=view.version, detail=view.detail)
            for view in self._nucleus.components()
        ]
        with self._lock:
            return self._book.document(components)

    @property
    def page_address(self) -> str | None:
        """Address of the page with its access key, once the display has told it."""
        with self._lock:
            return self._book.page_address

    def _hear(self, topic: str, payload: bytes, source: str) -> None:
        del source
        with self._lock:
            self._book.apply(topic, payload)
