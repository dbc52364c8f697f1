"""A device's way to Kinesis Video Streams."""

import os

from vedette.aws_calls import AwsCaller, AwsError, CredentialsSource
from vedette.kinesis_video.upload import Connection

SERVICE = "kinesisvideo"


def region_of(configured: str) -> str:
    """Return the region of the streams: as configured, or the device's."""
    return configured or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"


def connect(region: str) -> Connection:
    """Return an upload's own connection, with the device's credentials; nothing is asked yet."""
    source = CredentialsSource()

    def expires_at() -> float | None:
        try:
            return source.get().expires_at
        except AwsError:
            return None

    return Connection(AwsCaller(SERVICE, region, source), expires_at)
