"""A camera's coded pictures, as it sent them, from its worker to whoever on this device passes them on.

Beside its ring each worker has a second socket: who connects gets every coded picture from the next key frame on.
Nothing is decoded or encoded for it, and nothing is done while nobody is connected. Standard library only: workers are
small.
"""

from vedette.coded_video.offer import CodedOffer
from vedette.coded_video.reader import CodedReader, CodedVideoError
from vedette.coded_video.wire import CODECS, Coded

__all__ = ["CODECS", "Coded", "CodedOffer", "CodedReader", "CodedVideoError"]
