"""The AWS Panorama Application SDK, as Vedette provides it.

An application is a ``node``: it gets ``media`` (frames) and parameters from its input ``port`` objects, calls models,
adds labels and rectangles, and puts media on its output ports. Nothing but Python 3.7 and numpy 1.18 is needed, since
applications bring their own, old libraries.
"""

from ._errors import TimeoutException
from ._media import media
from ._node import node
from ._numpy_names import restore
from ._ports import port

restore()

__all__ = ["TimeoutException", "media", "node", "port"]
