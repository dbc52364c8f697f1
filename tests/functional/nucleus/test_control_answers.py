"""What asks a running instance gets an error of its own for every answer that is none."""

import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from vedette.nucleus.control import follow, request
from vedette.nucleus.errors import ControlError

Ask = Callable[[Path], object]


@pytest.fixture
def answering() -> Iterator[Callable[[bytes], Path]]:
    """Return what serves one connection with given bytes."""
    with tempfile.TemporaryDirectory(prefix="vca-", dir="/tmp") as folder:
        threads = []

        def serve(answer: bytes) -> Path:
            path = Path(folder) / "control.sock"
            listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            listener.bind(str(path))
            listener.listen()

            def run() -> None:
                connection, _ = listener.accept()
                with listener, connection, connection.makefile("rb") as asked:
                    asked.readline()
                    connection.sendall(answer)

            threads.append(threading.Thread(target=run))
            threads[-1].start()
            return path

        yield serve
        for thread in threads:
            thread.join(20)


@pytest.mark.parametrize("ask", [lambda path: request(path, "x"), lambda path: list(follow(path, "x"))])
@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"nonsense\n", "gave no proper answer: b'nonsense"),
        (b"[1]\n", "gave no proper answer"),
        (b'{"ok": true}\n', "gave no proper answer"),
        (b'{"ok": false, "error": "not now"}\n', "not now"),
        (b"", "gave no proper answer|it ended"),
    ],
)
def test_an_answer_that_is_none_ends_in_a_traceback(
    answering: Callable[[bytes], Path], ask: Ask, answer: bytes, said: str
) -> None:
    path = answering(answer)
    with pytest.raises(ControlError, match=said):
        ask(path)


def test_nobody_there_ends_in_a_traceback(tmp_path: Path) -> None:
    for ask in (request, lambda *given: list(follow(*given))):
        with pytest.raises(ControlError, match="does not answer: No such file or directory"):
            ask(tmp_path / "none.sock", "x")


def test_what_follows_is_lost(answering: Callable[[bytes], Path]) -> None:
    path = answering(b'{"ok": true, "result": null}\n{"n": 1}\n{"n": 2}\n')
    assert list(follow(path, "x")) == [{"n": 1}, {"n": 2}]
