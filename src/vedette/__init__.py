"""Vedette: AWS Panorama applications, unmodified, on any AWS IoT Greengrass v2 device.

This package is what components share (``messages``, ``bus``, ``rings``, ``health``, ``documents``, ...) plus the
command line (``cli``) and the local nucleus (``nucleus``). Components import the shared parts only, never another
component, ``cli`` or ``nucleus``; ``tests/rules`` checks it.
"""

import os

# onnxruntime 1.32 and newer report their use to Microsoft unless this is set before they are loaded. Nothing may
# leave a device but what its owner sends, and every process of Vedette imports this package first.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__version__ = "0.1.0"
