"""From rules to the instructions of a filter.

Jumps of a filter reach 255 instructions forward, so each rule is a block of its own that falls through to the next.
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

ALLOW: Final = 0x7FFF0000
NOTIFY: Final = 0x7FC00000
"""Ask whoever holds the listener."""

ARCHITECTURES: Final[Mapping[str, int]] = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

_X32: Final = 0x40000000
"""x86_64 has a second set of the same calls, for programs of 32 bits, from this number on."""
_LOAD_WORD: Final = 0x20
_JUMP: Final = 0x05
_JUMP_EQUAL: Final = 0x15
_JUMP_GREATER_EQUAL: Final = 0x35
_JUMP_ANY_BIT: Final = 0x45
_RETURN: Final = 0x06
_NUMBER: Final = 0
_ARCHITECTURE: Final = 4
_ARGUMENTS: Final = 16
_TESTS: Final = {"equal": _JUMP_EQUAL, "any bit": _JUMP_ANY_BIT}

_Instruction = tuple[int, int, int, int]


def refuse(error: int) -> int:
    """Return the action that answers a call with this error number."""
    return 0x00050000 | error


@dataclass(frozen=True)
class Rule:
    """What becomes of one call; of several rules for a call the first one whose test holds counts."""

    number: int
    action: int
    argument: int | None = None
    """Number of the argument that is tested, its low 32 bits; None: the call as such."""
    test: Literal["equal", "any bit"] = "equal"
    value: int = 0


def assemble(machine: str, own: Sequence[Rule], foreign: Sequence[Rule], unknown_set: int) -> bytes:
    """Return a filter that allows what no rule is about.

    :param own: rules for the machine's own calls
    :param foreign: rules for those of its 32-bit relative (i386, arm), which the processor may run as well
    :param unknown_set: action for the calls of x86_64's second set
    :raises KeyError: for a machine that is not supported
    """
    native = [(_LOAD_WORD, 0, 0, _NUMBER)]
    if machine == "x86_64":
        native += [(_JUMP_GREATER_EQUAL, 0, 1, _X32), (_RETURN, 0, 0, unknown_set)]
    native += [*_blocks(own), (_RETURN, 0, 0, ALLOW)]
    other = [(_LOAD_WORD, 0, 0, _NUMBER), *_blocks(foreign), (_RETURN, 0, 0, ALLOW)]
    head = [
        (_LOAD_WORD, 0, 0, _ARCHITECTURE),
        (_JUMP_EQUAL, 1, 0, ARCHITECTURES[machine]),
        (_JUMP, 0, 0, len(native)),
    ]
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in [*head, *native, *other])


def _blocks(rules: Sequence[Rule]) -> list[_Instruction]:
    found: list[_Instruction] = []
    for rule in rules:
        if rule.argument is None:
            found += [(_JUMP_EQUAL, 0, 1, rule.number), (_RETURN, 0, 0, rule.action)]
            continue
        found += [
            (_JUMP_EQUAL, 0, 4, rule.number),
            # Both machines are little-endian: the low half comes first.
            (_LOAD_WORD, 0, 0, _ARGUMENTS + 8 * rule.argument),
            (_TESTS[rule.test], 0, 1, rule.value),
            (_RETURN, 0, 0, rule.action),
            (_LOAD_WORD, 0, 0, _NUMBER),
        ]
    return found
