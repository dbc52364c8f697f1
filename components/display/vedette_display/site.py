"""The page's files, read once into memory."""

import hashlib
from http import HTTPStatus
from pathlib import Path
from typing import Final

from vedette_display.request import HttpError, Request, Response

PAGE: Final = Path(__file__).parent / "page"
_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


class Site:
    """Serves the files of ``folder``; there is no way out of it, since only what was read at the start is known."""

    def __init__(self, folder: Path = PAGE) -> None:
        self._files = {
            f"/{path.name}": (_TYPES[path.suffix], path.read_bytes())
            for path in sorted(folder.iterdir())
            if path.suffix in _TYPES
        }
        self._files["/"] = self._files["/index.html"]
        self._etags = {path: f'"{hashlib.sha256(body).hexdigest()[:16]}"' for path, (_, body) in self._files.items()}

    def respond(self, request: Request) -> Response:
        """Return a file, or 304 when the browser has it.

        :raises HttpError: when there is no such file.
        """
        if request.path not in self._files:
            raise HttpError(HTTPStatus.NOT_FOUND, "There is no such page. The page of this device is at /.")
        content_type, body = self._files[request.path]
        headers = (("Cache-Control", "no-cache"), ("ETag", self._etags[request.path]))
        if request.headers.get("if-none-match") == self._etags[request.path]:
            return Response(HTTPStatus.NOT_MODIFIED, content_type, b"", headers)
        return Response(HTTPStatus.OK, content_type, body, headers)
