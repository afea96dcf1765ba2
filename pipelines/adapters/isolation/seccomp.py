"""The filter of system calls: a program for the kernel that refuses what no strategy needs.

It is the wall behind the namespaces. What is refused here is what would attack the kernel, look
into other processes, make namespaces or mounts, or open a socket that a network namespace does not
cover (the numbers are those of the kernel's stable interface, include/uapi/asm-generic/unistd.h and
arch/x86/entry/syscalls/syscall_64.tbl).
"""

import errno
import platform
import struct
from dataclasses import dataclass
from typing import Literal

from pipelines.errors import CannotTell

Machine = Literal["x86_64", "aarch64"]

# name: (x86_64, aarch64); None where the machine has no such call.
REFUSED: dict[str, tuple[int, int | None]] = {
    "acct": (163, 89),
    "add_key": (248, 217),
    "adjtimex": (159, 171),
    "bpf": (321, 280),
    "chroot": (161, 51),
    "clock_adjtime": (305, 266),
    "clock_settime": (227, 112),
    "delete_module": (176, 106),
    "fanotify_init": (300, 262),
    "finit_module": (313, 273),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fsopen": (430, 430),
    "fspick": (433, 433),
    "init_module": (175, 105),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "io_uring_setup": (425, 425),
    "ioperm": (173, None),
    "iopl": (172, None),
    "kcmp": (312, 272),
    "kexec_file_load": (320, 294),
    "kexec_load": (246, 104),
    "keyctl": (250, 219),
    "modify_ldt": (154, None),
    "mount": (165, 40),
    "mount_setattr": (442, 442),
    "move_mount": (429, 429),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "open_tree": (428, 428),
    "perf_event_open": (298, 241),
    "personality": (135, 92),
    "pidfd_getfd": (438, 438),
    "pivot_root": (155, 41),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "ptrace": (101, 117),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "reboot": (169, 142),
    "request_key": (249, 218),
    "setdomainname": (171, 162),
    "sethostname": (170, 161),
    "setns": (308, 268),
    "settimeofday": (164, 170),
    "swapoff": (168, 225),
    "swapon": (167, 224),
    "syslog": (103, 116),
    "umount2": (166, 39),
    "unshare": (272, 97),
    "userfaultfd": (323, 282),
    "vhangup": (153, 58),
}

CLONE: dict[Machine, int] = {"x86_64": 56, "aarch64": 220}
SOCKET: dict[Machine, int] = {"x86_64": 41, "aarch64": 198}
IOCTL: dict[Machine, int] = {"x86_64": 16, "aarch64": 29}
CLONE3 = 435

_ARCHITECTURE: dict[Machine, int] = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32 = 0x40000000
_NEW_NAMESPACES = 0x7E020000
_AF_UNIX = 1
_TYPED_INTO_A_TERMINAL = (0x5412, 0x541C)
"""TIOCSTI and TIOCLINUX put words into the mouth of whoever sits at the terminal."""

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _WHICH, _FIRST, _SECOND = 0, 4, 16, 24
_ALLOW, _KILL, _ERROR = 0x7FFF0000, 0x80000000, 0x00050000


def filter_program() -> bytes:
    """The filter for this machine, as `bwrap --seccomp` reads it.

    :raises CannotTell: on a machine that there are no numbers for.
    """
    named = platform.machine()
    machine = next((known for known in CLONE if known == named), None)
    if machine is None:
        raise CannotTell(
            f"isolation knows no system calls of {named}",
            "check on x86_64 or aarch64, or use --isolation=weak for a look that admits nothing",
        )
    return _Program(machine).whole()


@dataclass(frozen=True)
class _Program:
    """Instructions are code, jumps if true and if false, and a constant (linux/filter.h)."""

    machine: Machine

    def whole(self) -> bytes:
        column = 0 if self.machine == "x86_64" else 1
        numbers = [call[column] for call in REFUSED.values()]
        refused = b"".join(_refuse(number) for number in numbers if number is not None)
        return b"".join(
            (
                _step(_LOAD, _WHICH),
                _step(_EQUAL, _ARCHITECTURE[self.machine], 1, 0),
                _step(_RETURN, _KILL),
                _step(_LOAD, _NUMBER),
                # Calls of the x32 interface have numbers of their own, which the list lacks.
                _step(_AT_LEAST, _X32, 0, 1),
                _step(_RETURN, _error(errno.EPERM)),
                refused,
                # Its arguments lie in memory, where no filter can look; libraries fall back.
                _step(_EQUAL, CLONE3, 0, 1),
                _step(_RETURN, _error(errno.ENOSYS)),
                _when(CLONE[self.machine], _FIRST, _ANY_BIT, (_NEW_NAMESPACES,)),
                _unless(SOCKET[self.machine], _FIRST, _AF_UNIX),
                _when(IOCTL[self.machine], _SECOND, _EQUAL, _TYPED_INTO_A_TERMINAL),
                _step(_RETURN, _ALLOW),
            )
        )


def _step(code: int, constant: int, true: int = 0, false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, true, false, constant)


def _error(number: int) -> int:
    return _ERROR | number


def _refuse(number: int) -> bytes:
    return _step(_EQUAL, number, 0, 1) + _step(_RETURN, _error(errno.EPERM))


def _when(number: int, argument: int, test: int, values: tuple[int, ...]) -> bytes:
    """Refuse a call when its argument is one of these, or has one of these bits."""
    tests = b"".join(_step(test, v, 0, 1) + _step(_RETURN, _error(errno.EPERM)) for v in values)
    body = _step(_LOAD, argument) + tests + _step(_RETURN, _ALLOW)
    return _step(_EQUAL, number, 0, len(body) // 8) + body


def _unless(number: int, argument: int, value: int) -> bytes:
    """Refuse a call unless its argument is just this."""
    body = (
        _step(_LOAD, argument)
        + _step(_EQUAL, value, 1, 0)
        + _step(_RETURN, _error(errno.EPERM))
        + _step(_RETURN, _ALLOW)
    )
    return _step(_EQUAL, number, 0, len(body) // 8) + body
