"""``vedette nucleus``: start, stop and look at a local Greengrass nucleus for any component."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Final

from vedette.cli.failure import EXIT_FAILED, EXIT_USAGE, Failure
from vedette.cli.instance import answering, ask, chosen, print_json
from vedette.cli.lending import lender
from vedette.cli.stopping import StopOnSignal
from vedette.cli.tables import table
from vedette.cli.terminal import Terminal
from vedette.nucleus.errors import NucleusError, RootInUseError
from vedette.nucleus.events import ComponentStateChanged, Event
from vedette.nucleus.instances import Instance, find_instances
from vedette.nucleus.iot_link import IotSettings
from vedette.nucleus.nucleus import Nucleus
from vedette.nucleus.states import ComponentState
from vedette.nucleus.token_exchange import Lend

_START_LIMIT_S: Final = 20.0
_STOP_LIMIT_S: Final = 20.0
_POLL_S: Final = 0.05
_BOUND_S: Final = 60.0
"""Of one wait for what ends the nucleus: an idle one must not wake for nothing."""
_MARKS: Final = {ComponentState.ERRORED: "yellow", ComponentState.BROKEN: "red", ComponentState.RUNNING: "green"}


def default_root() -> Path:
    """Return where the nucleus keeps everything when no root is named."""
    state = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(state) / "vedette" / "nucleus"


@dataclass(frozen=True)
class IotOptions:
    """How to reach AWS IoT Core, as the options say it."""

    endpoint: str | None = None
    certificate: Path | None = None
    key: Path | None = None
    ca: Path | None = None
    shadows: Sequence[str] = ()

    def settings(self) -> IotSettings | None:
        """Return the settings, None without an endpoint; Failure when something is missing."""
        if self.endpoint is None:
            if self.certificate or self.key or self.ca or self.shadows:
                raise Failure("there is no endpoint to connect to", hint="--iot HOST[:PORT]", exit_code=EXIT_USAGE)
            return None
        if self.certificate is None or self.key is None:
            raise Failure(
                "IoT Core asks for the thing's certificate and key",
                hint="--iot-cert FILE --iot-key FILE",
                exit_code=EXIT_USAGE,
            )
        host, _, port = self.endpoint.partition(":")
        if not host or (port and not port.isdecimal()):
            raise Failure(f"`{self.endpoint}` is no endpoint", hint="--iot HOST[:PORT]", exit_code=EXIT_USAGE)
        settings = IotSettings(host, self.certificate, self.key, self.ca, int(port or 8883))
        try:
            settings.check()
        except NucleusError as error:
            raise Failure(str(error)) from error
        return settings

    def arguments(self) -> list[str]:
        """Return the options for another process."""
        named = {"--iot": self.endpoint, "--iot-cert": self.certificate, "--iot-key": self.key, "--iot-ca": self.ca}
        found = []
        for name, value in named.items():
            if value is not None:
                found += [name, str(value.resolve() if isinstance(value, Path) else value)]
        return [*found, *(part for name in self.shadows for part in ("--sync-shadow", name))]


@dataclass(frozen=True)
class StartOptions:
    """What ``vedette nucleus start`` was asked for."""

    root: Path | None = None
    personality: str = "java"
    thing: str = "local"
    region: str = "us-east-1"
    iot: IotOptions = IotOptions()
    credentials_of: str | None = None

    @property
    def folder(self) -> Path:
        """Return the root folder."""
        return (self.root or default_root()).resolve()

    def lend(self) -> Lend | None:
        """Return what gives out credentials, None where none are to be; Failure for a profile that is not there."""
        if self.credentials_of is None:
            return None
        return lender(self.credentials_of, self.region)[0]

    def arguments(self) -> list[str]:
        """Return the options for another process."""
        found = ["--root", str(self.folder), "--nucleus", self.personality, "--thing", self.thing]
        found += ["--region", self.region, *self.iot.arguments()]
        return found if self.credentials_of is None else [*found, "--credentials-of", self.credentials_of]


def start(terminal: Terminal, options: StartOptions, *, detach: bool) -> int:
    """Run a nucleus until it is told to stop; with ``detach`` leave it running in the background."""
    folder = options.folder
    settings, lend = options.iot.settings(), options.lend()
    if detach:
        return _start_detached(terminal, options)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        nucleus = Nucleus(
            folder,
            thing_name=options.thing,
            region=options.region,
            secrets_file=folder / "secrets.json",
            listeners=[lambda event: _tell(terminal, event)],
            personality=options.personality,
            persistent=True,
            iot=settings,
            synchronised_shadows=options.iot.shadows,
            lend=lend,
        )
        with StopOnSignal(nucleus.stop_requested) as stop:
            begun = time.monotonic()
            nucleus.start()
            try:
                from vedette.cli.nucleus_health import NucleusHealth  # after the start, which it would hold up

                NucleusHealth(nucleus)
                _greet(terminal, nucleus, options, time.monotonic() - begun)
                while not stop.wait(_BOUND_S):
                    pass
                terminal.waiting("stopping")
            finally:
                nucleus.stop(8.0)
    except RootInUseError as error:
        raise Failure(f"a nucleus runs on `{folder}` already", hint="vedette nucleus status") from error
    except OSError as error:
        raise Failure(
            f"root folder `{folder}` cannot be used: {error.strerror}", hint="name another: --root"
        ) from error
    except NucleusError as error:
        raise Failure(str(error)) from error
    terminal.done("stopped")
    return 0


def stop(terminal: Terminal, *, root: Path | None) -> int:
    """Stop a nucleus and everything it runs; return when it has ended."""
    instance = chosen(root)
    ask(instance, "stop")
    until = time.monotonic() + _STOP_LIMIT_S
    pause = threading.Event()
    while any(found.run_id == instance.run_id for found in find_instances()):
        if time.monotonic() > until:
            raise Failure(f"process {instance.pid} did not end in {_STOP_LIMIT_S:g} s", hint=f"kill {instance.pid}")
        pause.wait(_POLL_S)
    terminal.done("stopped", instance.root)
    return 0


def status(terminal: Terminal, *, root: Path | None, as_json: bool) -> int:
    """Print what a nucleus is and has; 1 when one of its components is broken."""
    del terminal
    with answering("nucleus", as_json=as_json):
        instance = chosen(root)
        found = ask(instance, "nucleus")
    components = found["components"]
    broken = [component["name"] for component in components if component["state"] in {"BROKEN", "ERRORED"}]
    if as_json:
        print_json("nucleus", pid=instance.pid, started_at=_moment(instance.started_at), **found)
    else:
        lines = [
            f"nucleus    {found['personality']}, thing {found['thing_name']}, up {_age(instance)}, pid {instance.pid}",
            f"root       {found['root']}",
            f"socket     {found['socket']}",
            f"IoT Core   {found['iot_core']}",
            f"clients    {len(found['ipc']['connections'])} connected, {found['ipc']['subscriptions']} subscriptions, "
            f"{found['ipc']['published']} messages, {found['ipc']['dropped']} dropped",
        ]
        if found["resume_error"]:
            lines.append(f"! what ran before cannot be started again: {found['resume_error']}")
        lines += table(
            ("COMPONENT", "VERSION", "STATE"), [(c["name"], c["version"], state_words(c)) for c in components]
        )
        sys.stdout.write("\n".join(lines) + "\n")
    return EXIT_FAILED if broken or found["resume_error"] else 0


def state_words(component: Mapping[str, Any]) -> str:
    """Return a component's state with what there is to say about it."""
    paused = ", paused" if component.get("paused") else ""
    detail = f": {component['detail']}" if component["detail"] else ""
    return f"{component['state']}{paused}{detail}"


def _start_detached(terminal: Terminal, options: StartOptions) -> int:
    root = options.folder
    command = [sys.executable, "-m", "vedette.cli.main", "nucleus", "start", *options.arguments()]
    log = root / "logs" / "nucleus.out"
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("w") as output:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=root, start_new_session=True
            )
    except OSError as error:
        raise Failure(f"root folder `{root}` cannot be used: {error.strerror}", hint="name another: --root") from error
    until = time.monotonic() + _START_LIMIT_S
    pause = threading.Event()
    while time.monotonic() < until:
        if process.poll() is not None:
            last = log.read_text(errors="replace").strip().splitlines()[-2:]
            raise Failure(_plain(last[0]) if last else "the nucleus ended at once", hint=f"its output: {log}")
        instance = next((found for found in find_instances() if found.pid == process.pid), None)
        if instance is not None and instance.control_socket.exists():
            terminal.done("nucleus", f"{options.personality}, pid {process.pid}, root {root}")
            terminal.line("next: vedette deployment create --recipe-dir DIR --merge NAME=VERSION")
            return 0
        pause.wait(_POLL_S)
    raise Failure(f"the nucleus does not answer after {_START_LIMIT_S:g} s", hint=f"its output: {log}")


def _plain(line: str) -> str:
    return line.removeprefix("error: ")


def _greet(terminal: Terminal, nucleus: Nucleus, options: StartOptions, took_s: float) -> None:
    terminal.done("nucleus", f"{options.personality}, started in {took_s:.2f} s, root {nucleus.root}")
    if nucleus.resume_error is not None:
        terminal.warn("before", f"what ran before cannot be started again: {nucleus.resume_error}")
    elif nucleus.components():
        terminal.done("before", f"{len(nucleus.components())} components of the run before start again")
    if options.credentials_of is not None:
        terminal.done("AWS", f"credentials of profile {options.credentials_of} for who depends on TokenExchangeService")
    terminal.line("  Ctrl-C ends it")


def _tell(terminal: Terminal, event: Event) -> None:
    if isinstance(event, ComponentStateChanged) and event.new not in {ComponentState.NEW, ComponentState.INSTALLED}:
        words = terminal.paint(event.new.value, _MARKS.get(event.new, "dim"))
        detail = f": {event.detail}" if event.detail else ""
        terminal.line(f"{datetime.now().astimezone():%H:%M:%S} {event.component} {words}{detail}")


def _age(instance: Instance) -> str:
    seconds = time.time() - instance.started_at
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def _moment(unix_s: float) -> str:
    return datetime.fromtimestamp(unix_s, timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z")
