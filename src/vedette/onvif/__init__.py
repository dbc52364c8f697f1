"""ONVIF as far as finding a camera and its streams goes: WS-Discovery, device and media services.

:func:`discover` hears which cameras are in the networks of this machine; :func:`streams_of` asks one of them for its
profiles and their RTSP addresses; :func:`select` chooses among them. Codecs (``envelope``, ``matches``) do no I/O.
"""

from vedette.onvif.camera import CameraDescription, StreamProfile, streams_of
from vedette.onvif.discovery import discover
from vedette.onvif.errors import LoginNeeded, NotOnvif, OnvifError, OnvifLoginRefused, OnvifUnreachable
from vedette.onvif.matches import Found
from vedette.onvif.selection import USUAL_MODEL, Selection, select

__all__ = [
    "USUAL_MODEL",
    "CameraDescription",
    "Found",
    "LoginNeeded",
    "NotOnvif",
    "OnvifError",
    "OnvifLoginRefused",
    "OnvifUnreachable",
    "Selection",
    "StreamProfile",
    "discover",
    "select",
    "streams_of",
]
