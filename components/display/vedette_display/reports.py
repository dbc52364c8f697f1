"""``/api``: the health document, the charts' figures and applications' logs, as JSON and text."""

import json
import os
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final

from vedette_display.application_log import APPLICATION, CONSOLE, ComponentLogs, LogError
from vedette_display.board import Board
from vedette_display.history import History
from vedette_display.recordings import Shelf
from vedette_display.request import HttpError, Request, Response, part_of

MOST_LISTED: Final = 200
MOST_DOWNLOAD_PARTS: Final = 48
"""Of 256 kB each: a console has 10 MB at most."""


class Reports:
    """Answers requests below ``/api/``. Blocking where it reads files: to be called off the event loop."""

    def __init__(self, board: Board, history: History, logs: ComponentLogs, shelf: Shelf | None = None) -> None:
        self._board = board
        self._history = history
        self._logs = logs
        self._shelf = shelf

    def health(self) -> Response:
        """Return the health document."""
        return Response(HTTPStatus.OK, "application/json", self._board.document().to_json().encode())

    def history(self, request: Request) -> Response:
        """Return figures: ``?kind=camera|application|model|output&name=<id>&since=<number>``.

        :raises HttpError: when the subject is not known.
        """
        kind, name = request.query.get("kind", ""), request.query.get("name", "")
        found = self._history.read(kind, name, _number(request, "since") or 0)
        if found is None:
            raise HttpError(HTTPStatus.NOT_FOUND, f"Nothing is known of {kind or 'a subject'} {name[:80]!r}.")
        return _json(found)

    def log(self, request: Request) -> Response:
        """Return lines: ``?instance=<name>&file=<name>&after=<byte>``; without ``after`` the last
        ones, without ``file`` of the console, or of the first file there is. ``component=<name>`` instead of
        ``instance``: the events of one that is no application.

        :raises HttpError: when there is no such log.
        """
        component = self._component(request)
        files = _or_not_found(lambda: self._logs.files(component))
        # Many applications print nothing and write their own file.
        name = request.query.get("file") or files[0].name
        part = _or_not_found(lambda: self._logs.read(component, name, _number(request, "after")))
        return _json({"files": [file._asdict() for file in files], "file": name, **part._asdict()})

    def log_text(self, request: Request) -> Response:
        """Return a whole log as a file to save.

        :raises HttpError: when there is no such log.
        """
        component, name = self._component(request), request.query.get("file", CONSOLE)
        lines: list[str] = []
        after = 0
        for _ in range(MOST_DOWNLOAD_PARTS):
            start = after
            part = _or_not_found(lambda start=start: self._logs.read(component, name, start))  # type: ignore[misc]
            lines += part.lines
            if part.next == after:
                break
            after = part.next
        safe = "".join(
            char if char.isalnum() or char in "-_." else "-" for char in f"{component.removeprefix(APPLICATION)}-{name}"
        )
        body = "".join(f"{line}\n" for line in lines).encode()
        save = ("Content-Disposition", f'attachment; filename="{safe}.log"')
        return Response(HTTPStatus.OK, "text/plain; charset=utf-8", body, (save,))

    def recordings(self, request: Request) -> Response:
        """Return the recordings, the newest first: ``?instance=<name>`` for one application's alone.

        ``bytes`` is what all of them take, ``most_bytes`` what they may.
        """
        instance = request.query.get("instance")
        found = [] if self._shelf is None else self._shelf.list()
        listed = [recording._asdict() for recording in found if instance in (None, recording.instance)]
        room = {"bytes": sum(each.size for each in found), "most_bytes": self._shelf.most_bytes if self._shelf else 0}
        return _json({"recording": self._shelf is not None, **room, "recordings": listed[:MOST_LISTED]})

    def recording(self, name: str, request: Request) -> Response:
        """Return one file of a recording, or the part of it that ``Range`` asks for: players jump in it.

        :raises HttpError: when there is none of that name, or not so much of it.
        """
        path = None if self._shelf is None else self._shelf.read(name)
        if path is None:
            raise HttpError(HTTPStatus.NOT_FOUND, f"There is no recording {name[:120]!r}.")
        kind = "video/mp4" if path.suffix == ".mp4" else "application/json"
        save = ("Content-Disposition", f'inline; filename="{path.name}"')
        ranges = ("Accept-Ranges", "bytes")
        try:
            with path.open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                part = part_of(request, size)
                if part is None:
                    return Response(HTTPStatus.OK, kind, file.read(size), (save, ranges))
                file.seek(part.start)
                told = ("Content-Range", f"bytes {part.start}-{part.stop - 1}/{size}")
                return Response(HTTPStatus.PARTIAL_CONTENT, kind, file.read(len(part)), (save, ranges, told))
        except OSError as error:
            raise HttpError(HTTPStatus.NOT_FOUND, f"Recording {name[:120]!r} has made room for newer ones.") from error

    def logs(self) -> Response:
        """Return whose logs there are beside the applications'."""
        return _json({"components": self._logs.components()})

    def _component(self, request: Request) -> str:
        """Return the component whose log is asked for."""
        component = request.query.get("component")
        if component is not None:
            known = self._logs.components()
            if component not in known:
                listed = ", ".join(known) if known else "none"
                raise HttpError(HTTPStatus.NOT_FOUND, f"{component[:80]!r} logs nothing here. Components: {listed}.")
            return component
        instance = request.query.get("instance", "")
        known = [application.instance for application in self._board.document().applications]
        if instance not in known:
            listed = ", ".join(known) if known else "none"
            raise HttpError(
                HTTPStatus.NOT_FOUND, f"There is no application {instance[:80]!r}. Applications now: {listed}."
            )
        return APPLICATION + instance


def _or_not_found(read: "Callable[[], Any]") -> Any:
    try:
        return read()
    except LogError as error:
        raise HttpError(HTTPStatus.NOT_FOUND, f"{error}.") from error


def _number(request: Request, name: str) -> int | None:
    text = request.query.get(name)
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        raise HttpError(HTTPStatus.BAD_REQUEST, f"{name} is {text[:40]!r}, expected a whole number.")
    return int(text)


def _json(data: object) -> Response:
    return Response(HTTPStatus.OK, "application/json", json.dumps(data, separators=(",", ":")).encode())
