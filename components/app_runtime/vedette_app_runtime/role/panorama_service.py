"""What AWS Panorama's service told an application of itself: the two calls that community code makes for it.

An appliance gave an application ``AppGraph_Uid`` and nothing else, so libraries (backpack's AutoIdentity) look their
instance up by ``panorama:ListApplicationInstances``. The service ended on 2026-05-31; SDKs of AWS that know
``AWS_ENDPOINT_URL_PANORAMA`` (boto3 since 1.28) are led here instead. Shapes: AWS's service model, panorama 2019-07-24.
"""

from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote

_INSTANCES: Final = "/application-instances"


@dataclass(frozen=True)
class Identity:
    """One instance of an application on one device."""

    instance: str
    name: str
    """Of the application."""
    device: str
    """The device's thing; empty where there is none."""
    since: float
    """When its host was started, Unix time."""

    def document(self) -> dict[str, Any]:
        """Return what the service says of an instance."""
        return {
            "ApplicationInstanceId": self.instance,
            "Name": self.name,
            "Description": "",
            "DefaultRuntimeContextDevice": self.device,
            "DefaultRuntimeContextDeviceName": self.device,
            "Status": "DEPLOYMENT_SUCCEEDED",
            "HealthStatus": "RUNNING",
            "CreatedTime": self.since,
            "Tags": {},
        }


def answer(path: str, identity: Identity) -> tuple[int, dict[str, Any]] | None:
    """Return status and document of a GET of ``path``; None when it is no call of this service."""
    if path == _INSTANCES:
        return 200, {"ApplicationInstances": [identity.document()]}
    if path.startswith(f"{_INSTANCES}/"):
        wanted = unquote(path.removeprefix(f"{_INSTANCES}/"))
        if wanted == identity.instance:
            return 200, identity.document()
        message = f"{wanted} is another instance than {identity.instance}, which may ask for itself alone"
        return 404, {"Message": message, "ResourceId": wanted, "ResourceType": "ApplicationInstance"}
    return None
