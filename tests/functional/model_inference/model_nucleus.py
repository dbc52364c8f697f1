"""A nucleus that serves IPC to ``vedette.ModelInference``, with its recipe's own policies, and to a host.

usage: model_nucleus.py FOLDER RECIPE; prints the two components' environments, then runs until its input ends.
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import yaml

from vedette.nucleus.configuration import ConfigurationStore
from vedette.nucleus.ipc import IpcServer
from vedette.nucleus.secrets import SecretStore
from vedette.nucleus.shadows import ShadowStore


async def main(folder: Path, defaults: dict[str, Any]) -> None:
    secrets = folder / "secrets.json"
    secrets.write_text("{}")
    secrets.chmod(0o600)
    configuration = ConfigurationStore()
    configuration.set_defaults("vedette.ModelInference", {**defaults, "threads": 1})
    everything = {"host": {"operations": ["*"], "resources": ["*"]}}
    configuration.set_defaults("host", {"accessControl": {"aws.greengrass.ipc.pubsub": everything}})
    server = IpcServer(
        folder / "ipc.socket",
        configuration=configuration,
        secrets=SecretStore(secrets),
        shadows=ShadowStore(),
        thing_name="bench-1",
        on_state=lambda *_: None,
    )
    await server.start()
    environments = {
        name: {
            "SVCUID": server.tokens.issue(name),
            "AWS_GG_NUCLEUS_DOMAIN_SOCKET_FILEPATH_FOR_COMPONENT": str(server.socket_path),
        }
        for name in ("vedette.ModelInference", "host")
    }
    sys.stdout.write(json.dumps(environments) + "\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)


RECIPE = yaml.safe_load(Path(sys.argv[2]).read_text())
asyncio.run(main(Path(sys.argv[1]), RECIPE["ComponentConfiguration"]["DefaultConfiguration"]))
