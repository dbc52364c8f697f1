"""Model calls between processes: tensors in shared memory, small packets over a Unix socket.

One server (a model in vedette.ModelInference), many clients (applications). The server makes each client a memory of
several slots, so that several threads call at once. The client writes its inputs into a slot and sends a call; the
server runs on views of that memory and answers where in the slot the outputs lie. From the call to the answer the
slot is the server's, before and after that the client's, so nothing is torn and nothing is copied on the way. Outputs
larger than the slot come in a memory of their own with the answer.

Standard library and Python 3.7 only, relative imports only: ``panoramasdk`` carries this package into applications.
"""

from .client import CallClient, FrameSource
from .errors import CallError, CallFailure, CallLost, CallTimeout
from .prepared import PreparedCall
from .repeated import RepeatedCall, Turn
from .result import CallResult
from .server import CallHandler, CallInput, CallOutcome, CallRefused, CallServer, CallStats
from .tensors import Description, FrameView, TensorBuffer, TensorSpec, TensorView

__all__ = [
    "CallClient",
    "CallError",
    "CallFailure",
    "CallHandler",
    "CallInput",
    "CallLost",
    "CallOutcome",
    "CallRefused",
    "CallResult",
    "CallServer",
    "CallStats",
    "CallTimeout",
    "Description",
    "FrameSource",
    "FrameView",
    "PreparedCall",
    "RepeatedCall",
    "TensorBuffer",
    "TensorSpec",
    "TensorView",
    "Turn",
]
