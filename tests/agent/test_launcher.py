"""Bots are forked from a process that has freqtrade loaded; who dies when takes nobody along."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipelines.adapters.redaction import Redactor
from pipelines.domain.secret import Secret
from pipelines.errors import CannotTell
from runner.agent.house import give, user_of
from runner.agent.launcher import Launcher
from runner.agent.locks import Lock
from runner.bots.messages import Follow, Holder, Launch, Told
from runner.exchange.settings import freqtrade_settings
from tests.exchange.running import Running
from tests.exchange.test_live_bot import BEAT

pytestmark = pytest.mark.freqtrade

Start = Callable[..., int | None]

CONFIGURATION = {
    "dry_run": True,
    "stake_currency": "USDT",
    "stake_amount": 10,
    "max_open_trades": 1,
    "strategy": "Beat",
    "strategy_path": ".",
    "pairlists": [{"method": "StaticPairList"}],
    "entry_pricing": {"price_side": "same", "use_order_book": True},
    "exit_pricing": {"price_side": "other", "use_order_book": True},
}
SECRET = "correct-horse-battery-staple"


@pytest.fixture(scope="module")
def bots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a strategy, in which bots live."""
    folder = tmp_path_factory.mktemp("bots")
    folder.chmod(0o755)
    (folder / "beat.py").write_text(BEAT)
    (folder / "beat.py").chmod(0o644)
    return folder


@pytest.fixture(scope="module")
def launcher(bots: Path) -> Iterator[Launcher]:
    opened = Launcher(bots=bots, log=bots / "preloaded.log")
    yield opened
    opened.close()


@pytest.fixture
def lock(bots: Path) -> Iterator[Lock]:
    held = Lock(bots / "locks" / "test.beat")
    yield held
    end(held)


def end(lock: Lock) -> None:
    """kill -9, also of one that has not said yet who it is."""
    wait(lambda: lock.path.stat().st_size > 0 or not lock.held())
    wait(lambda: not lock.signal(signal.SIGKILL))


def holding(lock: Lock) -> Holder:
    """Who holds a lock, once he has said it."""
    wait(lambda: lock.path.stat().st_size > 0)
    holder = lock.holder()
    assert holder is not None
    return holder


@pytest.fixture(scope="module")
def start(launcher: Launcher, bots: Path, stepped: Running) -> Start:
    """Start a bot that trades on paper at the exchange, and follows its clock."""
    ready = stepped.ready
    settings = freqtrade_settings(ready.api_url, SECRET, SECRET)
    settings["exchange"] |= {"pair_whitelist": ["BTC/USDT"], "pair_blacklist": []}

    def launched(lock: Lock, by: Launcher = launcher) -> int | None:
        name = lock.path.name
        give(bots / name, user_of("test"))
        launch = Launch(
            name=name,
            folder=str(bots),
            log=f"{name}/log",
            loaded=f"{name}/loaded.json",
            identity={"launch": "one"},
            user=user_of("test"),
            follow=Follow(control_url=ready.control_url, control_token=ready.control_token),
        )
        own = {"user_data_dir": name, "db_url": f"sqlite:///{name}/dry.sqlite"}
        told = Told(configuration=CONFIGURATION | settings | own, hidden=(SECRET,))
        return by.launch(launch, told, lock)

    return launched


def wait(is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.05)


def preloaded(launcher: Launcher) -> int:
    assert launcher._process is not None
    return launcher._process.pid


def test_a_bot_is_started_behind_its_lock_once(
    start: Start, launcher: Launcher, bots: Path, lock: Lock
) -> None:
    first = start(lock)
    second = start(lock)

    holder = holding(lock)
    assert (first, second) == (holder.pid, None)
    assert (holder.name, holder.identity) == ("test.beat", {"launch": "one"})


def test_what_it_prints_and_shows_holds_no_secret(
    start: Start, launcher: Launcher, bots: Path, lock: Lock
) -> None:
    pid = start(lock)
    log = bots / "test.beat" / "log"
    wait(lambda: log.exists() and b"Starting worker" in log.read_bytes())

    assert SECRET not in log.read_text()
    process = Path(f"/proc/{pid}")
    assert SECRET.encode() not in (process / "environ").read_bytes()
    assert SECRET.encode() not in (process / "cmdline").read_bytes()
    assert SECRET not in (bots / "preloaded.log").read_text()


def test_a_bot_has_no_settings_from_outside(
    start: Start, launcher: Launcher, bots: Path, lock: Lock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FREQTRADE__DRY_RUN", "false")
    launcher.close()
    pid = start(lock)

    assert b"FREQTRADE" not in Path(f"/proc/{pid}/environ").read_bytes()


def test_a_bot_runs_as_the_user_of_its_environment(
    start: Start, launcher: Launcher, bots: Path, lock: Lock
) -> None:
    pid = start(lock)
    own, us = user_of("test"), os.geteuid()

    wait(lambda: Path(f"/proc/{pid}").stat().st_uid == (own.uid if own else us))
    groups = Path(f"/proc/{pid}/status").read_text().partition("Groups:")[2].splitlines()[0]
    assert own is None or groups.strip() == ""


def test_a_preloaded_process_that_died_ends_no_bot_and_is_replaced(
    start: Start, launcher: Launcher, bots: Path, lock: Lock
) -> None:
    pid = start(lock)
    died = preloaded(launcher)
    os.kill(died, signal.SIGKILL)
    other = Lock(bots / "locks" / "prod.beat")
    try:
        second = start(other)
        assert preloaded(launcher) != died
        assert (holding(lock).pid, holding(other).pid) == (pid, second)
    finally:
        end(other)


def test_letting_go_of_the_preloaded_process_ends_it_and_no_bot(
    start: Start, launcher: Launcher, bots: Path, lock: Lock
) -> None:
    start(lock)
    process = preloaded(launcher)
    launcher.close()

    assert not Path(f"/proc/{process}").exists()
    assert lock.held()


def test_a_python_without_freqtrade_starts_nothing_and_leaves_the_lock_free(
    start: Start, bots: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho no module named freqtrade, correct-horse >&2\nexit 1\n")
    broken.chmod(0o755)
    lock = Lock(tmp_path / "locks" / "test.beat")
    hidden = Redactor([Secret("correct-horse")])
    launcher = Launcher(bots=bots, python=str(broken), log=tmp_path / "log", hidden=hidden)

    with pytest.raises(CannotTell, match="could not be loaded"):
        start(lock, launcher)

    assert not lock.held()
    assert (tmp_path / "log").read_text() == "no module named freqtrade, [redacted]\n"


def test_a_bot_that_cannot_enter_its_folder_says_so(
    start: Start, launcher: Launcher, bots: Path, lock: Lock
) -> None:
    (bots / "test.beat" / "log").unlink(missing_ok=True)
    (bots / "test.beat" / "log").mkdir(parents=True)
    (bots / "test.beat" / "log" / "x").write_text("in the way")
    bots.chmod(0o700)
    try:
        start(lock)
        wait(lambda: not lock.held())
    finally:
        bots.chmod(0o755)
    log = bots / "preloaded.log"
    wait(lambda: "test.beat: [Errno 13] Permission denied" in log.read_text())


def test_what_could_not_be_started_leaves_no_descriptor_open(
    start: Start, bots: Path, tmp_path: Path
) -> None:
    launcher = Launcher(bots=bots, python="/bin/false")
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        with pytest.raises(CannotTell):
            start(Lock(tmp_path / "test.beat"), launcher)

    assert len(list(Path("/proc/self/fd").iterdir())) == before
