"""What an application has no business to call: the kernel's ways for those who set up machines, and for escapes.

The appliance ran applications in containers, whose engines refuse these, too; so nothing that ran there needs them.
bubblewrap installs the filter as its last deed, after its own mounts.
"""

import errno
import platform
from collections.abc import Mapping
from typing import Final

from vedette_app_runtime.system_calls.assembly import Rule, assemble, refuse

# Numbers by (x86_64, aarch64, i386, arm); 0: the call is not there.
_CALLS: Final[Mapping[str, tuple[int, int, int, int]]] = {
    # More rights by a user namespace, and mounts in it: bubblewrap before 0.8 cannot forbid them.
    "unshare": (272, 97, 310, 337),
    "setns": (308, 268, 346, 375),
    "mount": (165, 40, 21, 21),
    "umount": (0, 0, 22, 0),
    "umount2": (166, 39, 52, 52),
    "pivot_root": (155, 41, 217, 218),
    "open_tree": (428, 428, 428, 428),
    "open_tree_attr": (467, 467, 467, 467),
    "move_mount": (429, 429, 429, 429),
    "fsopen": (430, 430, 430, 430),
    "fsconfig": (431, 431, 431, 431),
    "fsmount": (432, 432, 432, 432),
    "fspick": (433, 433, 433, 433),
    "mount_setattr": (442, 442, 442, 442),
    "open_by_handle_at": (304, 265, 342, 371),
    # Keyrings are the user's, not the sandbox's.
    "add_key": (248, 217, 286, 309),
    "request_key": (249, 218, 287, 310),
    "keyctl": (250, 219, 288, 311),
    # The kernel's own log and workings.
    "syslog": (103, 116, 103, 103),
    "bpf": (321, 280, 357, 386),
    "perf_event_open": (298, 241, 336, 364),
    "userfaultfd": (323, 282, 374, 388),
    "io_uring_setup": (425, 425, 425, 425),
    "io_uring_enter": (426, 426, 426, 426),
    "io_uring_register": (427, 427, 427, 427),
    # The machine's administration.
    "kexec_load": (246, 104, 283, 347),
    "kexec_file_load": (320, 294, 0, 401),
    "init_module": (175, 105, 128, 128),
    "finit_module": (313, 273, 350, 379),
    "delete_module": (176, 106, 129, 129),
    "acct": (163, 89, 51, 51),
    "swapon": (167, 224, 87, 87),
    "swapoff": (168, 225, 115, 115),
    "reboot": (169, 142, 88, 88),
    "quotactl": (179, 60, 131, 131),
}
_CLONE: Final = (56, 220, 120, 120)
_CLONE3: Final = (435, 435, 435, 435)
_IOCTL: Final = (16, 29, 54, 54)
_SOCKET: Final = (41, 198, 359, 281)
_PTRACE: Final = (101, 117, 26, 26)
_PROCESS_VM_WRITEV: Final = (311, 271, 348, 377)

_NEW_NAMESPACES: Final = 0x7E020000
"""CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET (linux/sched.h)."""
_TIOCSTI: Final = 0x5412
"""Types keys into a terminal: ``vedette shell`` shares the developer's."""
_TIOCLINUX: Final = 0x541C
_FIRST_PROCESS: Final = 1
"""bubblewrap's own, with which the sandbox ends: whoever commands it can have it stay when the host is gone. Its memory
as a file is closed as well (``FIRST_PROCESS_MEMORY``)."""
_AF_VSOCK: Final = 40
"""From a virtual machine to its host: no network namespace holds it."""


def denied_program(machine: str | None = None) -> bytes:
    """Return the filter's instructions.

    :raises KeyError: for a machine that is not supported
    """
    machine = machine or platform.machine()
    first = {"x86_64": 0, "aarch64": 1}[machine]
    return assemble(machine, _rules(first), _rules(first + 2), refuse(errno.ENOSYS))


def _rules(column: int) -> list[Rule]:
    missing = refuse(errno.ENOSYS)
    forbidden = refuse(errno.EPERM)
    rules = [
        # Its flags lie in memory, where a filter cannot look; the C libraries then use clone.
        Rule(_CLONE3[column], missing),
        Rule(_CLONE[column], forbidden, argument=0, test="any bit", value=_NEW_NAMESPACES),
        Rule(_IOCTL[column], forbidden, argument=1, value=_TIOCSTI),
        Rule(_IOCTL[column], forbidden, argument=1, value=_TIOCLINUX),
        Rule(_SOCKET[column], refuse(errno.EAFNOSUPPORT), argument=0, value=_AF_VSOCK),
        Rule(_PTRACE[column], forbidden, argument=1, value=_FIRST_PROCESS),
        Rule(_PROCESS_VM_WRITEV[column], forbidden, argument=0, value=_FIRST_PROCESS),
    ]
    # Programs look for io_uring and take another way where a kernel does not have it.
    rules += [
        Rule(numbers[column], missing if name.startswith("io_uring") else forbidden)
        for name, numbers in _CALLS.items()
        if numbers[column]
    ]
    return rules
