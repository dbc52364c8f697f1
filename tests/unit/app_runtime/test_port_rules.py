"""Where an application's sockets are led, and the addresses that this is done with."""

import errno
import socket
import struct

import pytest
from vedette_app_runtime.network.addresses import Address, decode
from vedette_app_runtime.network.rules import Opened, PortRules, own_loopback

from vedette.application import PortRoute

ANY = Address(socket.AF_INET, "0.0.0.0", 80)
ANY6 = Address(socket.AF_INET6, "::", 80)
RULE = PortRoute(container_port=80, host_port=8080)


def test_a_rule_opens_another_port_than_its_own() -> None:
    rules = PortRules([RULE], "127.70.1.1")
    assert rules.bind_places(ANY) == [Address(socket.AF_INET, "0.0.0.0", 8080)]
    assert rules.bind_places(ANY6) == [Address(socket.AF_INET6, "::", 8080)]
    rules.bound(ANY, Address(socket.AF_INET, "0.0.0.0", 8080))
    assert rules.opened == {80: Opened(80, 8080)}
    # THEN the application finds its own server at its own port
    assert rules.connect_place(Address(socket.AF_INET, "127.0.0.1", 80)) == Address(socket.AF_INET, "127.0.0.1", 8080)
    assert rules.connect_place(Address(socket.AF_INET6, "::1", 80)) == Address(
        socket.AF_INET6, "::ffff:127.0.0.1", 8080
    )
    assert rules.refused(ANY, errno.EADDRINUSE) == Opened(80, 8080, errno.EADDRINUSE)


def test_a_rule_for_one_address_opens_the_port_at_all() -> None:
    rules = PortRules([PortRoute(container_port=80, host_port=8080, address="10.0.0.5")], "127.70.1.1")
    assert rules.bind_places(ANY) == [Address(socket.AF_INET, "10.0.0.5", 8080)]
    assert rules.bind_places(ANY6) == [Address(socket.AF_INET6, "::ffff:10.0.0.5", 8080)]


@pytest.mark.parametrize("host", ["0.0.0.0", "127.0.0.1", "192.168.0.7"])
def test_a_port_without_a_rule_is_open(host: str) -> None:
    rules = PortRules([RULE], "127.70.1.1")
    asked = Address(socket.AF_INET, host, 5555)
    assert rules.bind_places(asked) == [
        Address(socket.AF_INET, "127.70.1.1", 5555),
        Address(socket.AF_INET, "127.70.1.1", 0),
    ]
    assert not rules.may_listen(Address(socket.AF_INET, "0.0.0.0", 5555))
    rules.bound(asked, Address(socket.AF_INET, "127.70.1.1", 5555))
    assert rules.connect_place(Address(socket.AF_INET, "127.0.0.1", 5555)) == Address(
        socket.AF_INET, "127.70.1.1", 5555
    )
    assert rules.opened == {}


def test_a_server_for_the_application_alone_is_opened_by_a_rule() -> None:
    rules = PortRules([RULE], "127.70.1.1")
    assert rules.bind_places(Address(socket.AF_INET, "127.0.0.1", 80))[0].host == "127.70.1.1"


def test_the_second_socket_of_a_server_for_both_families_is_in_the_firsts_way() -> None:
    rules = PortRules([RULE], "127.70.1.1")
    for port, v4, v6 in ((443, ("127.70.1.1", 443), ("::ffff:127.70.1.1", 0)), (80, ("0.0.0.0", 8080), ("::", 8080))):
        assert rules.bind_places(Address(socket.AF_INET, "0.0.0.0", port))[0] == Address(socket.AF_INET, *v4)
        assert rules.bind_places(Address(socket.AF_INET6, "::", port), v6_only=True) == [Address(socket.AF_INET6, *v6)]
    at = Address(socket.AF_INET6, "::ffff:127.70.1.1", 40001)
    rules.bound(Address(socket.AF_INET, "0.0.0.0", 443), Address(socket.AF_INET, "127.70.1.1", 443))
    rules.bound(Address(socket.AF_INET6, "::", 443), at, v6_only=True)
    assert rules.connect_place(Address(socket.AF_INET6, "::1", 443)) == at
    assert rules.connect_place(Address(socket.AF_INET, "127.0.0.1", 443)) == Address(socket.AF_INET, "127.70.1.1", 443)


def test_connections_elsewhere_are_led_away() -> None:
    rules = PortRules([RULE], "127.70.1.1")
    for host in ("10.0.0.9", "127.0.0.53", "127.65.1.1"):
        assert rules.connect_place(Address(socket.AF_INET, host, 443)) is None
    assert rules.bind_places(Address(socket.AF_INET, "0.0.0.0", 0)) == [Address(socket.AF_INET, "0.0.0.0", 0)]
    # THEN what listens on the machine's own loopback is not the application's
    led = rules.connect_place(Address(socket.AF_INET, "127.0.0.1", 8790))
    assert led == Address(socket.AF_INET, "127.70.1.1", 8790)


def test_instances_share_a_loopback_address() -> None:
    addresses = {own_loopback(f"application-{number}") for number in range(200)}
    assert len(addresses) > 195
    assert own_loopback("a") == own_loopback("a")
    assert not any(address.startswith(("127.0.", "127.1.")) for address in addresses)


def test_an_address_in_memory_is_misread() -> None:
    v4 = struct.pack("=H", socket.AF_INET) + struct.pack("!H4s8x", 8080, socket.inet_aton("10.1.2.3"))
    assert decode(v4) == Address(socket.AF_INET, "10.1.2.3", 8080)
    packed = socket.inet_pton(socket.AF_INET6, "fe80::1")
    v6 = struct.pack("=H", socket.AF_INET6) + struct.pack("!HI16s", 443, 7, packed) + struct.pack("=I", 2)
    assert decode(v6) == Address(socket.AF_INET6, "fe80::1", 443, 7, 2)
    for data in (b"", b"\1", v4[:6], v6[:20], struct.pack("=H", socket.AF_UNIX) + b"/run/x\0"):
        assert decode(data) is None


@pytest.mark.parametrize(
    ("host", "error"),
    [
        ("169.254.169.254", errno.ENETUNREACH),
        ("::ffff:169.254.169.254", errno.ENETUNREACH),
        ("fd00:ec2::254", errno.ENETUNREACH),
        ("169.254.170.2", errno.ENETUNREACH),
        ("127.70.1.2", errno.ECONNREFUSED),
        ("127.70.1.1", 0),
        ("127.0.0.53", 0),
        ("169.254.169.123", 0),
        ("10.0.0.5", 0),
    ],
)
def test_credentials_of_the_device_or_other_applications_can_be_connected_to(host: str, error: int) -> None:
    rules = PortRules([], "127.70.1.1")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    assert rules.connect_error(Address(family, host, 80)) == error
