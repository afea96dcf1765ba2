"""What the agent observes of bots whose processes are real, and what it tells of it, once."""

import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families as families

from pipelines.adapters.health import Health
from pipelines.domain.health import CALM_ROUNDS
from pipelines.domain.protections import Unknown
from pipelines.domain.worth import Exposure
from pipelines.errors import CannotTell
from runner.agent.cli import rounded
from runner.agent.kept import Tally
from runner.agent.launcher import Launcher
from runner.monitoring import machine, metrics, pulse
from runner.monitoring.noted import Noted
from runner.monitoring.store import FILE, LOOKS
from tests.agent.light import Light, files, launched_by, light, project
from tests.agent.test_failures import filled
from tests.agent.train import Train

pytestmark = [pytest.mark.slow, pytest.mark.needs("ssh-keygen")]

GOOD = "class Beat: ...\n"
SEAT = ("test", "beat")
NOTED = Noted(
    equity=Decimal("1001.5"),
    exposure=Exposure({"BTC": Decimal(90)}),
    tally=Tally(sent=4, rejected=1),
)


@pytest.fixture(scope="module")
def train(root: Path, approver: Path, tmp_path_factory: pytest.TempPathFactory) -> Train:
    return project(root, tmp_path_factory.mktemp("train"), approver)


@pytest.fixture(scope="module")
def launcher(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launcher]:
    opened = launched_by(tmp_path_factory.mktemp("launcher"), root)
    yield opened
    opened.close()


@contextmanager
def running(train: Train, launcher: Launcher, home: Path) -> Iterator[Light]:
    """1.0.0 runs in test, verified and measured."""
    with light(train, launcher, home) as light_:
        light_.deliver(files(train, "1.0.0", GOOD)[1:])
        light_.settle()
        measured(light_)
        light_.agent.tick()
        yield light_


@pytest.fixture
def there(train: Train, launcher: Launcher, tmp_path: Path) -> Iterator[Light]:
    with running(train, launcher, tmp_path / "home") as light_:
        yield light_


def measured(there: Light) -> None:
    """What the guard would have measured."""
    there.agent.observing.guard.noted[SEAT] = NOTED


def told(there: Light, *kinds: str) -> list[str]:
    alerts = there.agent.alerts.every()
    return [alert.text for alert in alerts if alert.kind in (kinds or ("down", "degraded"))]


def health(there: Light, **of: str) -> Health:
    return Health.model_validate(there.ask("health", **of), strict=False)


def why(there: Light) -> dict[str, str]:
    (bot,) = health(there).bots
    return {each.check: each.text for each in bot.reasons}


def test_a_bot_that_works_is_healthy_and_observed(there: Light) -> None:
    seen = there.agent.observing.bots[SEAT].observation
    assert (seen.healthy, why(there)) == (True, {})
    assert (seen.equity, seen.exposure, seen.orders, seen.rejections) == (
        NOTED.equity,
        Decimal(90),
        4,
        1,
    )
    assert (seen.calls, seen.failures) == (0, 0)
    assert seen.memory is not None
    assert seen.memory > 10**6
    (span,) = there.agent.observing.store.spans(LOOKS, seen.series, there.now)[-1:]
    assert (span.healthy, span.figures["equity"]) == (1, NOTED.equity)


def test_status_and_explain_say_what_fails_and_since_when(there: Light) -> None:
    os.kill(pid(there), signal.SIGSTOP)
    there.now += timedelta(minutes=1)
    there.agent.tick()
    there.now += timedelta(minutes=5)
    there.agent.tick()
    os.kill(pid(there), signal.SIGKILL)
    (found,) = there.ask("status")["environments"][2]["strategies"]
    since = there.now - timedelta(minutes=5)
    (reason,) = found["reasons"]
    assert (found["healthy"], reason["check"], reason["state"]) == (False, "process", "failed")
    assert reason["since"] == since.isoformat().replace("+00:00", "Z")
    explained = there.ask(
        "explain", release=found["running"] or found["desired"], environment="test"
    )
    (said,) = (each["text"] for each in explained["grounds"] if each["because"] == "health")
    assert f"is not healthy since {since:%Y-%m-%d %H:%M} UTC: process: its process is" in said


def pid(there: Light) -> int:
    holder = there.lock("test").holder()
    assert holder is not None
    return holder.pid


def test_a_killed_bot_is_told_once_also_by_the_next_agent_and_its_way_back_once(
    there: Light,
) -> None:
    there.end_bot("test")
    there.agent.tick()
    assert told(there) == ["down: process: it does not run: failed"]
    since = there.agent.observing.standing(SEAT)
    there.agent.observing.store.close()
    there.open()
    measured(there)
    there.agent.tick()
    there.agent.tick()
    again = there.agent.observing.standing(SEAT)
    assert since is not None
    assert again is not None
    assert [i.since for i in again.ills.values()] == [i.since for i in since.ills.values()]
    assert told(there) == ["down: process: it does not run: failed"]
    there.now += timedelta(minutes=1)
    there.settle()
    measured(there)
    for _ in range(CALM_ROUNDS + 3):
        there.agent.tick()
    assert told(there, "recovered") == ["recovered: it can manage its orders again"]
    there.end_bot("test")
    there.agent.tick()
    assert len(told(there)) == 2


def test_a_bot_that_nobody_measures_is_not_healthy_and_that_is_no_no(there: Light) -> None:
    there.agent.observing.guard.noted.clear()
    there.agent.tick()
    (reason,) = health(there).bots[0].reasons
    assert (reason.check, reason.state) == ("limits", "unknown")
    there.agent.observing.guard.noted[SEAT] = replace(NOTED, blind=("max_drawdown",))
    there.agent.tick()
    assert why(there) == {"limits": "could not be evaluated: max_drawdown"}


def test_what_the_process_before_it_said_says_nothing_of_a_bot(there: Light) -> None:
    path = there.database("test").with_name(pulse.FILE)
    said = pulse.read(path)
    assert said is not None
    pulse.write(path, said.model_copy(update={"pid": said.pid + 1}))
    there.agent.tick()
    assert set(why(there)) == {"loop", "candles"}


def test_after_a_round_that_failed_nobody_knows_whether_limits_hold(there: Light) -> None:
    broken = there.train.project / "environments" / "demo" / "test.yaml"
    before = broken.read_text()
    broken.write_text("mode: nonsense\n")
    try:
        assert rounded(there.agent) is False
        assert why(there) == {"limits": "its limits were not measured in this round"}
    finally:
        broken.write_text(before)
    assert there.agent.observing.failed == 1


def test_one_that_no_round_has_seen_yet_is_not_healthy(there: Light) -> None:
    there.agent.observing.bots = {}
    (found,) = there.ask("status")["environments"][2]["strategies"]
    assert (found["healthy"], found["reasons"][0]["text"]) == (False, "no round has seen it yet")


def test_what_is_unknown_is_none_and_never_zero(there: Light) -> None:
    nothing = Unknown("no price")
    there.agent.observing.guard.noted[SEAT] = Noted(nothing, nothing, nothing)
    there.agent.tick()
    seen = there.agent.observing.bots[SEAT].observation
    assert (seen.equity, seen.exposure, seen.orders, seen.rejections) == (None,) * 4


def test_prometheus_reads_what_there_is_by_release_and_nothing_of_what_is_unknown(
    there: Light,
) -> None:
    server, _ = metrics.serve(there.agent.observing, 0)
    try:
        address = f"http://127.0.0.1:{server.server_port}/metrics"
        with urllib.request.urlopen(address, timeout=20) as answer:
            text = answer.read().decode()
    finally:
        server.shutdown()
        server.server_close()
    assert server.server_address[0] == metrics.LOOPBACK
    samples = {
        sample.name: sample
        for family in families(text)
        for sample in family.samples
        if sample.labels.get("check", "loop") == "loop"
    }
    release = there.agent.observing.bots[SEAT].observation.release
    labels = {"environment": "test", "strategy": "beat", "release": release}
    assert samples["sluice_bot_equity_stake"].labels == labels
    assert samples["sluice_bot_equity_stake"].value == 1001.5
    assert samples["sluice_bot_healthy"].value == 1
    assert samples["sluice_bot_check_failing"].value == 0
    assert samples["sluice_bot_cpu_seconds_total"].value >= 0
    assert samples["sluice_bot_resident_memory_bytes"].value > 10**6
    assert samples["sluice_agent_rounds_total"].value == there.agent.observing.rounds
    assert samples["sluice_host_disk_free_bytes"].value > 0
    assert "sluice_bot_slippage_ratio" not in samples, "nothing was traded"
    names = [figure.name for figure in metrics.FIGURES]
    assert len(set(names)) == len(names)


def test_a_port_that_is_taken_is_told(there: Light) -> None:
    server, _ = metrics.serve(there.agent.observing, 0)
    try:
        with pytest.raises(CannotTell, match=f"metrics: port {server.server_port} cannot be had"):
            metrics.serve(there.agent.observing, server.server_port)
    finally:
        server.shutdown()
        server.server_close()


def test_observations_that_cannot_be_kept_keep_no_round_from_its_work(there: Light) -> None:
    there.agent.observing.store.close()
    (there.home / FILE).unlink()
    (there.home / FILE).mkdir()
    there.agent.tick()
    assert health(there).bots[0].healthy


def on_a_small_disk(root: Path, mounted: Path) -> None:
    """The disk fills up while a bot runs, and has room again."""
    train, launcher = project(root, mounted, None), launched_by(mounted, root)
    with running(train, launcher, mounted / "another") as there:
        assert why(there) == {}, why(there)
        filled(mounted / "spare")
        for _ in range(3):
            rounded(there.agent)
        assert why(there)["disk"].startswith("0 MiB of disk are free"), why(there)
        (mounted / "spare").unlink()
        for _ in range(CALM_ROUNDS):
            there.agent.tick()
        assert why(there) == {}, why(there)
        assert told(there, "recovered") == ["the host: all is well again"], told(there, "host")
    launcher.close()


SMALL = """
import sys
from pathlib import Path
from tests.monitoring.test_observing import on_a_small_disk
on_a_small_disk(Path(sys.argv[1]), Path(sys.argv[2]))
print("whole")
"""


@pytest.mark.needs("bubblewrap")
def test_a_disk_that_is_really_full_is_told_and_that_it_has_room_again(
    root: Path, tmp_path: Path
) -> None:
    inside = tmp_path / "small"
    inside.mkdir()
    walls = ["bwrap", "--dev-bind", "/", "/", "--size", "300000000", "--tmpfs", str(inside)]
    ended = subprocess.run(
        [*walls, sys.executable, "-c", SMALL, str(root), str(inside)],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (0, "whole\n"), ended.stderr


def test_the_hottest_part_counts_and_a_machine_without_one_is_not_hot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "THERMAL", tmp_path)
    assert machine.heat() is None
    for number, told in enumerate(("41200", "83500", "broken")):
        (tmp_path / f"thermal_zone{number}").mkdir()
        (tmp_path / f"thermal_zone{number}" / "temp").write_text(told)
    assert machine.heat() == 83.5


def test_a_process_is_read_as_it_is() -> None:
    with subprocess.Popen(["sleep", "60"]) as child:
        found = machine.process(child.pid)
        assert found is not None
        assert (found.is_stopped, found.is_dead, found.uptime < 30) == (False, False, True)
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        dying = machine.process(child.pid)
        assert dying is not None
        assert dying.is_dead
    assert machine.process(child.pid) is None


def test_whatever_is_wrong_with_watching_the_round_is_done_and_nobody_is_called_healthy(
    there: Light, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ValueError("nobody thought of this")

    monkeypatch.setattr(there.agent.observing, "_look", broken)
    there.agent.tick()
    assert there.agent.observing.bots == {}
    assert [each for each in health(there).bots if each.healthy] == []
