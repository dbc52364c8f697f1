"""Names that NumPy had on the appliance (1.18 to 1.24) and has removed since, for applications written then.

Old ones fail in the middle of their work, long after their imports: ``np.float`` is in published trackers, ``np.Inf``
and ``np.float_`` are everywhere. NumPy's release notes name the replacement of each, which is what stands here; what is
there already is left alone.
"""

from typing import Any, Dict

import numpy as np


def _removed() -> Dict[str, Any]:
    return {
        # Removed in 1.24: plain Python's types by another name.
        "bool": bool,
        "complex": complex,
        "float": float,
        "int": int,
        "object": object,
        "str": str,
        # Removed in 1.23.
        "asscalar": lambda array: array.item(),
        # Removed in 2.0.
        "Inf": np.inf,
        "Infinity": np.inf,
        "NINF": -np.inf,
        "NaN": np.nan,
        "PINF": np.inf,
        "alltrue": np.all,
        "complex_": np.complex128,
        "cumproduct": np.cumprod,
        "float_": np.float64,
        "infty": np.inf,
        "product": np.prod,
        "round_": np.round,
        "row_stack": np.vstack,
        "sometrue": np.any,
        "string_": np.bytes_,
        "unicode_": np.str_,
    }


def restore() -> None:
    """Give NumPy back the names that it lacks."""
    for name, value in _removed().items():
        # Not hasattr(): NumPy 1.20 to 1.23 warns when an old name is looked at, and 1.24 explains that it is gone.
        if name not in vars(np) and not _still_there(name):
            setattr(np, name, value)


def _still_there(name: str) -> bool:
    """Tell whether NumPy answers for a name that is not in its module, as 1.20 to 1.23 do with a warning."""
    return name in getattr(np, "__deprecated_attrs__", {})
