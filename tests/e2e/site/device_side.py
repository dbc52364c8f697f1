"""A core device of the private site: the local nucleus with the archive's certificate, and AWS's own parts beside it.

Runs in the device's network namespace. AWS's own parts are played here: the token exchange service, fetching what is to
be installed and its artifacts, and uploading logs. Everything else is the suite's: shadows and health over MQTT,
cameras' logins, metrics, roles of applications. ``state.json`` tells every second what worked lately.
"""

import argparse
import contextlib
import http.client
import json
import logging
import os
import signal
import ssl
import sys
import threading
import time
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import boto3
import yaml
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from vedette.aws_calls import AwsCaller, AwsError, CredentialsSource, Rejected
from vedette.nucleus.deployment import ComponentDeployment, Deployment
from vedette.nucleus.iot_link import IotSettings
from vedette.nucleus.nucleus import Nucleus
from vedette.nucleus.store_copy import copy_into

_EVERY_S: Final = 5.0
_TIMEOUT_S: Final = 8


class Archive:
    """What install.sh left of a device's archive."""

    def __init__(self, image: Path) -> None:
        root = image / "var/lib/greengrass"
        self.configuration = yaml.safe_load((root / "initial-config.yaml").read_text())
        nucleus = self.configuration["services"]["aws.greengrass.NucleusLite"]["configuration"]
        self.thing = str(self.configuration["system"]["thingName"])
        self.region, self.alias = str(nucleus["awsRegion"]), str(nucleus["iotRoleAlias"])
        self.data, self.credentials = str(nucleus["iotDataEndpoint"]), str(nucleus["iotCredEndpoint"])
        self.data_port = int(nucleus["greengrassDataPlanePort"])
        self.certificate, self.key, self.ca = (root / n for n in ("certificate.pem", "private.key", "rootCA.pem"))

    def get(self, host: str, port: int, path: str) -> Any:
        """Fetch JSON as this device: with its certificate, trusting the archive's authorities alone."""
        context = ssl.create_default_context(cafile=str(self.ca))
        context.load_cert_chain(self.certificate, self.key)
        connection = http.client.HTTPSConnection(host, port, timeout=_TIMEOUT_S, context=context)
        try:
            connection.request("GET", path, headers={"x-amzn-iot-thingname": self.thing})
            answer = connection.getresponse()
            body = answer.read()
            if answer.status != 200:
                raise OSError(f"HTTP {answer.status}: {body[:200].decode(errors='replace')}")
            return json.loads(body)
        finally:
            connection.close()


def _token_exchange(archive: Archive) -> ThreadingHTTPServer:
    held: dict[str, Any] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            try:
                if not self.headers.get("Authorization"):
                    raise PermissionError
                if not held:
                    path = f"/role-aliases/{archive.alias}/credentials"
                    found = archive.get(archive.credentials, 443, path)["credentials"]
                    held["document"] = {
                        "AccessKeyId": found["accessKeyId"],
                        "SecretAccessKey": found["secretAccessKey"],
                        "Token": found["sessionToken"],
                        "Expiration": found["expiration"],
                    }
                status, body = 200, json.dumps(held["document"]).encode()
            except OSError as error:
                status, body = 403, str(error).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


class Device:
    """The nucleus and what is tried on it."""

    def __init__(self, image: Path, folder: Path, python: str) -> None:
        self.archive, self.folder, self.python = Archive(image), folder, python
        self.works: dict[str, str] = {}
        """Function -> ``yes``, or why not."""
        self.frames = 0
        exchange = _token_exchange(self.archive)
        url = f"http://127.0.0.1:{exchange.server_port}/2016-11-01/credentialprovider/"
        self.environ = {
            "AWS_REGION": self.archive.region,
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": url,
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": "nucleus",
        }
        os.environ.update(self.environ)
        archive = self.archive
        self.nucleus = Nucleus(
            folder / "root",
            thing_name=archive.thing,
            region=archive.region,
            secrets_file=folder / "no-secrets.json",
            environment={"AWS_CONTAINER_CREDENTIALS_FULL_URI": url},
            personality="lite",
            iot=IotSettings(archive.data, archive.certificate, archive.key, archive.ca),
        )

    def caller(self, service: str) -> AwsCaller:
        return AwsCaller(service, self.archive.region, CredentialsSource(self.environ), environ=self.environ)

    def document(self) -> Mapping[str, Any]:
        archive = self.archive
        path = f"/greengrass/v2/coreDevices/{archive.thing}"
        found: Mapping[str, Any] = archive.get(archive.data, archive.data_port, path)
        (self.folder / "document.json").write_text(json.dumps(found))
        return found

    def artifacts(self, beginnings: bool = False) -> None:
        """Download the artifacts of the newest document, as the nucleus does: with an SDK and the role's credentials.

        :param beginnings: a few bytes of each, and keep nothing
        """
        found = json.loads((self.folder / "document.json").read_text())
        s3 = boto3.Session().client(
            "s3",
            region_name=self.archive.region,
            verify=os.environ["SSL_CERT_FILE"],
            config=Config(connect_timeout=_TIMEOUT_S, read_timeout=60, retries={"total_max_attempts": 1}),
        )
        part = {"Range": "bytes=0-99"} if beginnings else {}
        for name, recipe in found["recipes"].items():
            for artifact in (a for m in recipe["Manifests"] for a in m.get("Artifacts", ())):
                bucket, _, key = artifact["URI"].removeprefix("s3://").partition("/")
                data = s3.get_object(Bucket=bucket, Key=key, **part)["Body"].read()
                if not beginnings:
                    path = self.folder / "artifacts" / name / recipe["ComponentVersion"] / key.rpartition("/")[2]
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(data)

    def fetch(self) -> None:
        """Fetch what is to be installed, and put it into the nucleus's store."""
        found = self.document()
        self.artifacts()
        recipes = self.folder / "recipes"
        recipes.mkdir(exist_ok=True)
        for name, recipe in found["recipes"].items():
            path = recipes / f"{name}-{recipe['ComponentVersion']}.yaml"
            path.write_text(yaml.safe_dump(recipe, sort_keys=False))
        copy_into(self.nucleus.store, recipes, self.folder / "artifacts")

    def start_components(self) -> None:
        """Deploy what was fetched last, as a nucleus does after a reboot."""
        found = json.loads((self.folder / "document.json").read_text())
        components = {}
        for name, said in found["document"]["components"].items():
            if name.startswith("aws.greengrass."):
                continue  # AWS's own are not here; this file plays them
            update = said.get("configurationUpdate", {})
            merge = {"python": self.python} if name == "vedette.Runtime" else update.get("merge", {})
            components[name] = ComponentDeployment(
                version=said["version"], merge=merge, reset=list(update.get("reset", ()))
            )
        self.nucleus.deploy(Deployment(components=components))

    def hear(self, topic: str, payload: bytes, source: str) -> None:
        del topic, source
        self.frames = max(self.frames, int(json.loads(payload).get("frames") or 0))

    def try_all(self) -> None:
        """Try what AWS's own parts of a device do; the suite's is seen from AWS's side."""
        before = self.frames
        self._note("document", self.document)
        self._note("artifacts", lambda: self.artifacts(beginnings=True))
        self._note("secret", self._read_login)
        self._note("logs", self._upload_logs)
        self._note("credentials", lambda: CredentialsSource(self.environ).get())
        self.works["online"] = (
            "yes" if self.nucleus.cloud is not None and self.nucleus.cloud.connected else "no connection to IoT Core"
        )
        self.works["video"] = "yes" if self.frames > before else f"no new frames after {before}"

    def _read_login(self) -> None:
        """As vedette.secrets does: a new camera's login, that is in no cache."""
        what = {"SecretId": "vedette/camera/lobby"}
        self.caller("secretsmanager").call_json("secretsmanager:GetSecretValue", "secretsmanager.GetSecretValue", what)

    def _upload_logs(self) -> None:
        """As aws.greengrass.LogManager does."""
        logs, group = (
            self.caller("logs"),
            {"logGroupName": "/aws/greengrass/UserComponent/eu-west-1/vedette.CameraIngest"},
        )
        stream = {**group, "logStreamName": self.archive.thing}
        for operation, content in (("CreateLogGroup", group), ("CreateLogStream", stream)):
            with contextlib.suppress(Rejected):  # they are there already
                logs.call_json(f"logs:{operation}", f"Logs_20140328.{operation}", content)
        events = [{"timestamp": int(time.time() * 1000), "message": f"{self.frames} frames"}]
        logs.call_json("logs:PutLogEvents", "Logs_20140328.PutLogEvents", {**stream, "logEvents": events})

    def _note(self, function: str, attempt: Callable[[], Any]) -> None:
        try:
            attempt()
            self.works[function] = "yes"
        except (OSError, AwsError, http.client.HTTPException, ValueError, BotoCoreError, ClientError) as error:
            self.works[function] = f"{type(error).__name__}: {error}"[:200]


def main() -> int:
    """Run until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("image", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--install", action="store_true", help="fetch and install; otherwise start what is there")
    given = parser.parse_args()
    logging.basicConfig(filename=given.folder / "device.log", level=logging.INFO)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    device = Device(given.image, given.folder, sys.executable)
    device.nucleus.start()
    try:
        device.nucleus.broker.subscribe("vedette/output/+/status", device.hear)
        if given.install:
            device.fetch()
        device.start_components()
        while not stop.wait(_EVERY_S):
            device.try_all()
            fresh = given.folder / "state.json.new"
            fresh.write_text(json.dumps({"at": time.time(), "works": device.works, "frames": device.frames}))
            fresh.replace(given.folder / "state.json")
    finally:
        device.nucleus.stop(8.0)
    return 0


if __name__ == "__main__":
    sys.exit(main())
