"""How long a camera's main stream is kept open for an application that has asked for a frame of it."""

import socket
from collections.abc import Iterator

import pytest
from vedette_app_runtime.sessions import MAIN_KEPT_S, Session, mains_wanted


@pytest.fixture
def session() -> Iterator[Session]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield Session(ours, 1)


def test_a_main_stream_stays_open_for_ever_or_closes_under_who_asks(session: Session) -> None:
    session.mains_wanted = {0: 100.0, 2: 105.0}
    assert mains_wanted([session], 100.0 + MAIN_KEPT_S - 0.1) == {0, 2}
    assert mains_wanted([session], 100.0 + MAIN_KEPT_S) == {2}
    assert mains_wanted([session], 105.0 + MAIN_KEPT_S) == set()
    assert session.mains_wanted == {}


def test_the_wish_of_one_process_ends_that_of_another(session: Session) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        other = Session(ours, 2)
        session.mains_wanted, other.mains_wanted = {0: 100.0}, {0: 50.0, 1: 101.0}
        assert mains_wanted([session, other], 102.0) == {0, 1}
