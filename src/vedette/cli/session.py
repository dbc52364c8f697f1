"""One local run: nucleus, components and applications from start to stop, and what is known of them meanwhile."""

import contextlib
import json
import logging
import os
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from vedette import __version__
from vedette.build import fill_store
from vedette.cli.nucleus_health import NucleusHealth
from vedette.health import HealthDocument
from vedette.logs import RedactingFormatter
from vedette.nucleus.deployment import ComponentDeployment, Deployment
from vedette.nucleus.events import Event
from vedette.nucleus.instances import new_run_id, registry_folder
from vedette.nucleus.nucleus import Nucleus
from vedette.nucleus.token_exchange import Lend
from vedette.whole_files import PRIVATE, write_whole

logger = logging.getLogger(__name__)

THING_NAME: Final = "local"
STATE_FOLDER: Final = ".vedette"
_LOG_BYTES: Final = 10 * 1024 * 1024


def state_folder(application: Path) -> Path:
    """Return where a run of ``application`` keeps its storage, logs and caches.

    ``.vedette`` in the application's own folder, so that nothing is left elsewhere; a folder that cannot be written,
    or that belongs to an installed package (the example), has it under the user's state folder.
    """
    installed = Path(__file__).resolve().parents[1] in application.parents
    if os.access(application, os.W_OK) and not installed:
        return application / STATE_FOLDER
    state = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(state) / "vedette" / application.name


class Session:
    """Runs compiled applications on a local nucleus; a context manager that stops everything at its end.

    :raises vedette.nucleus.errors.NucleusError: when the nucleus cannot start
    """

    def __init__(
        self,
        root: Path,
        *,
        secrets: Mapping[str, Mapping[str, str]],
        listener: Callable[[Event], None],
        region: str = "us-east-1",
        personality: str = "java",
        lend: Lend | None = None,
    ) -> None:
        self.root = root
        self._secrets = secrets
        self._listener = listener
        self._region = region
        self._personality = personality
        self._lend = lend
        self._closing = contextlib.ExitStack()
        self.nucleus: Nucleus
        self._health: NucleusHealth
        self._secrets_file: Path

    def __enter__(self) -> "Session":
        with contextlib.ExitStack() as stack:
            run_id = new_run_id()
            secrets_file = registry_folder() / run_id / "secrets.json"
            self.root.mkdir(parents=True, exist_ok=True)
            stack.enter_context(_own_log(self.root / "logs" / "nucleus.log"))
            fill_store(self.root)
            _forget_other_runtime(self.root)
            self.nucleus = Nucleus(
                self.root,
                thing_name=THING_NAME,
                region=self._region,
                run_id=run_id,
                secrets_file=secrets_file,
                listeners=[self._listener],
                personality=self._personality,
                lend=self._lend,
            )
            self.nucleus.start()
            stack.callback(self.nucleus.stop, 4.0)
            self._secrets_file = secrets_file
            self.keep_secrets(self._secrets)
            self._health = NucleusHealth(self.nucleus)
            self._closing = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.close()

    def keep_secrets(self, secrets: Mapping[str, Mapping[str, str]]) -> None:
        """Give components these secrets from now on: a file that only its owner reads, gone with the run."""
        document = {name: {"secretString": json.dumps(value)} for name, value in secrets.items()}
        write_whole(self._secrets_file, json.dumps(document).encode(), mode=PRIVATE)

    def deploy(self, applications: Mapping[str, ComponentDeployment], suite: Mapping[str, Mapping[str, Any]]) -> None:
        """Start applications and the components they need, these configured by ``suite`` (component -> configuration).

        :raises vedette.nucleus.errors.NucleusError: with every finding
        """
        own = {"vedette.Runtime": {"python": sys.executable}, **suite}
        components = {
            name: ComponentDeployment(version=__version__, merge=configuration, reset=[""])
            for name, configuration in own.items()
        }
        self.nucleus.deploy(Deployment(components={**components, **applications}))

    def health(self) -> HealthDocument:
        """Return what is known at this moment."""
        return self._health.document()

    @property
    def page_address(self) -> str | None:
        """Address of the page with its access key, once the display has told it."""
        return self._health.page_address


@contextlib.contextmanager
def _own_log(path: Path) -> Iterator[None]:
    """Write what this process logs into a file: the terminal says the same in other words."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = RotatingFileHandler(path, maxBytes=_LOG_BYTES, backupCount=1, encoding="utf-8")
    handler.setFormatter(RedactingFormatter())
    package = logging.getLogger("vedette")
    level = package.level
    package.addHandler(handler)
    package.setLevel(logging.INFO)
    try:
        yield
    finally:
        package.setLevel(level)
        package.removeHandler(handler)
        handler.close()


def _forget_other_runtime(root: Path) -> None:
    """Remove the runtime that another installation of Vedette left: an application would be installed with its code.

    Components are installed side by side, and an application waits only until a runtime is there.
    """
    wrapper = root / "work" / "vedette.Runtime" / "bin" / "python"
    try:
        if shlex.quote(sys.executable) not in wrapper.read_text(encoding="utf-8"):
            wrapper.unlink()
    except FileNotFoundError:
        return
