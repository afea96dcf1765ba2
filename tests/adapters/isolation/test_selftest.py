"""The attack on the isolation: it stops at full isolation, succeeds without, and fails closed."""

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipelines.adapters.isolation import bubblewrap as walls
from pipelines.adapters.isolation import seccomp, selftest
from pipelines.adapters.isolation.bubblewrap import Bubblewrap, bubblewrap
from pipelines.adapters.isolation.enclosure import Pipes, Started
from pipelines.adapters.isolation.weak import Weak
from pipelines.adapters.processes import Processes
from pipelines.domain.attack import BREAKS, REACHES, AttackRequest
from pipelines.domain.child import Job
from pipelines.domain.evidence import Isolation
from pipelines.errors import CannotTell

pytestmark = pytest.mark.needs("bubblewrap")


def _through(attempts: object) -> set[str]:
    return {a.name for a in attempts if a.through}  # type: ignore[attr-defined]


def test_full_isolation_withstands_every_attack(tmp_path: Path) -> None:
    attempts = selftest.attack(bubblewrap(), tmp_path)
    assert [attempt.name for attempt in attempts] == [*REACHES, *BREAKS]
    assert {a.name: a.said for a in attempts if a.through} == {}


def test_an_attack_gets_through_where_nothing_stops_it(tmp_path: Path) -> None:
    got = _through(selftest.attack(Weak(), tmp_path))
    assert got >= {"secret", "environment", "other processes", "loopback", "unix socket"}
    assert got >= {"other sockets", "inputs", "devices", "disk"}


@dataclass(frozen=True)
class Holed:
    """Bubblewrap with one wall taken down: words of its command replaced."""

    hole: Callable[[list[str]], list[str]]

    @property
    def isolation(self) -> Isolation:
        return Isolation.FULL

    def start(self, folder: Path, job: Job, pipes: Pipes) -> Started:
        inner, hole = bubblewrap(), self.hole

        class Open(Bubblewrap):
            def _inside(self, *arguments: object) -> list[str]:
                return hole(super()._inside(*arguments))  # type: ignore[arg-type]

        return Open(inner.program).start(folder, job, pipes)


def _with(*words: str) -> Callable[[list[str]], list[str]]:
    def added(command: list[str]) -> list[str]:
        place = command.index("--remount-ro")
        return [*command[:place], *words, *command[place:]]

    return added


def _without(*words: str) -> Callable[[list[str]], list[str]]:
    return lambda command: [word for word in command if word not in words]


@pytest.mark.parametrize(
    ("hole", "got_through"),
    [
        (_with("--ro-bind", "/tmp", "/tmp"), "secret"),
        (_with("--share-net"), "unix socket"),
        (_with("--ro-bind", "/proc", "/proc"), "other processes"),
        (_with("--dev", "/dev"), "devices"),
        (_with("--tmpfs", "/var/tmp"), "system"),
    ],
)
def test_a_hole_in_the_wall_is_found(
    tmp_path: Path, hole: Callable[[list[str]], list[str]], got_through: str
) -> None:
    assert got_through in _through(selftest.attack(Holed(hole), tmp_path))


def test_a_filter_that_lets_everything_pass_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    allow = seccomp._step(6, 0x7FFF0000)
    monkeypatch.setattr(walls.seccomp, "filter_program", lambda: allow)
    assert _through(selftest.attack(bubblewrap(), tmp_path)) >= {"other processes", "trace"}


def test_what_was_withstood_is_remembered_until_the_machine_starts_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    shell = Processes(tmp_path, selftest.Proven(bubblewrap(), tmp_path, said.append))
    shell.run(_nothing())
    shell.run(_nothing())
    assert len(said) == 1
    remembered = (tmp_path / "isolation.json").read_text()
    (tmp_path / "isolation.json").write_text(remembered.replace('"boot": "', '"boot": "x'))
    shell.run(_nothing())
    assert len(said) == 2


def test_isolation_that_does_not_hold_starts_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walls, "_DEVICES", (*walls._DEVICES, "tty"))
    shell = Processes(tmp_path, selftest.Proven(bubblewrap(), tmp_path, lambda _: None))
    with pytest.raises(CannotTell, match="isolation does not hold: devices"):
        shell.run(_nothing())
    assert not (tmp_path / "isolation.json").exists()


def test_walls_that_cannot_be_put_up_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walls, "_DEVICES", ("there-is-no-such-device",))
    with pytest.raises(CannotTell, match="isolation cannot be put up: bwrap: "):
        selftest.attack(bubblewrap(), tmp_path)


def test_a_stage_that_cannot_be_set_up_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Only root has one; everybody else's walls fail by a device that is missing.
    monkeypatch.setattr(walls, "_STAGES", ("/proc",))
    monkeypatch.setattr(walls, "_DEVICES", ("there-is-no-such-device",))
    with pytest.raises(CannotTell, match="isolation cannot be put up: "):
        selftest.attack(bubblewrap(), tmp_path)


def test_nothing_runs_as_root(tmp_path: Path) -> None:
    source = tmp_path / "candles"
    source.write_text("for root's eyes")
    source.chmod(0o600)
    folder = tmp_path / "job"
    (folder / "in").mkdir(parents=True)
    (folder / "in" / "child.py").write_text("import time; open('candles').read(); time.sleep(9)")
    job = Job("cProfile", AttackRequest(), ("child.py",), inputs={"candles": source})
    output, written = os.pipe()
    started = bubblewrap().start(folder, job, Pipes(written, written))
    try:
        time.sleep(1)
        status = Path(f"/proc/{started.pid}/status").read_text()
        users = next(line for line in status.splitlines() if line.startswith("Uid:")).split()[1:]
        assert started.process.poll() is None, os.read(output, 4096)
        if os.geteuid() == 0:
            assert all(61184 <= int(user) < 65520 for user in users)
        else:
            assert set(users) == {str(os.geteuid())}
    finally:
        os.kill(started.pid, signal.SIGKILL)
        started.process.wait(10)


def _nothing() -> Job:
    return Job("cProfile", AttackRequest(), ("child.py",), {"child.py": b"pass"})
