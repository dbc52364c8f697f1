"""RTSP as far as Vedette speaks it itself: asking a camera what it offers, before libav plays it.

``message``, ``authentication`` and ``sdp`` are codecs without I/O; :func:`probe` asks over the network and separates
the causes that libav reports alike.
"""

from vedette.rtsp.address import Address
from vedette.rtsp.client import ProbeResult, probe
from vedette.rtsp.errors import (
    AddressError,
    AnswerRefused,
    Busy,
    ConnectionClosed,
    LoginRefused,
    NameNotFound,
    NotRtsp,
    NoVideo,
    PasswordNeeded,
    PortRefused,
    ProbeError,
    RtspError,
    StreamNotFound,
    TlsFailed,
    Unreachable,
)
from vedette.rtsp.sdp import Media, Session

__all__ = [
    "Address",
    "AddressError",
    "AnswerRefused",
    "Busy",
    "ConnectionClosed",
    "LoginRefused",
    "Media",
    "NameNotFound",
    "NoVideo",
    "NotRtsp",
    "PasswordNeeded",
    "PortRefused",
    "ProbeError",
    "ProbeResult",
    "RtspError",
    "Session",
    "StreamNotFound",
    "TlsFailed",
    "Unreachable",
    "probe",
]
