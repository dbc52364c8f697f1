"""The component's main: configuration, folders, demands in, statuses out."""

import logging
import threading
from pathlib import Path
from typing import Any

from vedette.bus import Bus, BusError, NotFound
from vedette.bus.component import ComponentFailed
from vedette_model_inference.configuration import Configuration, read_configuration
from vedette_model_inference.errors import ConfigurationError
from vedette_model_inference.loading import Loader
from vedette_model_inference.service import ModelService
from vedette_model_inference.verdicts import Verdicts

logger = logging.getLogger(__name__)

_POLL_S = 0.25


def main(bus: Bus, stop: threading.Event, work: Path | None = None) -> None:
    """Serve models until ``stop``; ``work``: the component's folder, the current one by default.

    A change of the configuration unloads every model and begins anew with what is in force then.

    :raises ComponentFailed: when the configuration is wrong at the start, or the sockets' folder cannot be made.
    """
    folder = Path.cwd() if work is None else work
    sockets = prepare_sockets(folder)
    verdicts = Verdicts(folder / "verdicts.json")
    changed = threading.Event()
    try:
        configuration = _configuration(bus)
    except ConfigurationError as error:
        raise ComponentFailed(str(error)) from error
    watch = bus.watch_configuration(changed.set)
    try:
        while not stop.is_set():
            changed.clear()
            _serve(bus, stop, changed, sockets, configuration, verdicts)
            if not stop.is_set():
                configuration = _next_configuration(bus, configuration)
    finally:
        watch.close()
        for socket in sockets.glob("*.sock"):
            socket.unlink(missing_ok=True)


def _serve(
    bus: Bus,
    stop: threading.Event,
    changed: threading.Event,
    sockets: Path,
    configuration: Configuration,
    verdicts: Verdicts,
) -> None:
    """Serve until ``stop``, or until the configuration is another one."""
    ended = threading.Event()
    service = ModelService(bus, sockets, configuration, Loader(configuration, verdicts, ended))
    logger.info("serving with %s threads a model", configuration.thread_count())
    subscription = bus.subscribe("vedette/model/+/demand", service.hear)
    watcher = threading.Thread(
        target=_end_on_change, args=(bus, stop, changed, ended, configuration), name="configuration", daemon=True
    )
    watcher.start()
    try:
        service.run(ended)
    finally:
        ended.set()
        subscription.close()
        watcher.join(2 * _POLL_S)


def _end_on_change(
    bus: Bus, stop: threading.Event, changed: threading.Event, ended: threading.Event, current: Configuration
) -> None:
    """Set ``ended`` on stop or when another, valid configuration is in force."""
    while not ended.is_set():
        if stop.wait(_POLL_S):
            ended.set()
        elif changed.is_set():
            changed.clear()
            if _next_configuration(bus, current) != current:
                logger.info("the configuration changed: models are loaded anew")
                ended.set()


def _next_configuration(bus: Bus, current: Configuration) -> Configuration:
    try:
        return _configuration(bus)
    except (ConfigurationError, BusError) as error:
        logger.warning("the configuration is left as it was: %s", error)
        return current


def _configuration(bus: Bus) -> Configuration:
    try:
        document: dict[str, Any] = bus.get_configuration()
    except NotFound:
        document = {}
    return read_configuration(document)


def prepare_sockets(work: Path) -> Path:
    """Return the folder of the call sockets, for this user alone and without what an earlier process left."""
    sockets = work / "sockets"
    try:
        sockets.mkdir(mode=0o700, exist_ok=True)
        sockets.chmod(0o700)
        for stale in sockets.glob("*.sock"):
            stale.unlink(missing_ok=True)
    except OSError as error:
        raise ComponentFailed(f"cannot use the folder {sockets}: {error.strerror}") from error
    return sockets
