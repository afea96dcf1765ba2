"""The filter's numbers are the kernel's own, and a real kernel takes the program."""

import re
import struct
from pathlib import Path

import pytest

from pipelines.adapters.isolation import seccomp

GENERIC = Path("/usr/include/asm-generic/unistd.h")
X86 = Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")


def _numbers(header: Path) -> dict[str, int]:
    lines = re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", header.read_text())
    return {name: int(number) for name, number in lines}


@pytest.mark.needs("kernel headers")
def test_the_numbers_are_those_of_the_kernels_headers() -> None:
    x86, generic = _numbers(X86), _numbers(GENERIC)
    ours = seccomp.REFUSED | {
        "clone": (seccomp.CLONE["x86_64"], seccomp.CLONE["aarch64"]),
        "clone3": (seccomp.CLONE3, seccomp.CLONE3),
        "ioctl": (seccomp.IOCTL["x86_64"], seccomp.IOCTL["aarch64"]),
        "socket": (seccomp.SOCKET["x86_64"], seccomp.SOCKET["aarch64"]),
    }
    assert {name: (x86.get(name), generic.get(name)) for name in ours} == ours


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_every_jump_stays_inside_the_program(machine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: machine)
    program = seccomp.filter_program()
    steps = list(struct.iter_unpack("=HBBI", program))
    for place, (code, true, false, _) in enumerate(steps):
        if code & 7 == 5:
            assert place + 1 + max(true, false) < len(steps)
    assert steps[-1][0] == 6


def test_another_machine_has_no_isolation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    with pytest.raises(seccomp.CannotTell, match="riscv64"):
        seccomp.filter_program()
