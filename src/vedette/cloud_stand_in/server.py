"""The stand-in as a server on this machine, on a thread."""

import json
import re
import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from vedette.cloud_stand_in.component_store import ComponentStore, Fetch
from vedette.cloud_stand_in.errors import (
    AlreadyExistsError,
    InvalidRequestError,
    NotEmulatedError,
    NotFoundError,
    ServiceError,
)
from vedette.cloud_stand_in.fleet import Execution, Fleet
from vedette.cloud_stand_in.routes import Request, Routes

ACCOUNT: Final = "123456789012"
_HANDED_ON_TIMEOUT_S: Final = 30.0
_PAGE: Final = 100


class StandIn:
    """Greengrass v2 and the jobs of AWS IoT at ``http://127.0.0.1:<port>``; a context manager.

    Point ``AWS_ENDPOINT_URL_GREENGRASSV2`` and ``AWS_ENDPOINT_URL_IOT`` at ``url``.
    """

    def __init__(
        self, fetch: Fetch, *, upstream: str | None = None, region: str = "us-east-1", port: int = 0, pace: int = 0
    ) -> None:
        """Bind; requests are answered from ``start`` (or entering the context) on.

        :param fetch: reads artifacts from S3 or what stands in for it
        :param upstream: where requests to AWS IoT go that are not about jobs, provisioning templates or role aliases
        :param pace: how many devices carry out their deployment whenever somebody asks how a job goes
        """
        self._lock = threading.RLock()
        self._region, self._fetch = region, fetch
        self.reset()
        self._upstream = upstream.rstrip("/") if upstream else None
        self._pace = pace
        self._greengrass, self._iot = Routes("greengrassv2"), Routes("iot")
        self._server = ThreadingHTTPServer(("127.0.0.1", port), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def reset(self) -> None:
        """Forget everything."""
        with self._lock:
            self.components = ComponentStore(self._region, ACCOUNT, self._fetch)
            self.fleet = Fleet(self._region, ACCOUNT, self.components)
            self.templates: dict[str, dict[str, Any]] = {}
            self.role_aliases: dict[str, dict[str, Any]] = {}
            self.calls: list[str] = []
            """Every operation that was called, in order."""
            self.refuse: Callable[[str], ServiceError | None] = lambda _: None
            """Asked before each operation; what it returns is answered instead."""
            self._device_tags: dict[str, dict[str, str]] = {}

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """End; returns when the port is free."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def __enter__(self) -> "StandIn":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def answer(
        self, method: str, raw_path: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Answer one HTTP request: status, headers, body."""
        parts = urlsplit(raw_path)
        # The signature names the service: /tags/... is a path of both.
        iot = "/iot/aws4_request" in headers.get("Authorization", "")
        routes = self._iot if iot else self._greengrass
        found = routes.operation(method, parts.path)
        try:
            if found is None:
                raise NotFoundError(f"there is no operation {method} {unquote(parts.path)}")
            operation, in_path = found
            if iot and operation not in _IOT:
                return self._handed_on(method, raw_path, headers, body)
            with self._lock:
                self.calls.append(operation)
                refusal = self.refuse(operation)
                if refusal is not None:
                    raise refusal
                request = routes.request(operation, in_path, parts.query, body)
                status, data = routes.answer(operation, self._carry_out(request))
        except ServiceError as error:
            document = {"message": str(error), "Message": str(error), **error.facts}
            return error.status, {"x-amzn-ErrorType": error.code}, json.dumps(document).encode()
        return status, {}, data

    def _carry_out(self, request: Request) -> Mapping[str, Any]:
        method = getattr(self, _method(request.operation), None)
        if method is None:
            raise NotEmulatedError(f"{request.operation} is not emulated")
        result: Mapping[str, Any] = method(request.arguments)
        return result

    def _handed_on(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, Mapping[str, str], bytes]:
        import urllib3

        if self._upstream is None:
            raise NotEmulatedError(f"{method} {path} is not emulated, and there is nowhere to hand it on to")
        kept = {key: value for key, value in headers.items() if key.lower() not in {"host", "content-length"}}
        answer = urllib3.request(
            method, self._upstream + path, body=body, headers=kept, retries=False, timeout=_HANDED_ON_TIMEOUT_S
        )
        passed = {key: value for key, value in answer.headers.items() if key.lower().startswith("x-amzn")}
        return answer.status, passed, answer.data

    # -- components ------------------------------------------------------------------------------------------------

    def _create_component_version(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        return self.components.create(arguments)

    def _describe_component(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        return self.components.describe(arguments["arn"])

    def _get_component(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        return self.components.get(arguments)

    def _delete_component(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        return self.components.delete(arguments["arn"])

    def _list_components(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        return _paged("components", self.components.list_components(arguments.get("scope", "PRIVATE")), arguments)

    def _list_component_versions(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        return _paged("componentVersions", self.components.list_versions(arguments["arn"]), arguments)

    # -- deployments -----------------------------------------------------------------------------------------------

    def _create_deployment(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        return self.fleet.create_deployment(arguments)

    def _get_deployment(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        return self.fleet.deployment(arguments["deploymentId"])

    def _list_deployments(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        return _paged("deployments", self.fleet.list_deployments(arguments), arguments)

    def _cancel_deployment(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        return self.fleet.cancel_deployment(arguments["deploymentId"])

    def _delete_deployment(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        return self.fleet.delete_deployment(arguments["deploymentId"])

    # -- devices ---------------------------------------------------------------------------------------------------

    def _list_core_devices(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        group = arguments.get("thingGroupArn")
        items = [
            _core_device(device.name, healthy=not device.fails)
            for device in self.fleet.devices.values()
            if group is None or group in device.groups
        ]
        wanted = arguments.get("status")
        return _paged("coreDevices", [item for item in items if wanted in {None, item["status"]}], arguments)

    def _get_core_device(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        device = self.fleet.device(arguments["coreDeviceThingName"])
        version = device.components.get("aws.greengrass.Nucleus", "2.18.2")
        return {
            **_core_device(device.name, healthy=not device.fails),
            "coreVersion": version,
            "tags": self._tags_of(f"coreDevices:{device.name}"),
        }

    def _delete_core_device(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        self.fleet.device(arguments["coreDeviceThingName"])
        del self.fleet.devices[arguments["coreDeviceThingName"]]
        return {}

    def _list_installed_components(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        device = self.fleet.device(arguments["coreDeviceThingName"])
        every = arguments.get("topologyFilter") == "ALL"
        items = [
            {
                "componentName": name,
                "componentVersion": version,
                "lifecycleState": "RUNNING",
                "isRoot": name in device.roots,
            }
            for name, version in sorted(device.components.items())
            if every or name in device.roots
        ]
        return _paged("installedComponents", items, arguments)

    def _list_effective_deployments(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        self._devices_work()
        device = self.fleet.device(arguments["coreDeviceThingName"])
        items = []
        for deployment_id, execution in device.executions.items():
            made = self.fleet.deployments.get(deployment_id)
            if made is None or not made["isLatestForTarget"]:
                continue
            items.append(
                {
                    "deploymentId": deployment_id,
                    "deploymentName": made["deploymentName"],
                    **({"iotJobId": made["iotJobId"]} if "iotJobId" in made else {}),
                    "targetArn": made["targetArn"],
                    "coreDeviceExecutionStatus": execution.status,
                    "reason": execution.reason,
                    "creationTimestamp": made["creationTimestamp"],
                    "modifiedTimestamp": execution.changed,
                }
            )
        return _paged("effectiveDeployments", items, arguments)

    def _tag_resource(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        self._tags(arguments["resourceArn"]).update(arguments["tags"])
        return {}

    def _untag_resource(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        tags, keys = self._tags(arguments["resourceArn"]), arguments["tagKeys"]
        for key in keys:
            tags.pop(key, None)
        return {}

    def _list_tags_for_resource(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"tags": self._tags(arguments["resourceArn"])}

    def _tags(self, arn: str) -> dict[str, str]:
        kind = arn.split(":", 5)[5]
        if kind.startswith("components:"):
            return self.components.at(arn).tags
        if kind.startswith("deployments:"):
            tags: dict[str, str] = self.fleet.deployment(kind.partition(":")[2])["tags"]
            return tags
        self.fleet.device(kind.partition(":")[2])
        return self._tags_of(kind)

    def _tags_of(self, kind: str) -> dict[str, str]:
        return self._device_tags.setdefault(kind, {})

    # -- jobs, provisioning templates and role aliases of AWS IoT ------------------------------------------------------

    def _create_job(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        job = self.fleet.create_job(arguments)
        return {"jobArn": self._job_arn(job.job_id), "jobId": job.job_id, "description": job.description}

    def _describe_job(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        self._devices_work()
        job = self.fleet.job(arguments["jobId"])
        return {
            "job": {
                "jobArn": self._job_arn(job.job_id),
                "jobId": job.job_id,
                "status": job.status,
                "targets": job.targets,
                "description": job.description,
                "createdAt": job.created,
                "jobProcessDetails": self.fleet.counts(job.job_id),
            }
        }

    def _cancel_job(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        job = self.fleet.cancel_job(arguments["jobId"])
        return {"jobArn": self._job_arn(job.job_id), "jobId": job.job_id}

    def _list_job_executions_for_job(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        job = self.fleet.job(arguments["jobId"])
        items = [
            {"thingArn": self.fleet.thing_arn(device.name), "jobExecutionSummary": _summary(execution)}
            for device in self.fleet.devices.values()
            if (execution := device.executions.get(job.job_id)) is not None
            and arguments.get("status") in {None, execution.status}
        ]
        return _paged("executionSummaries", items, arguments)

    def _list_job_executions_for_thing(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        device = self.fleet.device(arguments["thingName"])
        items = [
            {"jobId": job_id, "jobExecutionSummary": _summary(execution)}
            for job_id, execution in device.executions.items()
            if job_id in self.fleet.jobs and arguments.get("status") in {None, execution.status}
        ]
        return _paged("executionSummaries", items, arguments)

    def _describe_job_execution(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        self._devices_work()
        device = self.fleet.device(arguments["thingName"])
        execution = device.executions.get(arguments["jobId"])
        if execution is None:
            raise NotFoundError(f"Job {arguments['jobId']} was never given to {device.name}")
        details = {**execution.details, **({"reason": execution.reason} if execution.reason else {})}
        return {
            "execution": {
                "jobId": arguments["jobId"],
                "thingArn": self.fleet.thing_arn(device.name),
                **_summary(execution),
                **({"statusDetails": {"detailsMap": details}} if details else {}),
            }
        }

    def _create_provisioning_template(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        name = arguments["templateName"]
        if name in self.templates:
            raise AlreadyExistsError(f"Provisioning template {name} already exists")
        document = json.loads(arguments["templateBody"])
        if not {"Parameters", "Resources"} <= document.keys():
            raise InvalidRequestError("a template has Parameters and Resources")
        made = {
            "templateArn": f"arn:aws:iot:us-east-1:{ACCOUNT}:provisioningtemplate/{name}",
            "defaultVersionId": 1,
            "creationDate": datetime.now(timezone.utc),
            **{k: v for k, v in arguments.items() if k != "tags"},
        }
        self.templates[name] = made
        return {key: made[key] for key in ("templateArn", "templateName", "defaultVersionId")}

    def _describe_provisioning_template(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        if arguments["templateName"] not in self.templates:
            raise NotFoundError(f"Provisioning template {arguments['templateName']} not found")
        return self.templates[arguments["templateName"]]

    def _delete_provisioning_template(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        self.templates.pop(arguments["templateName"], None)
        return {}

    def _create_role_alias(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        name = arguments["roleAlias"]
        if name in self.role_aliases:
            raise AlreadyExistsError(f"Role alias {name} already exists")
        self.role_aliases[name] = {"roleAlias": name, "roleArn": arguments["roleArn"]}
        return {"roleAlias": name, "roleAliasArn": self._alias_arn(name)}

    def _describe_role_alias(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        if arguments["roleAlias"] not in self.role_aliases:
            raise NotFoundError(f"Role alias {arguments['roleAlias']} not found")
        found = self.role_aliases[arguments["roleAlias"]]
        return {"roleAliasDescription": {**found, "roleAliasArn": self._alias_arn(found["roleAlias"])}}

    def _delete_role_alias(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        self.role_aliases.pop(arguments["roleAlias"], None)
        return {}

    def _alias_arn(self, name: str) -> str:
        return self.fleet.thing_arn("").replace("thing/", f"rolealias/{name}")

    def _job_arn(self, job_id: str) -> str:
        return self.fleet.thing_arn("").replace("thing/", f"job/{job_id}")

    def _devices_work(self) -> None:
        if self._pace:
            self.fleet.work(self._pace)


_IOT: Final = frozenset(
    {
        "CreateJob",
        "DescribeJob",
        "CancelJob",
        "ListJobExecutionsForJob",
        "ListJobExecutionsForThing",
        "DescribeJobExecution",
        "CreateProvisioningTemplate",
        "CreateRoleAlias",
        "DeleteRoleAlias",
        "DescribeProvisioningTemplate",
        "DescribeRoleAlias",
        "DeleteProvisioningTemplate",
    }
)
"""Operations of AWS IoT that are here; all others are handed on."""


def _method(operation: str) -> str:
    return re.sub("([A-Z])", r"_\1", operation).lower()


def _core_device(name: str, *, healthy: bool) -> dict[str, Any]:
    return {
        "coreDeviceThingName": name,
        "status": "HEALTHY" if healthy else "UNHEALTHY",
        "lastStatusUpdateTimestamp": datetime.now(timezone.utc),
        "platform": "linux",
        "architecture": "aarch64",
        "runtime": "aws_nucleus_classic",
    }


def _summary(execution: Execution) -> dict[str, Any]:
    return {"status": execution.status, "lastUpdatedAt": execution.changed, "executionNumber": 1}


def _paged(key: str, items: list[dict[str, Any]], arguments: Mapping[str, Any]) -> dict[str, Any]:
    size = int(arguments.get("maxResults", _PAGE))
    start = int(arguments.get("nextToken", 0))
    page: dict[str, Any] = {key: items[start : start + size]}
    if start + size < len(items):
        page["nextToken"] = str(start + size)
    return page


def _handler(stand_in: StandIn) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _any(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length) if length else b""
            status, headers, data = stand_in.answer(self.command, self.path, dict(self.headers), body)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = _any  # noqa: N815 - the base class's names

        def log_message(self, *_: object) -> None:
            """Say nothing: tests read ``calls``."""

    return Handler
