"""Other releases for real bots: over open trades, back again, and never back twice."""

from collections.abc import Iterator

import pytest

from pipelines.adapters.agent import StrategyStatus
from pipelines.domain.deployment import MOST_FAILURES
from pipelines.domain.release import Release
from pipelines.errors import ExitCode
from tests.agent.conftest import Lay
from tests.agent.train import Train
from tests.exchange.test_live_bot import BEAT

pytestmark = pytest.mark.freqtrade

DIES = BEAT + "\n    def bot_start(self, **kwargs):\n        import os\n        os._exit(3)\n"
"""Ends its bot as soon as it is started."""

MEDDLES = (
    BEAT
    + "\n    def bot_start(self, **kwargs):\n"
    + "        self.config['original_config']['max_open_trades'] = 99\n"
)
"""Runs with another configuration than it was given."""

MOST_HOURS = 12


@pytest.fixture(scope="module")
def train(lay: Lay) -> Iterator[Train]:
    """An agent whose test runs beat 1.0.0, verified."""
    with lay() as laid:
        laid.secret("sandbox")
        laid.start()
        laid.want("test", laid.release("1.0.0"))
        laid.until_phase("test", "running")
        yield laid


@pytest.fixture(scope="module")
def old(train: Train) -> Release:
    return train.release("1.0.0")


@pytest.fixture(scope="module")
def new(train: Train) -> Release:
    return train.release("1.1.0")


def stepped_until(train: Train, open_: bool) -> StrategyStatus:
    """The bot in test, once it has open trades, or none."""
    for _ in range(MOST_HOURS):
        there = train.strategy("test")
        if bool(there.open_trades) is open_:
            return there
        train.step(1)
    raise AssertionError(train.told())


@pytest.fixture(scope="module")
def refused(train: Train, old: Release, new: Release) -> StrategyStatus:
    """A new release was wanted while trades were open."""
    stepped_until(train, open_=True)
    train.want("test", new)
    return train.strategy("test")


@pytest.fixture(scope="module")
def switched(train: Train, refused: StrategyStatus, new: Release) -> StrategyStatus:
    """The same, once its trades were closed."""
    stepped_until(train, open_=False)
    return train.until_running("test", new)


@pytest.fixture(scope="module")
def back(train: Train, switched: StrategyStatus, old: Release) -> StrategyStatus:
    """The same, rolled back by hand."""
    stepped_until(train, open_=False)
    assert train.sluice("rollback", "test", "--reason", "worse").returncode == 0
    return train.until_running("test", old)


def test_a_release_that_meets_open_trades_is_refused_with_that_reason(
    train: Train, refused: StrategyStatus, old: Release, new: Release
) -> None:
    assert (refused.running, refused.desired) == (str(old.id), str(new.id))
    assert refused.decision == "open trades"
    assert refused.phase == "draining", "what runs goes on looking after its trades"
    assert refused.healthy, "it can manage them"
    told = [alert.text for alert in train.alerts()]
    assert told == ["drains: another release takes its place", "Refuse: open trades"]


def test_without_open_trades_it_is_switched(switched: StrategyStatus, new: Release) -> None:
    assert (switched.running, switched.decision) == (str(new.id), "")


def test_a_rollback_leads_back_and_leaves_a_hold(
    train: Train, back: StrategyStatus, old: Release, new: Release
) -> None:
    assert (back.running, back.desired) == (str(old.id), str(old.id))
    ended = train.sluice("promote", str(new.id), "test")
    assert ended.returncode == ExitCode.REFUSED
    assert f"hold: test is on hold since {new.id} was taken back" in ended.stderr
    assert "'sluice unhold test'" in ended.stderr


def test_a_rollback_is_never_rolled_back(train: Train, back: StrategyStatus) -> None:
    before = train.counted()
    ended = train.sluice("rollback", "test")

    assert ended.returncode == ExitCode.REFUSED
    assert "beat: what is wanted here came by a rollback already" in ended.stderr
    assert {**train.counted(), "seen": 0} == {**before, "seen": 0}


def test_what_is_wanted_again_while_it_runs_is_read_back_again(
    train: Train, back: StrategyStatus, old: Release
) -> None:
    """Or else its soak would never count again."""
    pid, before = train.pid("test"), train.counted()["verified"]
    train.want("test", old)

    train.until_running("test", old)

    assert train.counted()["verified"] == before + 1
    assert train.pid("test") == pid


def test_a_release_that_keeps_dying_is_given_up_for_the_last_verified_one(
    train: Train, back: StrategyStatus, old: Release
) -> None:
    stepped_until(train, open_=False)
    bad = train.release("1.2.0", DIES)
    train.want("test", bad)
    seen: set[int] = set()

    def given_up() -> bool:
        member = train.house.record("test", "beat").read_text()
        seen.add(int(member.partition('"failures":')[2].partition(",")[0]))
        train.exchange.step(minutes=11)
        return train.strategy("test").desired == str(old.id)

    train.until(given_up)

    assert max(seen) <= MOST_FAILURES + 1
    assert len(seen) > MOST_FAILURES - 1, "it was tried again as often as that"
    there = train.until_running("test", old)
    assert there.healthy
    reason = f"it ended by itself {MOST_FAILURES + 1} times"
    assert any(reason in alert.text for alert in train.alerts())
    (told,) = (e for e in train.entries() if e.get("automatic"))
    assert (told["kind"], told["release"], told["by"]) == ("rollback", str(old.id), "agent")
    assert "verified" not in [e["entry"] for e in train.entries() if e.get("digest") == bad.digest]


def test_what_runs_otherwise_than_it_was_told_never_trades(train: Train) -> None:
    """In sandbox nothing was verified before: there is nothing to go back to."""
    meddling = train.release("2.0.0", MEDDLES)
    sent = train.exchange.ask("status").orders_sent
    train.want("sandbox", meddling)

    there = train.until_phase("sandbox", "absent")
    train.step(5)

    assert (there.desired, there.running, there.verified) == (None, None, False)
    assert "what runs" not in there.decision
    assert "configuration: should be" in there.decision
    assert train.exchange.ask("status").orders_sent == sent
    counted = train.counted()
    assert (counted["unverified"], counted["escalated"]) == (1, 1)
    money = [alert.text for alert in train.alerts("money")]
    assert any(text.startswith("what runs is not the release") for text in money)
    assert any(text.startswith("no bot until somebody promotes") for text in money)
    assert not train.house.lock("sandbox", "beat").held()


def test_a_file_that_was_changed_after_it_was_unpacked_is_never_started(train: Train) -> None:
    release = train.release("3.0.0")
    train.want("sandbox", release)
    train.until_phase("sandbox", "running")
    deployed = train.house.deployed(release.digest) / "beat" / "strategy.py"
    deployed.write_text(deployed.read_text().replace("stoploss = -0.2", "stoploss = -0.9"))

    train.end_bot(train.house.lock("sandbox", "beat"))
    train.until_phase("sandbox", "failed")
    train.exchange.step(minutes=1)
    there = train.strategy("sandbox")

    assert "beat/strategy.py is not what was packed" in there.decision
    assert (there.running, there.healthy) == (None, False)
    assert any("is not what was packed" in alert.text for alert in train.alerts())

    deployed.write_text(deployed.read_text().replace("stoploss = -0.9", "stoploss = -0.2"))
    train.until_running("sandbox", release)


def test_without_its_secrets_no_bot_is_started(train: Train, old: Release) -> None:
    train.want("prod", old)
    there = train.strategy("prod")

    for name in ("exchange_key", "exchange_secret"):
        assert f"secrets: should be prod/prod {name} on the host, got none" in there.decision
    assert (there.phase, there.running) == ("absent", None)
    assert not train.house.lock("prod", "beat").held()
