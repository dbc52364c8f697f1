"""The nucleus of ``conftest.py``: serves IPC in a folder; prints the components' environments, then obeys lines.

``revoke NAME`` makes a component's token invalid; ``configure NAME KEY VALUE`` changes its configuration;
``states`` prints what components have reported; ``memory`` prints the process's resident memory in kB.
"""

import asyncio
import json
import sys
from pathlib import Path

from vedette.nucleus.configuration import ConfigurationStore
from vedette.nucleus.ipc import IpcServer
from vedette.nucleus.secrets import SecretStore
from vedette.nucleus.shadows import ShadowStore

ALL = {
    service: {f"{service}:all": {"operations": ["*"], "resources": ["*"]}}
    for service in ("aws.greengrass.ipc.pubsub", "aws.greengrass.SecretManager", "aws.greengrass.ShadowManager")
}


def resident_kb() -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def main(folder: Path) -> None:
    secrets = folder / "secrets.json"
    secrets.write_text('{"cam": {"secretString": "hunter2"}}')
    secrets.chmod(0o600)
    configuration = ConfigurationStore()
    for name in ("one", "two"):
        configuration.set_defaults(name, {"accessControl": ALL, "logLevel": "INFO", "camera": {"fps": 5}})
    configuration.set_defaults("monitor", {"accessControl": ALL})
    configuration.set_defaults("narrow", {"accessControl": {}})
    states: list[list[str]] = []
    server = IpcServer(
        folder / "ipc.socket",
        configuration=configuration,
        secrets=SecretStore(secrets),
        shadows=ShadowStore(),
        thing_name="bench-1",
        on_state=lambda component, state: states.append([component, state]),
    )
    await server.start()
    environments = {
        name: {
            "SVCUID": server.tokens.issue(name),
            "AWS_GG_NUCLEUS_DOMAIN_SOCKET_FILEPATH_FOR_COMPONENT": str(server.socket_path),
        }
        for name in ("one", "two", "narrow", "monitor")
    }
    say(json.dumps(environments))
    while line := await asyncio.to_thread(sys.stdin.readline):
        command, *arguments = line.split()
        if command == "revoke":
            server.tokens.revoke(arguments[0])
        elif command == "configure":
            configuration.apply(arguments[0], {arguments[1]: arguments[2]})
        say({"states": json.dumps(states), "memory": str(resident_kb())}.get(command, "done"))


asyncio.run(main(Path(sys.argv[1])))
