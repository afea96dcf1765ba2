"""Isolation that is trusted only after it withstood an attack on this machine, since this boot."""

import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock

from pydantic import ValidationError

import pipelines
from pipelines import documents
from pipelines.adapters.isolation.bubblewrap import Bubblewrap
from pipelines.adapters.isolation.enclosure import Enclosure, Pipes, Started
from pipelines.adapters.processes import Processes
from pipelines.domain.attack import BREAKS, REACHES, AttackReply, AttackRequest, Attempt
from pipelines.domain.child import Ended, Job, Limits
from pipelines.domain.document import sha256
from pipelines.domain.evidence import Isolation
from pipelines.errors import CannotTell

MODULE = "pipelines.backtesting.attacks"
SECRET = "a secret that lies beside the checkout"

RESTRICTION = "kernel/apparmor_restrict_unprivileged_userns"
"""A setting of the kernel (below /proc/sys) that forbids ordinary users to make namespaces."""

_GENEROUS = Limits(wall_seconds=60, cpu_seconds=60, memory_mb=160, disk_mb=16)
_BUILDERS = ("bwrap", "mount", "prlimit", "setpriv", "sh", "unshare")
"""The programs that put up the walls: one that fails says its name first."""

_AT_ONCE = 3
_ONE_AT_A_TIME = Lock()
_TIGHT = {
    "wall time": replace(_GENEROUS, wall_seconds=1),
    "CPU time": replace(_GENEROUS, cpu_seconds=1),
}


@dataclass(frozen=True)
class Proven:
    """Bubblewrap that withstood an attack before the first child is started in it.

    What it withstood is remembered below `home` until the machine starts again.
    """

    inner: Bubblewrap
    home: Path
    say: Callable[[str], None]

    @property
    def isolation(self) -> Isolation:
        return self.inner.isolation

    def start(self, folder: Path, job: Job, pipes: Pipes) -> Started:
        _withstand(self.inner, self.home, self.say)
        return self.inner.start(folder, job, pipes)


def _withstand(enclosure: Bubblewrap, home: Path, say: Callable[[str], None]) -> None:
    kept, now = home / "isolation.json", _circumstances(enclosure)
    with _ONE_AT_A_TIME:
        if _remembered(kept) != now:
            _attack_first(enclosure, home, say)
            documents.write(kept, json.dumps(now) + "\n")


def _attack_first(enclosure: Bubblewrap, home: Path, say: Callable[[str], None]) -> None:
    say("isolation: attacking it first, once since this machine started")
    through = [attempt for attempt in attack(enclosure, home) if attempt.through]
    if through:
        raise CannotTell(
            f"isolation does not hold: {through[0].name}: {through[0].said}",
            "see 'sluice doctor isolation'",
        )


def attack(enclosure: Enclosure, home: Path) -> tuple[Attempt, ...]:
    """Every attack there is, and what came of it; no answer counts as having got through."""
    shell = Processes(home, enclosure)
    reached = _reach(shell)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        broken = list(pool.map(lambda limit: _break(shell, limit), BREAKS))
    return (*reached, *broken)


def namespaces_are_restricted() -> bool:
    """True when the system keeps ordinary users from making namespaces."""
    try:
        return Path("/proc/sys", RESTRICTION).read_text().strip() == "1"
    except OSError:
        return False


def _reach(shell: Processes) -> tuple[Attempt, ...]:
    with _bait() as bait:
        ended = shell.run(_job(bait.request, _GENEROUS))
        touched = bait.touched()
    _refuse_unstarted(ended)
    found = {attempt.name: attempt for attempt in _told(ended)}
    if SECRET.encode() in (ended.reply or b"") or SECRET in ended.output:
        found["secret"] = Attempt(name="secret", through=True, said="its content came out")
    if touched:
        found[touched] = Attempt(name=touched, through=True, said="we saw it arrive")
    silence = f"no answer: {ended.killed or ended.output[-200:]}"
    return tuple(
        found.get(name, Attempt(name=name, through=True, said=silence)) for name in REACHES
    )


def _refuse_unstarted(ended: Ended) -> None:
    said = ended.output.strip()
    if ended.reply is None and said.partition(":")[0] in _BUILDERS:
        hint = "see 'bwrap --help' and what the system says about user namespaces"
        if namespaces_are_restricted():
            hint = f"'sudo sysctl --write {RESTRICTION.replace('/', '.')}=0' allows it"
        raise CannotTell(f"isolation cannot be put up: {said.splitlines()[-1]}", hint)


def _told(ended: Ended) -> tuple[Attempt, ...]:
    try:
        return AttackReply.model_validate_json(ended.reply or b"").attempts
    except ValidationError:
        return ()


def _break(shell: Processes, limit: str) -> Attempt:
    limits = _TIGHT.get(limit, _GENEROUS)
    started = time.monotonic()
    ended = shell.run(_job(AttackRequest(limit=limit), limits))
    seconds = time.monotonic() - started
    if ended.killed == limit:
        return Attempt(name=limit, through=False, said=f"ended after {seconds:.1f} s")
    said = f"ended by {ended.killed or 'itself'} with exit code {ended.exit_code}"
    return Attempt(name=limit, through=True, said=f"{said}: {ended.output[-200:]}".rstrip(": "))


def _job(request: AttackRequest, limits: Limits) -> Job:
    return Job(MODULE, request, files={"plugin/strategy.py": b"pass\n"}, limits=limits)


@dataclass(frozen=True)
class _Bait:
    """What lies there to be reached, and the servers that would notice."""

    request: AttackRequest
    servers: dict[str, tuple[socket.socket, ...]]

    def touched(self) -> str:
        """The name of the attack that reached one of the servers."""
        for name, servers in self.servers.items():
            for server in servers:
                if _visited(server):
                    return name
        return ""


@contextmanager
def _bait() -> Iterator[_Bait]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="sluice-")))
        secret = folder / "secret"
        secret.write_text(SECRET)
        # Nothing but the isolation is to keep anybody from it.
        folder.chmod(0o755)
        secret.chmod(0o644)
        named, hidden = str(folder / "socket"), f"@sluice-{os.getpid()}"
        inet = stack.enter_context(_listening(socket.AF_INET, ("127.0.0.1", 0)))
        unix = stack.enter_context(_listening(socket.AF_UNIX, named))
        abstract = stack.enter_context(_listening(socket.AF_UNIX, "\0" + hidden[1:]))
        checkout = Path(pipelines.__file__).resolve().parent.parent
        request = AttackRequest(
            secret=str(secret),
            process=os.getpid(),
            port=inet.getsockname()[1],
            sockets=(named, hidden),
            places=(str(folder), str(checkout), str(checkout / "pipelines"), str(Path.home())),
        )
        yield _Bait(request, {"loopback": (inet,), "unix socket": (unix, abstract)})


@contextmanager
def _listening(family: int, address: object) -> Iterator[socket.socket]:
    with socket.socket(family) as server:
        server.bind(address)  # type: ignore[arg-type] # a pair or a path, as the family wants it
        server.listen()
        server.setblocking(False)  # noqa: FBT003 - the library's own signature
        yield server


def _visited(server: socket.socket) -> bool:
    try:
        server.accept()[0].close()
    except BlockingIOError:
        return False
    return True


def _circumstances(enclosure: Bubblewrap) -> dict[str, str]:
    """What the answer holds for: this boot, this user, these programs, and our own code."""
    package = Path(pipelines.__file__).resolve().parent
    own = (*sorted((package / "adapters" / "isolation").glob("*.py")), _module(package))
    program = Path(enclosure.program).stat()
    return {
        "boot": Path("/proc/sys/kernel/random/boot_id").read_text().strip(),
        "kernel": os.uname().release,
        "user": str(os.geteuid()),
        "program": f"{enclosure.program} {program.st_mtime_ns} {program.st_size}",
        "code": sha256(b"".join(path.read_bytes() for path in own)),
    }


def _module(package: Path) -> Path:
    return package.parent.joinpath(*MODULE.split(".")).with_suffix(".py")


def _remembered(path: Path) -> object:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
