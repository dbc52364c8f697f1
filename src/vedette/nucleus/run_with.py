"""``runWith``: as which user a component runs, and within which limits.

::

    {"posixUser": "ggc_user:ggc_group", "systemResourceLimits": {"memory": 512000, "cpus": 1.5}}    memory in kB

Source: the Java nucleus's ``KernelConfigResolver.updateRunWith``: what a deployment does not say of the user stays,
what it does not say of the limits goes; a component that it says nothing of keeps both.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["RunWith", "RunWithChange", "read_run_with"]


@dataclass(frozen=True)
class RunWith:
    """How a component runs. Empty or zero: as the nucleus's own user, without that limit."""

    posix_user: str = ""
    memory_kb: int = 0
    cpus: float = 0.0

    @property
    def limited(self) -> bool:
        """Whether there is a limit."""
        return bool(self.memory_kb or self.cpus)


@dataclass(frozen=True)
class RunWithChange:
    """What a deployment says of it. ``posix_user`` None: stays; empty: the nucleus's own user."""

    posix_user: str | None = None
    memory_kb: int = 0
    cpus: float = 0.0

    def applied(self, before: RunWith) -> RunWith:
        """Return what comes of it."""
        user = before.posix_user if self.posix_user is None else self.posix_user
        return RunWith(user, self.memory_kb, self.cpus)


def read_run_with(said: Mapping[str, Any]) -> RunWithChange:
    """Return what a document says.

    :raises ValueError: for a value of another kind than expected
    """
    user = said["posixUser"] or "" if "posixUser" in said else None
    if user is not None and not isinstance(user, str):
        raise ValueError("runWith/posixUser is no text")
    limits = said.get("systemResourceLimits") or {}
    if not isinstance(limits, Mapping):
        raise ValueError("runWith/systemResourceLimits is no object")  # noqa: TRY004 -- one kind of finding
    return RunWithChange(user, int(_number(limits, "memory")), _number(limits, "cpus"))


def _number(limits: Mapping[str, Any], key: str) -> float:
    value = limits.get(key)
    if value is None:
        return 0.0
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value <= 0:
        raise ValueError(f"runWith/systemResourceLimits/{key} is {value!r}, expected a number above 0")
    return float(value)
