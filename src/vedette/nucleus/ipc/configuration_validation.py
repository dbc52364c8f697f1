"""Components that check their new configuration before a deployment sets it.

Source: the Java nucleus's ``DynamicComponentConfigurationValidator.java``: no answer in time fails the deployment.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

from vedette.nucleus.errors import ConfigurationRejectedError
from vedette.nucleus.ipc.call import Call, EventStream, Operation
from vedette.nucleus.ipc.errors import InvalidArgumentsError
from vedette.nucleus.ipc.protocol import to_json
from vedette.nucleus.ipc.requests import mapping, text

__all__ = ["ConfigurationValidation"]


class ConfigurationValidation:
    """Subscriptions of components that validate, and their reports. Belongs to the event loop's thread."""

    def __init__(self) -> None:
        self._streams: dict[str, EventStream] = {}
        self._reports: dict[tuple[str, str], asyncio.Future[tuple[str, str]]] = {}

    def operations(self) -> Mapping[str, Operation]:
        """Return SubscribeToValidateConfigurationUpdates and SendConfigurationValidityReport."""
        return {
            "SubscribeToValidateConfigurationUpdates": Operation(
                self._subscribe, event_shape="ValidateConfigurationUpdateEvents"
            ),
            "SendConfigurationValidityReport": Operation(self._report),
        }

    async def validate(self, deployment_id: str, proposed: Mapping[str, Mapping[str, Any]], timeout_s: float) -> None:
        """Ask every component that validates about its ``proposed`` configuration (by component).

        :raises ConfigurationRejectedError: if one rejects it, or does not answer in time; names all of them
        """
        asked = {name: self._streams[name] for name in proposed if name in self._streams}
        if not asked:
            return
        loop = asyncio.get_running_loop()
        reports = {name: loop.create_future() for name in asked}
        self._reports = {(name, deployment_id): report for name, report in reports.items()}
        for name, stream in asked.items():
            event = {"configuration": proposed[name], "deploymentId": deployment_id}
            stream.send(to_json({"validateConfigurationUpdateEvent": event}))
        try:
            await asyncio.wait(reports.values(), timeout=timeout_s)
        finally:
            self._reports = {}
        findings = []
        for name, report in reports.items():
            if not report.done() or report.cancelled():
                findings.append(f"{name} did not say within {timeout_s:g} s whether its new configuration is valid")
            elif report.result()[0] == "REJECTED":
                findings.append(f"{name} rejects its new configuration: {report.result()[1] or 'it gave no reason'}")
        if findings:
            raise ConfigurationRejectedError(*findings)

    def _subscribe(self, call: Call) -> dict[str, Any]:
        # The first subscription of a component stays the one that is asked, as there.
        self._streams.setdefault(call.component, call.stream)
        call.stream.on_close(lambda: self._unsubscribe(call.component, call.stream))
        return {}

    def _unsubscribe(self, component: str, stream: EventStream) -> None:
        if self._streams.get(component) is stream:
            del self._streams[component]
            for (name, _), report in self._reports.items():
                if name == component:
                    report.cancel()

    def _report(self, call: Call) -> dict[str, Any]:
        report = mapping(call.request, "configurationValidityReport") or {}
        deployment_id = text(report, "deploymentId")
        if deployment_id is None:
            raise InvalidArgumentsError(
                "Cannot accept configuration validity report, the deployment ID provided was null"
            )
        waiting = self._reports.get((call.component, deployment_id))
        if waiting is None or waiting.done():
            raise InvalidArgumentsError("Validation request either timed out or was never made")
        waiting.set_result((text(report, "status") or "", text(report, "message") or ""))
        return {}
