"""Plans are values: what is done about every difference, and what is refused."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.domain.decision import Escalate, RollBack
from pipelines.domain.deployment import (
    MOST_FAILURES,
    Action,
    Bot,
    Halt,
    Obstacle,
    Phase,
    Refuse,
    Restart,
    Resume,
    Settings,
    Start,
    Stop,
    Verify,
    Wanted,
    back_off,
    desired,
    plan,
)
from pipelines.domain.entry import Halted, Held
from pipelines.domain.promotion import Kind, Promotion
from pipelines.domain.record import Line, Record

NOW = datetime(2026, 1, 1, tzinfo=UTC)
OLD, NEW = "a" * 64, "b" * 64
PAPER = Settings(config_digest="c", live=False, account=None)
MONEY = Settings(config_digest="c", live=True, account="main")
KEY = ("prod", "calm")


def promotion(digest: str = NEW, strategy: str = "calm", **more: Any) -> Promotion:
    said: dict[str, Any] = {
        "kind": Kind.PROMOTE,
        "environment": "prod",
        "strategy": strategy,
        "release": f"{strategy}@1.0.0+{digest[:8]}",
        "digest": digest,
        "by": "ada",
        "at": NOW,
    }
    return Promotion(**said | more)


def wanted(settings: Settings = PAPER, strategy: str = "calm", **changed: Any) -> Wanted:
    back = changed.pop("way_back", Escalate("prod", strategy, ("nothing to go back to",)))
    asked = promotion(changed.pop("digest", NEW), strategy)
    return replace(Wanted(asked, settings, False, back), **changed)


def bot(settings: Settings = PAPER, strategy: str = "calm", **changed: Any) -> Bot:
    made = Bot("prod", strategy, NEW, settings, Phase.RUNNING, NOW - timedelta(hours=1))
    return replace(made, **changed)


def planned(*given: Wanted | Bot, has_lease: bool = True) -> tuple[Action, ...]:
    asked = [each for each in given if isinstance(each, Wanted)]
    there = [each for each in given if isinstance(each, Bot)]
    return plan(asked, there, NOW, has_lease=has_lease)


def refused(obstacle: Obstacle, strategy: str = "calm") -> Refuse:
    return Refuse("prod", strategy, obstacle)


BACK = RollBack("prod", "calm", promotion(OLD), ())
W, B = wanted(), bot()
LIVE, LIVE_BOT = wanted(MONEY), bot(MONEY)
VERIFY = Verify(*KEY, halted=False)
OLDER = bot(digest=OLD)
FAILED = bot(phase=Phase.FAILED, failures=1)
WORN = bot(phase=Phase.FAILED, failures=MOST_FAILURES + 1)
ODD = bot(phase=Phase.VERIFYING, mismatch="another digest runs")

ROWS: list[tuple[str, tuple[Wanted | Bot, ...], tuple[Action, ...]]] = [
    ("nothing wanted, nothing there", (), ()),
    ("what is wanted runs", (W, B), ()),
    ("what is wanted is missing", (W,), (Start(W), VERIFY)),
    ("what is there is not wanted", (B,), (Stop(B),)),
    ("another release runs", (W, OLDER), (Stop(OLDER), Start(W), VERIFY)),
    (
        "another configuration runs",
        (W, bot(replace(PAPER, config_digest="d"))),
        (Stop(bot(replace(PAPER, config_digest="d"))), Start(W), VERIFY),
    ),
    (
        "another release has open trades",
        (W, replace(OLDER, open_trades=2)),
        (refused(Obstacle.OPEN_TRADES),),
    ),
    (
        "nobody knows about trades",
        (W, replace(OLDER, open_trades=None)),
        (refused(Obstacle.UNKNOWN_TRADES),),
    ),
    (
        "retired with open trades",
        (replace(B, open_trades=1),),
        (refused(Obstacle.OPEN_TRADES),),
    ),
    ("open trades of what is wanted are no obstacle", (W, replace(B, open_trades=3)), ()),
    (
        "what has to go and failed looks after its trades",
        (W, replace(OLDER, open_trades=1, phase=Phase.FAILED)),
        (
            refused(Obstacle.OPEN_TRADES),
            Restart(replace(OLDER, open_trades=1, phase=Phase.FAILED)),
            Verify(*KEY, halted=True),
        ),
    ),
    ("a bot that ended by itself", (W, FAILED), (Restart(FAILED), VERIFY)),
    ("a bot that ended just now", (W, replace(FAILED, since=NOW)), ()),
    (
        "a clock that went back",
        (W, replace(FAILED, since=NOW + timedelta(hours=1))),
        (
            Restart(replace(FAILED, since=NOW + timedelta(hours=1))),
            VERIFY,
        ),
    ),
    ("starting", (W, replace(B, phase=Phase.STARTING)), (VERIFY,)),
    ("verifying", (W, replace(B, phase=Phase.VERIFYING)), (VERIFY,)),
    ("wanted anew", (replace(W, verified=False), B), (VERIFY,)),
    (
        "wanted anew while halted",
        (wanted(halted=True, verified=False), bot(phase=Phase.HALTED)),
        (Verify(*KEY, halted=True),),
    ),
    ("halt", (wanted(halted=True), B), (Halt(B, "it was asked"),)),
    ("halted already", (wanted(halted=True), bot(phase=Phase.HALTED)), ()),
    (
        "starts without trading while halted",
        (wanted(halted=True),),
        (Start(wanted(halted=True)), Verify(*KEY, halted=True)),
    ),
    ("halted no more", (W, bot(phase=Phase.HALTED)), (Resume(bot(phase=Phase.HALTED)),)),
    (
        "paused is left alone",
        (W, bot(phase=Phase.PAUSED)),
        (),
    ),
    (
        "something else runs than was started",
        (wanted(way_back=BACK), ODD),
        (replace(BACK, reasons=("another digest runs",)), Stop(ODD)),
    ),
    (
        "something else runs, and there is no way back",
        (W, ODD),
        (Escalate(*KEY, ("another digest runs", "nothing to go back to")), Stop(ODD)),
    ),
    (
        "something else runs and has open trades",
        (wanted(way_back=BACK), replace(ODD, open_trades=1)),
        (
            Halt(replace(ODD, open_trades=1), "another digest runs"),
            refused(Obstacle.OPEN_TRADES),
        ),
    ),
    (
        "it ends again and again",
        (wanted(way_back=BACK), WORN),
        (replace(BACK, reasons=(f"it ended by itself {MOST_FAILURES + 1} times",)), Stop(WORN)),
    ),
    (
        "it ends again and again with open trades: it is not given up",
        (wanted(way_back=BACK), replace(WORN, open_trades=1)),
        (Restart(replace(WORN, open_trades=1)), VERIFY),
    ),
    (
        "one account, two strategies",
        (LIVE, wanted(MONEY, "wild")),
        (Start(LIVE), VERIFY, refused(Obstacle.ACCOUNT_TAKEN, "wild")),
    ),
    (
        "one account that may be shared",
        (
            wanted(replace(MONEY, shares_account=True)),
            wanted(replace(MONEY, shares_account=True), "wild"),
        ),
        (
            Start(wanted(replace(MONEY, shares_account=True))),
            VERIFY,
            Start(wanted(replace(MONEY, shares_account=True), "wild")),
            Verify("prod", "wild", halted=False),
        ),
    ),
    (
        "only one of the two may share",
        (wanted(replace(MONEY, shares_account=True), "wild"), LIVE_BOT, LIVE),
        (refused(Obstacle.ACCOUNT_TAKEN, "wild"),),
    ),
    (
        "the account is free once its bot is gone",
        (wanted(MONEY, "wild"), LIVE_BOT),
        (Stop(LIVE_BOT), Start(wanted(MONEY, "wild")), Verify("prod", "wild", halted=False)),
    ),
    (
        "the account is not free while its bot cannot go",
        (wanted(MONEY, "wild"), replace(LIVE_BOT, open_trades=1)),
        (refused(Obstacle.OPEN_TRADES), refused(Obstacle.ACCOUNT_TAKEN, "wild")),
    ),
    ("two bots of one release", (W, B, bot(identity="2")), (Stop(bot(identity="2")),)),
    ("two bots of one release, one with trades", (W, B, bot(open_trades=1)), (Stop(B),)),
]


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_every_difference_has_its_plan(
    row: tuple[str, tuple[Wanted | Bot, ...], tuple[Action, ...]],
) -> None:
    assert planned(*row[1]) == row[2]


@pytest.mark.parametrize(
    ("given_", "actions"),
    [
        ((LIVE,), (refused(Obstacle.NO_LEASE),)),
        ((W,), (Start(W), VERIFY)),
        ((LIVE, LIVE_BOT), (Halt(LIVE_BOT, "another agent may trade live"),)),
        ((LIVE, bot(MONEY, phase=Phase.HALTED)), ()),
        ((LIVE, bot(MONEY, phase=Phase.FAILED)), (refused(Obstacle.NO_LEASE),)),
        ((LIVE_BOT,), (Stop(LIVE_BOT),)),
    ],
)
def test_without_the_lease_nothing_trades_live(
    given_: tuple[Wanted | Bot, ...], actions: tuple[Action, ...]
) -> None:
    assert planned(*given_, has_lease=False) == actions


def test_waits_longer_each_time_and_never_for_ever() -> None:
    waits = [back_off(failures) for failures in range(1, 50)]
    assert waits == sorted(waits)
    assert (waits[0], waits[1], waits[-1]) == tuple(timedelta(seconds=s) for s in (10, 20, 600))
    assert back_off(0) == waits[0]


def record(*entries: Any) -> Record:
    return Record.of(Line(number, entry) for number, entry in enumerate(entries, 1))


def test_what_is_wanted_follows_from_the_record() -> None:
    halt = Halted(environment="prod", strategy="*", by="ada", at=NOW)
    hold = Held(environment="prod", strategy="calm", by="ada", at=NOW)
    retired = Promotion(kind=Kind.RETIRE, environment="prod", strategy="wild", by="ada", at=NOW)
    told = record(
        promotion(OLD),
        promotion(NEW),
        promotion(OLD, "wild"),
        retired,
        promotion(OLD, environment="test"),
        halt,
        hold,
    )
    (found,) = desired(told, lambda each: MONEY if each.environment == "prod" else None)
    assert (found.promotion.digest, found.settings, found.halted) == (NEW, MONEY, True)
    assert isinstance(found.way_back, Escalate)


# For everything that may be wanted and there.

SETTINGS = st.builds(
    Settings,
    config_digest=st.sampled_from("cd"),
    live=st.booleans(),
    account=st.sampled_from([None, "main", "other"]),
    shares_account=st.booleans(),
)
STRATEGIES = st.sampled_from(["calm", "wild", "odd"])
DIGESTS = st.sampled_from([OLD, NEW])
WANTED = st.lists(
    st.builds(
        wanted, SETTINGS, STRATEGIES, halted=st.booleans(), digest=st.sampled_from([OLD, NEW])
    ),
    unique_by=lambda each: each.key,
)
BOTS = st.lists(
    st.builds(
        bot,
        SETTINGS,
        STRATEGIES,
        digest=DIGESTS,
        phase=st.sampled_from([phase for phase in Phase if phase is not Phase.ABSENT]),
        open_trades=st.sampled_from([0, 0, 0, 1, None]),
        failures=st.integers(0, 9),
        mismatch=st.sampled_from(["", "", "", "another digest"]),
    ),
    unique_by=lambda each: each.key,
)


def carried_out(
    asked: list[Wanted], there: list[Bot], actions: tuple[Action, ...]
) -> tuple[list[Wanted], list[Bot]]:
    """What is wanted and there after a plan, all of it going well."""
    asked, there = list(asked), list(there)
    for action in actions:
        match action:
            case Start(each):
                settled = Bot(
                    *each.key, str(each.promotion.digest), each.settings, Phase.STARTING, NOW
                )
                there.append(settled)
            case Stop(one):
                assert one.open_trades == 0
                there.remove(one)
            case Restart(one):
                there[there.index(one)] = replace(one, phase=Phase.STARTING, since=NOW)
            case Verify(environment, strategy, halted):
                key = (environment, strategy)
                at = next(n for n, b in enumerate(there) if b.key == key and b.phase in FRESH)
                phase = Phase.HALTED if halted else Phase.RUNNING
                there[at] = replace(there[at], phase=phase)
            case Halt(one, _):
                there[there.index(one)] = replace(one, phase=Phase.HALTED)
            case Resume(one):
                there[there.index(one)] = replace(one, phase=Phase.RUNNING)
            case RollBack() | Escalate():
                asked = [
                    each for each in asked if each.key != (action.environment, action.strategy)
                ]
            case Refuse():
                pass
    return asked, there


FRESH = (Phase.STARTING, Phase.VERIFYING)


@given(WANTED, BOTS, st.booleans())
def test_a_plan_carried_out_leaves_nothing_but_what_is_refused(
    asked: list[Wanted], there: list[Bot], has_lease: bool
) -> None:
    first = plan(asked, there, NOW, has_lease=has_lease)
    after = carried_out(asked, there, first)
    again = plan(*after, NOW, has_lease=has_lease)
    assert [action for action in again if not isinstance(action, Refuse)] == []


@given(WANTED, BOTS, st.booleans(), st.randoms(use_true_random=False))
def test_a_plan_does_not_depend_on_the_order_in_which_bots_are_found(
    asked: list[Wanted], there: list[Bot], has_lease: bool, dice: Any
) -> None:
    shuffled = dice.sample(there, len(there))
    told = [plan(asked, found, NOW, has_lease=has_lease) for found in (there, shuffled)]
    assert told[0] == told[1]


@given(WANTED, st.booleans())
def test_never_two_bots_on_one_account_that_is_not_shared(
    asked: list[Wanted], has_lease: bool
) -> None:
    _, there = carried_out(asked, [], plan(asked, [], NOW, has_lease=has_lease))
    alone = [b.settings for b in there if b.settings.account and not b.settings.shares_account]
    for settings in alone:
        assert [b.settings.account for b in there].count(settings.account) == 1
    assert has_lease or not any(b.settings.live for b in there)
