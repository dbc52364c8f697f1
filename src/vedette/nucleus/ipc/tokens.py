"""Which token belongs to which component (the ``SVCUID`` in a component's environment)."""

import base64
import secrets
import string
from collections.abc import Callable

__all__ = ["TokenRegistry"]

_ALPHABET = string.ascii_uppercase + string.digits
_LENGTH = 16
_LITE_BYTES = 12


class TokenRegistry:
    """One valid token a component, in memory only: 16 upper-case characters as the Java nucleus makes them."""

    def __init__(self, on_revoked: Callable[[str], None] = lambda _component: None, *, lite: bool = False) -> None:
        """Begin without tokens.

        :param on_revoked: called with a component's name when its token ceases to be valid
        :param lite: make tokens as nucleus lite does, 16 characters of base64 (``/`` and ``+`` among them)
        """
        self._lite = lite
        self._components: dict[str, str] = {}
        self._tokens: dict[str, str] = {}
        self._on_revoked = on_revoked

    def issue(self, component: str) -> str:
        """Return a new token; an earlier one of the component is revoked, so a process left over is cut off."""
        self.revoke(component)
        token = (
            base64.b64encode(secrets.token_bytes(_LITE_BYTES)).decode()
            if self._lite
            else "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))
        )
        self._components[token] = component
        self._tokens[component] = token
        return token

    def revoke(self, component: str) -> None:
        """Make the component's token invalid and close its connections. Nothing happens when it has none."""
        token = self._tokens.pop(component, None)
        if token is None:
            return
        del self._components[token]
        self._on_revoked(component)

    def component(self, token: str) -> str | None:
        """Return the component that a token belongs to, None for a token that is not valid."""
        return self._components.get(token)

    def __repr__(self) -> str:
        return f"<TokenRegistry of {len(self._tokens)} components>"
