"""Attacks the isolation that it runs in: `python -m pipelines.backtesting.attacks`.

It tries what hostile strategy code would try, harmlessly, and reports what got through.
"""

import ctypes
import fcntl
import os
import signal
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

from pipelines.backtesting import replies
from pipelines.domain.attack import REACHES, AttackReply, AttackRequest, Attempt

_LIBC = ctypes.CDLL(None, use_errno=True)
_OWN_VARIABLES = {
    *("HOME", "LANG", "LC_CTYPE", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "PWD", "TMPDIR"),
    *("PYTHONDONTWRITEBYTECODE", "PYTHONHASHSEED", "SLUICE_REPLY", "TZ"),
}
_OWN_DEVICES = {"null", "zero", "full", "random", "urandom"}
_SEIZE = 0x4206
"""Unlike attaching it does not stop who is traced, and it ends with the tracer."""
_NEW_USER, _NEW_MOUNTS = 0x10000000, 0x00020000
_TIOCSTI = 0x5412
_CHUNK = 1 << 20
_ENOUGH_CHUNKS, _ENOUGH_PROCESSES, _ENOUGH_SECONDS = 800, 200, 20
_BEGUN = time.monotonic()


def main() -> None:
    """Do what the request asks for."""
    asked = replies.request(AttackRequest)
    if asked.limit:
        _BREAKS[asked.limit]()
    attempts = tuple(_attempt(name, asked) for name in REACHES)
    replies.write(AttackReply(attempts=attempts))


def _attempt(name: str, asked: AttackRequest) -> Attempt:
    got = [said for said in _REACHES[name](asked) if said]
    return Attempt(name=name, through=bool(got), said="; ".join(got)[:500])


def _unless_refused(act: Callable[[], object], done: str) -> str:
    """What was done; nothing when the system refused it."""
    try:
        act()
    except (OSError, ValueError):
        return ""
    return done


def _listed(folder: str) -> list[str]:
    return [path.name for path in Path(folder).iterdir()]


def _called(done: str, name: str, *arguments: object) -> str:
    """A function of the C library that says -1 when it was refused."""
    return done if getattr(_LIBC, name)(*arguments) != -1 else ""


def _secret(asked: AttackRequest) -> Iterator[str]:
    yield _unless_refused(lambda: Path(asked.secret).read_bytes(), f"read {asked.secret}")
    folder = Path(asked.secret).parent
    yield _unless_refused(partial(_listed, str(folder)), f"listed {folder}")


def _environment(asked: AttackRequest) -> Iterator[str]:
    yield from (f"saw {name}" for name in sorted(set(os.environ) - _OWN_VARIABLES))
    for number in ("self", "1", str(asked.process)):
        path = Path(f"/proc/{number}/environ")
        yield _unless_refused(path.read_bytes, f"read {path}")


def _processes(asked: AttackRequest) -> Iterator[str]:
    yield _unless_refused(partial(_listed, "/proc"), "listed /proc")
    yield _unless_refused(lambda: os.kill(asked.process, 0), f"signalled {asked.process}")
    memory = Path(f"/proc/{asked.process}/mem")
    yield _unless_refused(lambda: memory.open("rb").close(), f"opened {memory}")
    room = ctypes.create_string_buffer(8)
    local = (ctypes.c_size_t * 2)(ctypes.addressof(room), 8)
    # Its own memory, which it could read anyway: a refusal is the filter's, for every process.
    for call in ("process_vm_readv", "process_vm_writev"):
        yield _called(call, call, os.getpid(), local, 1, local, 1, 0)


def _trace(asked: AttackRequest) -> Iterator[str]:
    yield _called("traced our process", "ptrace", _SEIZE, asked.process, None, None)
    child = os.fork()
    if child == 0:
        time.sleep(5)
        os._exit(0)
    yield _called("traced its child", "ptrace", _SEIZE, child, None, None)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def _loopback(asked: AttackRequest) -> Iterator[str]:
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        yield _connected(family, (address, asked.port))


def _unix_sockets(asked: AttackRequest) -> Iterator[str]:
    for name in asked.sockets:
        yield _connected(socket.AF_UNIX, name.replace("@", "\0", 1))


def _connected(family: int, address: tuple[str, int] | str) -> str:
    def connect() -> None:
        with socket.socket(family) as one:
            one.settimeout(1)
            one.connect(address)

    return _unless_refused(connect, f"connected to {address!r}")


def _other_sockets(asked: AttackRequest) -> Iterator[str]:
    inet, packet, netlink, vsock, bluetooth, crypto = 2, 17, 16, 40, 31, 38
    for family in (inet, packet, netlink, vsock, bluetooth, crypto):
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW):
            done = f"made a socket of family {family}"
            yield _unless_refused(partial(_made, family, kind), done)


def _made(family: int, kind: int) -> None:
    socket.socket(family, kind).close()


def _descriptors(asked: AttackRequest) -> Iterator[str]:
    expected = {0, 1, 2, int(os.environ.get("SLUICE_REPLY", "-1"))}
    for number in range(256):
        if number not in expected:
            yield _unless_refused(partial(os.fstat, number), f"descriptor {number}")


def _system(asked: AttackRequest) -> Iterator[str]:
    for folder in ("/", "/usr", "/usr/bin", "/etc", "/tmp", "/dev", "/var/tmp", *asked.places):
        path = Path(folder) / "sluice-was-here"
        yield _unless_refused(partial(_come_and_go, path), f"wrote {path}")


def _come_and_go(path: Path) -> None:
    path.touch(exist_ok=False)
    path.unlink()


def _inputs(asked: AttackRequest) -> Iterator[str]:
    for path in Path().iterdir():
        yield _unless_refused(partial(path.chmod, 0o755), f"changed {path}")
        target = path / "planted" if path.is_dir() else path
        yield _unless_refused(partial(target.write_bytes, b""), f"wrote {target}")


def _devices(asked: AttackRequest) -> Iterator[str]:
    yield from (f"saw /dev/{name}" for name in sorted({*_listed("/dev")} - _OWN_DEVICES))


def _namespaces(asked: AttackRequest) -> Iterator[str]:
    for flags in (_NEW_USER, _NEW_USER | _NEW_MOUNTS):
        yield _called(f"unshare {flags:#x}", "unshare", flags)
    own = os.open(".", os.O_RDONLY)
    yield _called("setns", "setns", own, 0)
    os.close(own)


def _mounts(asked: AttackRequest) -> Iterator[str]:
    yield _called("mount", "mount", b"none", b"/job", b"tmpfs", 0, None)
    yield _called("remount", "mount", None, b"/", None, 32, None)
    yield _called("umount", "umount2", b"/job", 0)
    yield _unless_refused(lambda: os.chroot("."), "chroot")


def _privileges(asked: AttackRequest) -> Iterator[str]:
    version, words = struct.pack("=Ii", 0x20080522, 0), ctypes.create_string_buffer(24)
    _LIBC.capget(ctypes.create_string_buffer(version, 8), words)
    if any(words.raw):
        yield "has capabilities"
    for name in ("setuid", "setgid"):
        yield _unless_refused(partial(getattr(os, name), 0), f"{name}(0)")


def _terminal(asked: AttackRequest) -> Iterator[str]:
    for number in (0, 1, 2):
        yield _unless_refused(partial(fcntl.ioctl, number, _TIOCSTI, b"x"), f"typed into {number}")
    yield _unless_refused(lambda: os.close(os.open("/dev/tty", os.O_RDWR)), "opened /dev/tty")


_REACHES: dict[str, Callable[[AttackRequest], Iterator[str]]] = {
    "secret": _secret,
    "environment": _environment,
    "other processes": _processes,
    "trace": _trace,
    "loopback": _loopback,
    "unix socket": _unix_sockets,
    "other sockets": _other_sockets,
    "descriptors": _descriptors,
    "system": _system,
    "inputs": _inputs,
    "devices": _devices,
    "namespaces": _namespaces,
    "mounts": _mounts,
    "privileges": _privileges,
    "terminal": _terminal,
}


# What nobody stops ends by itself: an attack must not harm a machine without isolation.


def _sleep() -> None:
    time.sleep(_ENOUGH_SECONDS)


def _compute() -> None:
    while time.monotonic() < _BEGUN + _ENOUGH_SECONDS:
        pass


def _eat() -> None:
    eaten = []
    for _ in range(_ENOUGH_CHUNKS):
        eaten.append(b"x" * _CHUNK)
        # Slowly, or the kernel's limit on one process would end it before the watch has looked.
        time.sleep(0.003)
    time.sleep(1)


def _multiply() -> None:
    for _ in range(_ENOUGH_PROCESSES):
        with suppress(OSError):
            if os.fork() == 0:
                time.sleep(1)
                os._exit(0)
    time.sleep(1)


def _fill() -> None:
    for number in range(_ENOUGH_CHUNKS):
        with suppress(OSError):
            Path(f"filled-{number}").write_bytes(b"x" * _CHUNK)
    time.sleep(1)


def _flood() -> None:
    for _ in range(_ENOUGH_CHUNKS):
        os.write(1, b"x" * _CHUNK)


_BREAKS: dict[str, Callable[[], None]] = {
    "wall time": _sleep,
    "CPU time": _compute,
    "memory": _eat,
    "processes": _multiply,
    "disk": _fill,
    "output": _flood,
}


if __name__ == "__main__":
    main()
