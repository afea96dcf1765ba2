"""What breaks around the agent: a disk that is full, clocks that jump, files that are garbage.

Each is told as an error and leaves an alert, nothing is lost, and bots go on. The bots are light
(stand_in.py); the agent, its launcher, ledger, locks and disks are the real ones.
"""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import NoReturn

import pytest
import sqlalchemy as sa
from pydantic import JsonValue

from pipelines.adapters import agent as client
from pipelines.adapters.ledger import Moved
from pipelines.adapters.releases import ReleaseStore
from pipelines.domain.decision import turn_back
from pipelines.domain.deployment import Phase
from pipelines.domain.entry import Halted, Verified
from pipelines.domain.release import Release
from pipelines.errors import AgentUnreachable, CannotTell, Refused, SluiceError
from runner.agent import records
from runner.agent.cli import rounded
from runner.agent.launcher import Launcher
from runner.bots.messages import Holder
from tests.agent.doomed import STEPS
from tests.agent.light import Light, files, launched_by, light, project
from tests.agent.train import Train

pytestmark = [pytest.mark.slow, pytest.mark.needs("ssh-keygen")]

GOOD = "class Beat: ...\n"
Files = tuple[Release, bytes, bytes]


@pytest.fixture(scope="module")
def train(root: Path, approver: Path, tmp_path_factory: pytest.TempPathFactory) -> Train:
    return project(root, tmp_path_factory.mktemp("train"), approver)


@pytest.fixture(scope="module")
def launcher(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launcher]:
    opened = launched_by(tmp_path_factory.mktemp("launcher"), root)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def old(train: Train) -> Files:
    return files(train, "1.0.0", GOOD)


@pytest.fixture(scope="module")
def new(train: Train) -> Files:
    return files(train, "1.1.0", GOOD)


@pytest.fixture
def there(train: Train, launcher: Launcher, old: Files, tmp_path: Path) -> Iterator[Light]:
    """1.0.0 runs in test, verified, with an open trade."""
    with light(train, launcher, tmp_path / "home") as light_:
        light_.deliver(old[1:])
        light_.settle()
        light_.trades("test", opened=1)
        light_.agent.tick()
        yield light_


def goes_on(there: Light, pid: int) -> None:
    """The same bot runs, and the agent finds nothing wrong with it."""
    there.agent.tick()
    (member,) = there.agent.members(there.agent.declared(), there.now).values()
    assert (member.bot.phase, member.bot.open_trades) == (Phase.RUNNING, 1)
    assert there.running()["test.beat"] == [pid]


def pid_of(there: Light) -> int:
    holder = there.lock("test").holder()
    assert holder is not None
    return holder.pid


@contextmanager
def nothing_fits() -> Iterator[None]:
    """No file can be written to any more, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def filled(path: Path) -> None:
    """Write to a file until its disk is full."""
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(4096)):
            pass
    assert shutil.disk_usage(path).free == 0


def left_over(home: Path) -> list[Path]:
    """Files that somebody began to write and did not finish."""
    return [path for path in home.rglob(".*") if path.is_file() and path.name != ".lock"]


def test_on_a_full_disk_nothing_is_half_taken_and_it_is_taken_once_there_is_room(
    there: Light, new: Files
) -> None:
    before, pid = there.entries(), pid_of(there)
    with nothing_fits(), pytest.raises(CannotTell, match="cannot be written"):
        there.deliver(new[1:])

    assert ReleaseStore(there.home).before(new[0].digest) is None
    assert (there.entries(), left_over(there.home)) == (before, [])
    goes_on(there, pid)
    assert there.deliver(new[1:])["promoted"] == ["test"]


@pytest.mark.parametrize("verb", ["promote", "hold", "halt", "retire", "rollback"])
def test_on_a_full_disk_nothing_is_decided(there: Light, old: Files, new: Files, verb: str) -> None:
    there.trades("test", opened=0)
    there.deliver(new[1:])
    there.settle()
    asked: dict[str, JsonValue] = {"environment": "test"}
    if verb == "promote":
        there.ask("retire", environment="test")
        asked["release"] = str(new[0].id)
    before = there.entries()
    with nothing_fits(), pytest.raises(CannotTell):
        there.ask(verb, **asked)

    assert there.entries() == before
    there.ask(verb, **asked)
    assert len(there.entries()) == len(before) + 1


def test_on_a_full_disk_no_bot_is_started_that_nobody_could_reach_and_later_it_is(
    there: Light, new: Files
) -> None:
    there.trades("test", opened=0)
    there.deliver(new[1:])
    with nothing_fits():
        rounded(there.agent)

    assert there.runs("test") != new[0].digest
    assert left_over(there.home) == []
    there.settle()
    assert there.runs("test") == new[0].digest
    assert there.agent.refused == {}


def on_a_small_disk(root: Path, mounted: Path) -> None:
    """The disk fills up while a bot runs, and has room again."""
    train, launcher = project(root, mounted, None), launched_by(mounted, root)
    old, new = (files(train, version, GOOD) for version in ("1.0.0", "1.1.0"))
    with light(train, launcher, mounted / "another") as there:
        there.deliver(old[1:])
        there.settle()
        pid, before = pid_of(there), there.entries()
        filled(mounted / "spare")
        for _ in range(3):
            rounded(there.agent)
            with pytest.raises(SluiceError):
                there.deliver(new[1:])
        assert there.running()["test.beat"] == [pid]
        (mounted / "spare").unlink()
        assert there.entries() == before
        there.deliver(new[1:])
        there.settle()
        assert there.runs("test") == new[0].digest
    launcher.close()


SMALL = """
import sys
from pathlib import Path
from tests.agent.test_failures import on_a_small_disk
on_a_small_disk(Path(sys.argv[1]), Path(sys.argv[2]))
print("whole")
"""


@pytest.mark.needs("bubblewrap")
def test_a_disk_that_is_really_full_and_has_room_again(root: Path, tmp_path: Path) -> None:
    """A small one of its own for everything that an agent and its bots write."""
    inside = tmp_path / "small"
    inside.mkdir()
    walls = ["bwrap", "--dev-bind", "/", "/", "--size", "4000000", "--tmpfs", str(inside)]
    ended = subprocess.run(
        [*walls, sys.executable, "-c", SMALL, str(root), str(inside)],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (0, "whole\n"), ended.stderr


def test_a_clock_that_jumps_forward_counts_nothing_as_soaked_and_ends_no_bot(
    there: Light, old: Files
) -> None:
    pid = pid_of(there)
    there.now += timedelta(days=400)
    goes_on(there, pid)
    goes_on(there, pid)
    told = there.ask("explain", release=str(old[0].id), environment="sandbox")
    said = {reason["because"]: reason["text"] for reason in told["reasons"]}
    assert said["soak time"].startswith("0.0 of 12.0 hours")


def test_a_clock_that_goes_back_counts_no_hour_twice_and_keeps_lease_and_bots(
    there: Light, old: Files
) -> None:
    pid = pid_of(there)
    there.pass_hours(5)
    for _ in range(3):
        there.now -= timedelta(hours=4)
        goes_on(there, pid)
        there.pass_hours(4)
    told = there.ask("explain", release=str(old[0].id), environment="sandbox")
    said = {reason["because"]: reason["text"] for reason in told["reasons"]}
    assert said["soak time"].startswith("5.0 of 12.0 hours")
    lease = there.agent.ledger.lease()
    assert lease is not None
    assert (lease.holder, lease.epoch) == ("light", 1)


def test_a_bot_that_died_before_the_clock_went_back_is_started_again(there: Light) -> None:
    there.end_bot("test")
    there.agent.tick()
    there.now -= timedelta(days=3)
    there.settle()
    there.agent.tick()  # it has its open trade in hand
    (member,) = there.agent.members(there.agent.declared(), there.now).values()
    assert member.bot.phase is Phase.RUNNING, (there.agent.refused, there.alerts())


@pytest.mark.parametrize("name", ["ledger.head", "ledger.sqlite"])
@pytest.mark.parametrize("garbage", [b"", b"\0" * 4096, b"{}"], ids=["empty", "zeros", "other"])
def test_a_ledger_that_is_garbage_is_told_and_bots_go_on(
    there: Light, name: str, garbage: bytes
) -> None:
    if name == "ledger.sqlite":
        there.agent.ledger.close()
        for path in there.home.glob("ledger.sqlite-*"):
            path.unlink()
    path, pid, before = there.home / name, pid_of(there), there.entries()
    there.agent.ledger.close()
    whole = path.read_bytes()
    path.write_bytes(garbage if name == "ledger.head" else garbage + whole[len(garbage) or 999 :])

    rounded(there.agent)

    assert there.running()["test.beat"] == [pid]
    assert [alert for alert in there.alerts() if "ledger" in alert] != []
    there.agent.ledger.close()
    for left in there.home.glob("ledger.sqlite-*"):
        left.unlink()
    path.write_bytes(whole)
    there.open()
    goes_on(there, pid)
    assert there.entries()[: len(before)] == before


@pytest.mark.parametrize("garbage", ["", "{", "[]", "\0\0\0", '{"pid": 1}'])
def test_what_a_bot_has_loaded_is_only_read_while_it_is_verified(
    there: Light, garbage: str
) -> None:
    pid = pid_of(there)
    (there.database("test").parent / "loaded.json").write_text(garbage)
    goes_on(there, pid)


def test_a_bot_whose_loaded_file_is_garbage_is_never_trusted(
    there: Light, new: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    there.trades("test", opened=0)
    there.deliver(new[1:])
    with monkeypatch.context() as patch:
        # However fast it is up: nobody has read it back yet.
        patch.setattr(there.agent.crew, "read_back", lambda *_: None)
        there.agent.tick()
    loaded = there.database("test").parent / "loaded.json"
    there.until(lambda: [json.loads(loaded.read_text())["pid"]] == there.running().get("test.beat"))
    loaded.write_text("{")
    path = there.house.record("test", "beat")
    record = records.load(path)
    assert record is not None
    records.save(path, record.model_copy(update={"began": record.began - timedelta(hours=1)}))

    there.settle()

    assert any("could not be read back" in alert for alert in there.alerts()), there.alerts()
    kinds = [entry["entry"] for entry in there.entries() if entry.get("digest") == new[0].digest]
    assert "verified" not in kinds
    assert there.runs("test") != new[0].digest


@pytest.mark.parametrize("garbage", ["{", "[]", '{"socket": 1}', "\0"])
def test_without_a_readable_address_the_agent_is_unreachable(tmp_path: Path, garbage: str) -> None:
    (tmp_path / client.WHERE).write_text(garbage)
    with pytest.raises(AgentUnreachable, match=client.WHERE):
        client.ask(tmp_path, "status")


@pytest.mark.parametrize("suffix", ["tar", "dsse"])
def test_a_release_that_is_garbage_on_the_disk_ends_no_bot_and_is_mended_by_delivering_it(
    there: Light, old: Files, suffix: str
) -> None:
    pid = pid_of(there)
    path = there.home / "releases" / f"{old[0].digest}.{suffix}"
    path.write_bytes(b"garbage")
    there.agent.ledger.close()
    there.open()
    goes_on(there, pid)
    there.end_bot("test")
    there.agent.tick()
    there.now += timedelta(minutes=1)
    there.agent.tick()
    assert not there.lock("test").held()
    assert any(old[0].digest[:8] in alert or "releases" in alert for alert in there.alerts())

    there.deliver(old[1:])
    there.now += timedelta(minutes=1)
    there.settle()
    assert there.runs("test") == old[0].digest


@pytest.mark.parametrize("garbage", ["", "{", "another"])
def test_a_lock_that_names_another_process_or_none_gets_nobody_killed(
    there: Light, garbage: str
) -> None:
    """Its bot holds it open, and could write into it whom the agent is to end."""
    pid, lock = pid_of(there), there.lock("test")
    said = lock.path.read_text()
    argv = [sys.executable, "-c", "input()"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE) as other:
        named = Holder(name="test.beat", pid=other.pid, identity={})
        lock.path.write_text(named.model_dump_json() if garbage == "another" else garbage)
        try:
            with pytest.raises(CannotTell):
                lock.signal(signal.SIGKILL)
            assert other.poll() is None
            assert lock.held()
        finally:
            lock.path.write_text(said)
            other.kill()
    goes_on(there, pid)


def test_commands_that_come_twice_or_in_another_order_change_nothing_twice(
    there: Light, old: Files, new: Files
) -> None:
    there.trades("test", opened=0)
    first = there.entries()
    there.deliver(old[1:])
    assert there.entries() == first
    there.soak("test")
    approved = there.approve(old[0], "sandbox")
    before = there.entries()
    release = {"release": str(old[0].id), "environment": "sandbox"}
    there.ask("promote", **release)
    with pytest.raises(Refused):
        there.ask("promote", **release)
    promoted = [e for e in there.entries()[len(before) :] if e["entry"] == "promotion"]
    assert [entry["approvals"] for entry in promoted] == [[approved["identity"]]]
    there.settle()
    assert there.runs("sandbox") == old[0].digest
    with pytest.raises(Refused, match="signed by 0 of 1 people"):
        there.ask("promote", **release)


def test_an_approval_that_comes_after_a_promotion_it_was_not_for_opens_nothing(
    there: Light, old: Files, new: Files
) -> None:
    there.trades("test", opened=0)
    there.soak("test")
    there.approve(old[0], "sandbox")
    there.ask("promote", release=str(old[0].id), environment="sandbox")
    there.settle()
    there.deliver(new[1:])
    there.settle()
    there.soak("test")
    late = there.ask("explain", release=str(new[0].id), environment="sandbox")
    assert late["sequence"] == 2
    there.approve(new[0], "sandbox")
    there.ask("rollback", environment="test")
    there.ask("retire", environment="sandbox")
    with pytest.raises(Refused, match="for promotion 2, the next is 3"):
        there.ask("promote", release=str(new[0].id), environment="sandbox")


def test_of_two_agents_that_decide_at_once_one_is_told_to_decide_again(
    there: Light, new: Files
) -> None:
    other = there.opened()
    other.read()
    there.ask("hold", environment="test")
    before = there.entries()
    halted = Halted(environment="test", strategy="*", by="ann", at=there.now)
    with pytest.raises(Moved):
        other.ledger.append(halted, after=other.head)
    assert there.entries() == before
    other.ledger.close()


def test_killed_at_any_step_of_giving_up_nothing_is_given_up_that_nobody_was_told_of(
    train: Train, launcher: Launcher, old: Files, new: Files, tmp_path: Path
) -> None:
    ended, kinds = [], set()
    for step in range(1, 60):
        with light(train, launcher, tmp_path / str(step)) as there:
            there.deliver(old[1:])
            if step % 2:
                # There is something to go back to.
                about = {"environment": "test", "strategy": "beat", "digest": old[0].digest}
                there.agent.ledger.append(Verified(**about, at=there.now))
                there.agent.read()
            there.deliver(new[1:])
            there.agent.ledger.close()
            child = os.fork() or giving_up(there, step // 2 + 1)
            ended.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
            there.open()
            told = [e for e in there.entries() if e["entry"] == "escalated" or e.get("automatic")]
            kinds |= {entry["entry"] for entry in told}
            for entry in told:
                assert any(entry["reason"] in alert for alert in there.alerts()), step
        if ended[-2:] == [0, 0]:
            break
    assert set(ended[:4]) == {-signal.SIGKILL}
    assert ended[-2:] == [0, 0], "the last two were killed at no step"
    assert kinds == {"promotion", "escalated"}


def giving_up(there: Light, step: int) -> NoReturn:
    code = 1
    try:
        sys.addaudithook(STEPS.hook)
        sa.event.listen(sa.Engine, "before_cursor_execute", STEPS.statement)
        sa.event.listen(sa.Engine, "commit", STEPS.one)
        there.open()
        there.agent.read()
        track = there.agent.record.track("test", "beat")
        back = turn_back(track, "test", "beat", ())
        action = replace(back, reasons=("it kept dying",))
        STEPS.gone, STEPS.last = 0, step
        there.agent._guarded(action, there.agent.declared(), there.now)
        code = 0
    finally:
        os._exit(code)


def test_an_exchange_that_cannot_be_reached_is_told_and_bots_go_on(there: Light) -> None:
    pid, clock = pid_of(there), there.agent.clock

    def down() -> None:
        raise CannotTell("the rehearsal exchange does not answer")

    there.agent.clock = down  # type: ignore[assignment]
    for _ in range(3):
        assert rounded(there.agent) is False
    assert there.running()["test.beat"] == [pid]
    said = ["nothing was done in this round: the rehearsal exchange does not answer"]
    assert there.alerts() == said
    there.agent.clock = clock
    assert rounded(there.agent) is False
    there.agent.clock = down  # type: ignore[assignment]
    assert rounded(there.agent) is False
    assert there.alerts() == said * 2, "it was over, so it is news again"
    there.agent.clock = clock
    goes_on(there, pid)
