"""Names and versions of compiled components."""

import hashlib
import re
from typing import Final

_MAX_NAME: Final = 128
_NOT_ALLOWED: Final = re.compile(r"[^a-zA-Z0-9_.-]")
_PATCH_BITS: Final = 30
_MAX_NUMBER: Final = 999_999
_DIGITS: Final = 8


def application_component(instance: str) -> str:
    """Return the name of an application instance's component."""
    return _name("vedette.app.", instance)


def model_component(package: str, digest: str) -> str:
    """Return ``vedette.model.<PACKAGE>.<8 hex digits>``: a model package's component, named by its content.

    ``digest`` is the SHA-256 of all that the component is. A device holds one version of a component, so packages of
    one name and different content, of two projects or of two states of one project, have to be two components.
    """
    return _name("vedette.model.", f"{package}.{digest[:_DIGITS]}")


def component_version(package_version: str, digest: str) -> str:
    """Return ``<major>.<minor>.<patch>``: the package's version, and a patch number made of a SHA-256 of the content.

    Equal content gives an equal version. Patch numbers have no order: deployments name the version they mean. They stay
    below 2^30, because the Java nucleus reads them into 32 bits.
    """
    major, _, minor = package_version.partition(".")
    numbers = (min(int(part or 0), _MAX_NUMBER) for part in (major, minor))
    return f"{'.'.join(str(number) for number in numbers)}.{int(digest, 16) % (1 << _PATCH_BITS)}"


def _name(prefix: str, name: str) -> str:
    clean = prefix + _NOT_ALLOWED.sub("-", name)
    if clean == prefix + name and len(clean) <= _MAX_NAME:
        return clean
    # Another name would come out the same: the digest keeps them apart.
    digest = hashlib.sha256(name.encode()).hexdigest()[:_DIGITS]
    return f"{clean[: _MAX_NAME - 1 - _DIGITS]}-{digest}"
