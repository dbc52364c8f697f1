"""The filters of system calls, run by an interpreter of filters: machines that are not here are judged as well."""

import errno
import struct

import pytest
from vedette_app_runtime.network.seccomp import filter_program
from vedette_app_runtime.system_calls.denied import denied_program

_I386, _ARM = 0x40000003, 0x40000028
_X86_64, _AARCH64 = 0xC000003E, 0xC00000B7
_FASTOPEN = 0x20000000
_NEWUSER, _THREAD = 0x10000000, 0x003D0F00

_WORDS = {0x7FFF0000: "allow", 0x7FC00000: "notify"}
Asked = tuple[int, ...]
"""Number of the call, then its arguments."""


def _verdict(program: bytes, architecture: int, asked: Asked) -> str:
    number, *given = asked
    data = struct.pack("=iIQ6Q", number, architecture, 0, *given, *[0] * (6 - len(given)))
    instructions = list(struct.iter_unpack("=HBBI", program))
    at, accumulator = 0, 0
    while True:
        code, jump_true, jump_false, value = instructions[at]
        at += 1
        if code == 0x06:
            return _WORDS.get(value) or errno.errorcode[value & 0xFFFF]
        if code == 0x20:
            (accumulator,) = struct.unpack_from("=I", data, value)
        elif code == 0x05:
            at += value
        else:
            true = {0x15: accumulator == value, 0x35: accumulator >= value, 0x45: bool(accumulator & value)}[code]
            at += jump_true if true else jump_false


@pytest.mark.parametrize(
    ("machine", "architecture", "verdicts"),
    [
        ("x86_64", _X86_64, {(49,): "notify", (42,): "notify", (50,): "notify", (0,): "allow", (425,): "ENOSYS"}),
        ("x86_64", _X86_64, {(1 << 30,): "ENOSYS", (44, 3, 0, 0, _FASTOPEN): "ENOTSUP", (44, 3, 0, 0, 1): "allow"}),
        ("x86_64", _X86_64, {(46, 3, 0, _FASTOPEN): "ENOTSUP", (46, 3, _FASTOPEN, 0): "allow"}),
        ("x86_64", _X86_64, {(307, 3, 0, 1, _FASTOPEN): "ENOTSUP", (307, 3, 0, 1, 0): "allow"}),
        ("x86_64", _I386, {(361,): "ENOSYS", (102,): "ENOSYS", (425,): "ENOSYS", (3,): "allow"}),
        ("aarch64", _AARCH64, {(200,): "notify", (203,): "notify", (201,): "notify", (63,): "allow", (425,): "ENOSYS"}),
        ("aarch64", _AARCH64, {(206, 3, 0, 0, _FASTOPEN): "ENOTSUP", (211, 3, 0, _FASTOPEN): "ENOTSUP"}),
        ("aarch64", _ARM, {(282,): "ENOSYS", (283,): "ENOSYS", (284,): "ENOSYS", (3,): "allow"}),
    ],
)
def test_a_call_passes_by_the_guard_of_ports(machine: str, architecture: int, verdicts: dict[Asked, str]) -> None:
    program = filter_program(machine)
    assert {asked: _verdict(program, architecture, asked) for asked in verdicts} == verdicts


@pytest.mark.parametrize(
    ("machine", "architecture", "verdicts"),
    [
        ("x86_64", _X86_64, {(272, _NEWUSER): "EPERM", (56, _NEWUSER): "EPERM", (56, _THREAD): "allow"}),
        ("x86_64", _X86_64, {(435,): "ENOSYS", (165,): "EPERM", (321,): "EPERM", (425,): "ENOSYS", (1,): "allow"}),
        ("x86_64", _X86_64, {(16, 0, 0x5412): "EPERM", (16, 0, 0x100005412): "EPERM", (16, 0, 0x5413): "allow"}),
        ("x86_64", _X86_64, {(16, 0, 0x541C): "EPERM", (41, 40): "EAFNOSUPPORT", (41, 2): "allow"}),
        ("x86_64", _X86_64, {(1 << 30 | 272,): "ENOSYS"}),
        ("x86_64", _I386, {(310,): "EPERM", (120, _NEWUSER): "EPERM", (54, 0, 0x5412): "EPERM", (4,): "allow"}),
        ("aarch64", _AARCH64, {(97,): "EPERM", (220, _NEWUSER): "EPERM", (220, _THREAD): "allow", (435,): "ENOSYS"}),
        ("aarch64", _AARCH64, {(29, 0, 0x5412): "EPERM", (198, 40): "EAFNOSUPPORT", (64,): "allow"}),
        ("aarch64", _ARM, {(337,): "EPERM", (311,): "EPERM", (4,): "allow"}),
    ],
)
def test_a_call_of_those_who_set_up_machines_passes(
    machine: str, architecture: int, verdicts: dict[Asked, str]
) -> None:
    program = denied_program(machine)
    assert {asked: _verdict(program, architecture, asked) for asked in verdicts} == verdicts
