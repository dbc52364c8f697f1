"""Takes credentials out of anything that is about to be shown, logged or sent.

Camera URLs are the one place where users write passwords, so every URL passes through here before it reaches a log
line, an error, a topic or a page.
"""

import re
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

# The greedy user-info part: passwords in the field contain '@' and '/', which RFC 3986 forbids there.
# The look-behind keeps a long word without a URL from being tried at each of its letters.
_CREDENTIALS = re.compile(r"(?<![A-Za-z0-9+.-])(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)(?P<userinfo>[^\s\"'<>]*@)")


def redact(text: str) -> str:
    """Return ``text`` with the user-info part of every URL in it replaced by ``***@``."""
    return _CREDENTIALS.sub(lambda match: f"{match['scheme']}***@", text)


def split_credentials(url: str) -> "tuple[str, str | None, str | None]":
    """Split a URL into (URL without user and password, user, password); the last two decoded, or None.

    The last ``@`` of the authority ends the user-info, as browsers read it, so ``rtsp://u:p@ss@host/`` gives ``p@ss``.
    """
    parts = urlsplit(url)
    userinfo, at, host = parts.netloc.rpartition("@")
    if not at:
        return url, None, None
    user, colon, password = userinfo.partition(":")
    clean = urlunsplit(SplitResult(parts.scheme, host, parts.path, parts.query, parts.fragment))
    return clean, unquote(user), unquote(password) if colon else None
