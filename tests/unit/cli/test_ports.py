"""Where the page of a run is."""

import socket

from vedette.cli.ports import LOOPBACK, port_for_page


def test_any_port_is_left_to_each_start_of_the_display() -> None:
    assert port_for_page(0) > 0


def test_free_port_is_not_taken() -> None:
    wanted = port_for_page(0)
    assert port_for_page(wanted) == wanted


def test_busy_port_is_taken() -> None:
    with socket.socket() as other:
        other.bind((LOOPBACK, 0))
        other.listen()
        busy = other.getsockname()[1]
        found = port_for_page(busy)
        assert found != busy
        with socket.socket() as page:
            page.bind((LOOPBACK, found))


def test_last_port_of_all_is_busy() -> None:
    with socket.socket() as other:
        other.bind((LOOPBACK, 65535))
        other.listen()
        assert 0 < port_for_page(65535) < 65535
