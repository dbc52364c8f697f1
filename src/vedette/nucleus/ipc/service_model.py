"""Operations of the Greengrass IPC service model that this nucleus does not serve.

They are answered as the Java nucleus answers an operation whose plugin is not deployed. Source: awsiotsdk
``greengrasscoreipc/model.py``.
"""

from typing import Final

__all__ = ["UNSUPPORTED"]

UNSUPPORTED: Final = frozenset(
    {
        "AuthorizeClientDeviceAction",
        "CancelLocalDeployment",
        "CreateDebugPassword",
        "CreateLocalDeployment",
        "DeferComponentUpdate",
        "GetClientDeviceAuthToken",
        "GetComponentDetails",
        "GetLocalDeploymentStatus",
        "ListComponents",
        "ListLocalDeployments",
        "PauseComponent",
        "PublishToIoTCore",
        "PutComponentMetric",
        "RestartComponent",
        "ResumeComponent",
        "SendConfigurationValidityReport",
        "StopComponent",
        "SubscribeToCertificateUpdates",
        "SubscribeToComponentUpdates",
        "SubscribeToIoTCore",
        "SubscribeToIoTCoreConnectionStatus",
        "SubscribeToValidateConfigurationUpdates",
        "VerifyClientDeviceIdentity",
    }
)
