"""Status of the deployment that changes this device now, or that changed it last."""

from enum import Enum

from pydantic import Field

from vedette.messages.message import Message


class DeploymentState(str, Enum):
    """State of a deployment on this device."""

    QUEUED = "queued"
    IN_PROGRESS = "in-progress"
    DONE = "done"
    """It is over, and this device is not told how it ended."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"

    @property
    def under_way(self) -> bool:
        """Whether more is to come."""
        return self in {DeploymentState.QUEUED, DeploymentState.IN_PROGRESS}


class DeploymentStatus(Message):
    """What vedette.DeviceMonitor knows of a deployment."""

    deployment_id: str
    name: str = Field(default="", description="as its author called it; empty: not known on this device")
    state: DeploymentState
    since: float = Field(description="Unix time at which the state was heard of")
    detail: str = Field(default="", description="why it failed")

    @staticmethod
    def topic() -> str:
        """Topic of the status."""
        return "vedette/deployment/status"
