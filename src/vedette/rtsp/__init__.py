"""RTSP as a client: asking a camera what it offers, and playing it.

:func:`probe` asks, :func:`play` plays and gives coded pictures; both have a class of error for every cause. All modules
but ``connection``, ``dialogue``, ``resolution``, ``client``, ``links`` and ``player`` are codecs without I/O.
"""

from vedette.rtsp.address import Address
from vedette.rtsp.client import ProbeResult, probe
from vedette.rtsp.coded_picture import CodedPicture
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
    TransportRefused,
    Unreachable,
)
from vedette.rtsp.player import Player, play
from vedette.rtsp.sdp import Media, Session

__all__ = [
    "Address",
    "AddressError",
    "AnswerRefused",
    "Busy",
    "CodedPicture",
    "ConnectionClosed",
    "LoginRefused",
    "Media",
    "NameNotFound",
    "NoVideo",
    "NotRtsp",
    "PasswordNeeded",
    "Player",
    "PortRefused",
    "ProbeError",
    "ProbeResult",
    "RtspError",
    "Session",
    "StreamNotFound",
    "TlsFailed",
    "TransportRefused",
    "Unreachable",
    "play",
    "probe",
]
