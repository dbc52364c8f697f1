"""Kinesis Video Streams in one process: streams, endpoints, PutMedia with real Matroska and acknowledgements, GetMedia.

It refuses what the API reference says that the service refuses, and checks signatures as AWS does. Checked against
AWS's own producer (kvssink), which finds it by the environment variable ``CONTROL_PLANE_URI``.
"""

from vedette.cloud_stand_in.video.server import VideoStandIn
from vedette.cloud_stand_in.video.streams import StoredFragment, VideoStream

__all__ = ["StoredFragment", "VideoStandIn", "VideoStream"]
