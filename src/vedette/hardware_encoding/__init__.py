"""H.264 encoders in hardware: which this device has, whether they work, and encoding by them.

``ways``: the table of them; ``process``: one encoder in a process of its own, by libav (``libav``) or GStreamer
(``gstreamer``); ``proof``: whether one works. Used by vedette.Display and ``vedette doctor``.
"""

from vedette.hardware_encoding.coded import Coded
from vedette.hardware_encoding.process import EncoderFailed, EncoderProcess
from vedette.hardware_encoding.proof import Finding, find, prove
from vedette.hardware_encoding.ways import WAYS, Carrier, Way, candidates, way_of

__all__ = [
    "WAYS",
    "Carrier",
    "Coded",
    "EncoderFailed",
    "EncoderProcess",
    "Finding",
    "Way",
    "candidates",
    "find",
    "prove",
    "way_of",
]
