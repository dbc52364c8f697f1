"""What is known to break although the libraries' own metadata does not say so: a table of facts with their reasons."""

from dataclasses import dataclass
from typing import Final

from packaging.version import Version

_NUMPY_1: Final = "its wheels were built for NumPy 1 and fail on import, or at first use, under NumPy 2"


@dataclass(frozen=True)
class Break:
    """Releases of ``distribution`` below ``below`` work only with ``constraint``."""

    distribution: str
    below: str
    constraint: str
    reason: str

    def concerns(self, name: str, version: str) -> bool:
        """Whether this release of this distribution is one of those."""
        return name == self.distribution and Version(version) < Version(self.below)


KNOWN_BREAKS: Final = (
    # Measured: opencv-python 4.6.0.66 beside numpy 2.4: "numpy.core.multiarray failed to import".
    Break("opencv-python", "4.10.0.84", "numpy<2", _NUMPY_1),
    Break("opencv-python-headless", "4.10.0.84", "numpy<2", _NUMPY_1),
    Break("opencv-contrib-python", "4.10.0.84", "numpy<2", _NUMPY_1),
    Break("opencv-contrib-python-headless", "4.10.0.84", "numpy<2", _NUMPY_1),
    Break("pandas", "2.2.2", "numpy<2", _NUMPY_1),
    Break("scipy", "1.13.0", "numpy<2", _NUMPY_1),
    Break("scikit-learn", "1.4.2", "numpy<2", _NUMPY_1),
    Break("scikit-image", "0.23.0", "numpy<2", _NUMPY_1),
    Break("matplotlib", "3.8.4", "numpy<2", _NUMPY_1),
    Break("shapely", "2.0.4", "numpy<2", _NUMPY_1),
    Break("numba", "0.60.0", "numpy<2", _NUMPY_1),
    Break("torch", "2.3.0", "numpy<2", _NUMPY_1),
    Break("onnxruntime", "1.19.0", "numpy<2", _NUMPY_1),
    Break("onnxruntime-gpu", "1.19.0", "numpy<2", _NUMPY_1),
    Break("tensorflow", "2.18.0", "numpy<2", _NUMPY_1),
    Break("tflite-runtime", "9999", "numpy<2", f"{_NUMPY_1}; it stopped at 2.14"),
    Break(
        "onnx",
        "1.13.0",
        "protobuf<4",
        "its generated code is refused by protobuf 4 (Descriptors cannot be created directly)",
    ),
    Break("tensorflow", "2.12.0", "protobuf<4", "its generated code is refused by protobuf 4"),
    Break("flask", "2.2.5", "werkzeug<3", "it imports url_quote, which Werkzeug 3 took out"),
    Break("flask", "2.0.0", "jinja2<3.1", "it imports escape from Jinja2, which 3.1 took out"),
    Break("flask", "2.0.0", "itsdangerous<2.1", "it imports json from itsdangerous, which 2.1 took out"),
    Break("jinja2", "3.0.0", "markupsafe<2.1", "it imports soft_unicode, which MarkupSafe 2.1 took out"),
)

TAKEN_OUT: Final = {
    "tostring": ("numpy<2.3", "NumPy 2.3 took ndarray.tostring() out"),
    "itemset": ("numpy<2", "NumPy 2 took ndarray.itemset() out"),
    "newbyteorder": ("numpy<2", "NumPy 2 took ndarray.newbyteorder() out"),
    "ptp": ("numpy<2", "NumPy 2 took ndarray.ptp() out"),
    "panorama": (
        "botocore<1.44",
        "botocore 1.44 took the service panorama out, which an application's host stands in for",
    ),
}
"""What an application may call of its libraries, which no import tells of. (Functions of NumPy's module are brought
back by panoramasdk; methods of a type in C cannot be.)"""

MISSING_MODULES: Final = {
    "pkg_resources": "setuptools<81",
    "distutils": "setuptools<81",
    "asyncore": "pyasyncore",
    "asynchat": "pyasynchat",
    "cgi": "legacy-cgi",
    "telnetlib": "standard-telnetlib",
    "pipes": "standard-pipes",
    "imghdr": "standard-imghdr",
}
"""Modules that older Pythons and older virtual environments had, and what brings them back."""

BUILT_IN_IMAGES: Final = {"cv2": "opencv-python-headless"}
"""Modules that published Dockerfiles compile for hours, and the wheel that brings them without that."""

BUILT_FOR_HOURS: Final = (
    *("numpy", "scipy", "pandas", "scikit-learn", "scikit-image", "matplotlib", "torch", "torchvision", "tensorflow"),
    *("opencv-python", "opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless", "av"),
    *("onnx", "onnxruntime", "tflite-runtime", "h5py", "lxml", "grpcio", "cryptography", "numba", "llvmlite", "pyzmq"),
)
"""Never built from source on a device: each needs a compiler, libraries, and minutes to hours."""

HARDWARE: Final = (
    "libcuda",
    "libnvinfer",
    "libcudart",
    "libcudnn",
    "libnvidia",
    "CUDA driver",
    "no CUDA-capable",
    "/dev/nv",
)
"""In an import's error: the library is in order, the machine has no such device or the driver is not in sight."""

WITH_SCREEN: Final = {
    "opencv-python": "opencv-python-headless",
    "opencv-contrib-python": "opencv-contrib-python-headless",
}
"""Wheels that need libGL of a desktop, and the same releases of the same modules without."""


def constraints_for(resolved: dict[str, str]) -> list[Break]:
    """Return what a resolution (name -> version) needs beyond what its metadata says."""
    return [entry for entry in KNOWN_BREAKS for name, version in resolved.items() if entry.concerns(name, version)]
