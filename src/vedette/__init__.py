"""Vedette: AWS Panorama applications, unmodified, on any AWS IoT Greengrass v2 device.

This package is what components share (``messages``, ``bus``, ``rings``, ``health``, ``documents``, ...) plus the
command line (``cli``) and the local nucleus (``nucleus``). Components import the shared parts only, never another
component, ``cli`` or ``nucleus``; ``tests/rules`` checks it.
"""

__version__ = "0.1.0"
