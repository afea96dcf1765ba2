"""Whatever is asked, whoever is killed, whichever way the clock goes: what must hold does hold.

The agent, its ledger, launcher, locks and files are the real ones, and so are kill -9 and the
processes of bots, which are light: see stand_in.py. tests/domain/test_train.py has the same of the
rules alone.
"""

import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from pipelines.domain.release import Release
from pipelines.errors import Refused, SluiceError
from runner.agent.launcher import Launcher
from tests.agent.doomed import STEPS
from tests.agent.light import Light, files, launched_by, project
from tests.agent.train import Train

pytestmark = [pytest.mark.slow, pytest.mark.needs("ssh-keygen")]

GOOD = "class Beat: ...\n"
CODES = {
    "1.0.0": GOOD,
    "1.1.0": GOOD,
    "1.2.0": GOOD + "# MEDDLES\n",
    "1.3.0": GOOD + "# DIES\n",
    "1.4.0": GOOD,
}
UPSTREAM = {"sandbox": "test", "prod": "sandbox"}
ENVIRONMENTS = ["test", "sandbox", "prod"]
MOST_STEPS = 60
"""More than a round has: some agents that are to be killed live."""

environments = st.sampled_from(ENVIRONMENTS)
versions = st.sampled_from(list(CODES))


class Machine(RuleBasedStateMachine):
    """People, an agent that is killed, bots that are killed, and a clock."""

    train: ClassVar[Train]
    launcher: ClassVar[Launcher]
    releases: ClassVar[dict[str, tuple[Release, bytes, bytes]]]

    def __init__(self) -> None:
        super().__init__()
        self.home = Path(tempfile.mkdtemp(prefix="sluice-light-"))
        self.light = Light(self.train, self.launcher, self.home)
        self.died: set[str] = set()

    def teardown(self) -> None:
        self.light.close()
        shutil.rmtree(self.home)

    def release(self, version: str) -> Release:
        return self.releases[version][0]

    # What people ask for.

    @initialize(far=st.integers(0, 2))
    def something_soaked(self, far: int) -> None:
        """Without a start hardly any run would reach prod."""
        self.deliver("1.0.0")
        for name in ENVIRONMENTS[: far + 1]:
            if name != "test":
                self.promote("1.0.0", name, 1, signed=True)
            self.settle()
            self.light.soak(name)

    @rule(version=versions)
    def deliver(self, version: str) -> None:
        _, tar, dsse = self.releases[version]
        with suppress(Refused):
            self.light.deliver((tar, dsse))

    @rule(
        version=versions,
        environment=environments,
        step=st.sampled_from([1, 1, 2]),
        signed=st.sampled_from([True, True, False]),
    )
    def promote(self, version: str, environment: str, step: int, signed: bool) -> None:
        release = str(self.release(version).id)
        if signed and environment != "test":
            self.approve(version, environment, step)
        self.asks("promote", release=release, environment=environment, step=step)

    @rule(version=versions, environment=st.sampled_from(["sandbox", "prod"]))
    def approve(self, version: str, environment: str, step: int = 1) -> None:
        with suppress(SluiceError):
            self.light.approve(self.release(version), environment, step)

    @rule(
        verb=st.sampled_from(["rollback", "hold", "unhold", "halt", "resume", "retire"]),
        environment=environments,
    )
    def say(self, verb: str, environment: str) -> None:
        self.asks(verb, environment=environment)

    def asks(self, verb: str, **args: Any) -> None:
        before = self.light.entries()
        try:
            self.light.ask(verb, **args)
        except SluiceError:
            assert self.light.entries() == before, "what is refused leaves nothing behind"

    # What happens.

    @rule(hours=st.sampled_from([1, 5, 200, -3]))
    def clock(self, hours: int) -> None:
        """It goes on, jumps, and goes back."""
        self.light.now += timedelta(hours=hours)

    @rule(environment=environments)
    def soak(self, environment: str) -> None:
        if self.light.runs(environment):
            self.light.soak(environment)

    @rule(environment=environments, count=st.integers(0, 1))
    def trades_are_open(self, environment: str, count: int) -> None:
        if self.light.runs(environment):
            self.light.trades(environment, opened=count)

    @rule(environment=environments)
    def kill_bot(self, environment: str) -> None:
        self.light.end_bot(environment)

    @rule(step=st.integers(1, MOST_STEPS), version=st.none() | versions)
    def kill_agent(self, step: int, version: str | None) -> None:
        """An agent takes a release, or not, makes a round, and is killed at a step of it."""
        self.light.agent.ledger.close()
        child = os.fork()
        if child == 0:
            self.doomed(step, version)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) in {0, -signal.SIGKILL}
        self.light.open()

    def doomed(self, step: int, version: str | None) -> None:
        code = 1
        try:
            sys.addaudithook(STEPS.hook)
            sa.event.listen(sa.Engine, "before_cursor_execute", STEPS.statement)
            sa.event.listen(sa.Engine, "commit", STEPS.one)
            self.light.open()
            STEPS.gone, STEPS.last = 0, step
            if version:
                self.deliver(version)
            self.light.agent.tick()
            code = 0
        finally:
            os._exit(code)

    @rule()
    def tick(self) -> None:
        self.light.agent.tick()

    @rule()
    def settle(self) -> None:
        """Left alone, every environment runs exactly what is wanted, or says why it does not."""
        for _ in range(3):
            self.light.settle()
            self.light.now += timedelta(minutes=11)
        self.light.settle()
        for environment in ENVIRONMENTS:
            key = (environment, "beat")
            wanted = self.light.agent.record.track(*key).current
            if key in self.light.agent.refused:
                told = self.light.agent.refused[key]
                assert any(each in text for each in told for text in self.light.alerts())
                continue
            runs = self.light.runs(environment)
            dies = wanted is not None and wanted.digest == self.release("1.3.0").digest
            assert runs == (wanted.digest if wanted else None) or dies

    @rule(version=st.sampled_from(["1.1.0", "1.2.0", "1.3.0"]))
    def ship(self, version: str) -> None:
        """A change goes out, good or bad, and everybody waits for what comes of it."""
        self.light.trades("test", opened=0)
        self.deliver(version)
        self.settle()

    # What must hold at every moment.

    @invariant()
    def nothing_came_that_was_not_verified_upstream(self) -> None:
        entries = self.light.entries()
        for number, entry in enumerate(entries):
            upstream = UPSTREAM.get(entry.get("environment", ""))
            if entry["entry"] != "promotion" or entry["kind"] != "promote" or not upstream:
                continue
            said = [
                each["entry"]
                for each in entries[:number]
                if each["entry"] in ("verified", "unverified")
                and (each["environment"], each["digest"]) == (upstream, entry["digest"])
            ]
            assert said[-1:] == ["verified"], (entry, said)

    @invariant()
    def never_two_bots_and_each_is_one_that_was_wanted(self) -> None:
        wanted = {
            (each["environment"], each["digest"])
            for each in self.light.entries()
            if each["entry"] == "promotion"
        }
        for name, processes in self.light.running().items():
            environment = name.partition(".")[0]
            assert len(processes) == 1, (name, processes)
            with suppress(SluiceError):
                if runs := self.light.runs(environment):
                    assert (environment, runs) in wanted

    @invariant()
    def each_failure_has_an_alert(self) -> None:
        alerts = self.light.alerts()
        for entry in self.light.entries():
            if entry["entry"] == "unverified":
                assert f"what runs is not the release: {entry['reason']}" in alerts
            elif entry["entry"] == "escalated":
                assert f"no bot until somebody promotes: {entry['reason']}" in alerts
            elif entry["entry"] == "promotion" and entry["automatic"]:
                assert entry["reason"] in alerts


@pytest.fixture(scope="module")
def machine(
    root: Path, approver: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[type[Machine]]:
    folder = tmp_path_factory.mktemp("light")
    Machine.train = project(root, folder, approver)
    Machine.launcher = launched_by(folder, root)
    Machine.releases = {
        version: files(Machine.train, version, code) for version, code in CODES.items()
    }
    # Forks share it, and the agents that are killed leave it alone.
    Machine.launcher._loaded()
    yield Machine
    Machine.launcher.close()


def test_whatever_happens_what_must_hold_does(machine: type[Machine]) -> None:
    how = settings(
        max_examples=8,
        stateful_step_count=18,
        deadline=None,
        # Each run is a train with processes: what failed is read sooner than made smaller.
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(machine, settings=how)
