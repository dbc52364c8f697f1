"""Bounded name look-up: ``getaddrinfo`` has no time-out of its own and waits as long as the resolver's settings say."""

import queue
import socket
import threading
from collections.abc import Callable
from typing import Any

from vedette.rtsp.errors import NameNotFound, Unreachable

Resolver = Callable[[str, int], list[tuple[Any, ...]]]


def _system_resolver(host: str, port: int) -> list[tuple[Any, ...]]:
    return list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))


def resolve(
    host: str, port: int, timeout_s: float, resolver: Resolver = _system_resolver
) -> list[tuple[socket.AddressFamily, tuple[Any, ...]]]:
    """Return the (family, socket address) pairs of ``host``, at least one.

    :raises NameNotFound: when the name is unknown.
    :raises Unreachable: when the look-up takes longer than ``timeout_s``; its thread is left to end by itself.
    """
    answers: queue.SimpleQueue[list[tuple[Any, ...]] | Exception] = queue.SimpleQueue()

    def look_up() -> None:
        try:
            answers.put(resolver(host, port))
        except (OSError, UnicodeError) as error:
            answers.put(error)

    threading.Thread(target=look_up, name="name-look-up", daemon=True).start()
    try:
        answer = answers.get(timeout=timeout_s)
    except queue.Empty as error:
        raise Unreachable(f"The look-up of the name {host} has not been answered for {timeout_s:g} s") from error
    if isinstance(answer, socket.gaierror) and answer.errno == socket.EAI_AGAIN:
        raise NameNotFound(f"Name {host} not found: no name server answers") from answer
    if isinstance(answer, Exception) or not answer:
        raise NameNotFound(f"Name {host} not found")
    return [(entry[0], entry[4]) for entry in answer]
