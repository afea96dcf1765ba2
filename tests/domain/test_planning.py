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
    Adopt,
    Bot,
    Close,
    Drain,
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
    desired,
)
from pipelines.domain.entry import Halted, Held
from pipelines.domain.handover import FIRST, SECOND, Farewell, Objection, Then, Way
from pipelines.domain.planning import back_off, plan
from pipelines.domain.promotion import Kind, Promotion, Risk
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


AGO, SOON = NOW - timedelta(hours=1), NOW + timedelta(hours=1)
REPLACED = "another release takes its place"
LOOSER = Objection(Risk.LOOSER_STOP, "the stop is loosened")
ADOPTS = Farewell(Way.ADOPT)
BESIDE = Farewell(Way.SIDE_BY_SIDE)


def drained(bot: Bot) -> Drain:
    return Drain(bot, REPLACED)


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
        (drained(replace(OLDER, open_trades=2)), refused(Obstacle.OPEN_TRADES)),
    ),
    (
        "nobody knows about trades",
        (W, replace(OLDER, open_trades=None)),
        (drained(replace(OLDER, open_trades=None)), refused(Obstacle.UNKNOWN_TRADES)),
    ),
    (
        "retired with open trades",
        (replace(B, open_trades=1),),
        (Drain(replace(B, open_trades=1), "it is not wanted"), refused(Obstacle.OPEN_TRADES)),
    ),
    ("open trades of what is wanted are no obstacle", (W, replace(B, open_trades=3)), ()),
    (
        "what has to go and failed looks after its trades",
        (W, replace(OLDER, open_trades=1, phase=Phase.FAILED)),
        (
            Restart(replace(OLDER, open_trades=1, phase=Phase.FAILED), drains=True),
            Verify(*KEY, halted=False, drains=True),
            refused(Obstacle.OPEN_TRADES),
        ),
    ),
    ("a bot that ended by itself", (W, FAILED), (Restart(FAILED), VERIFY)),
    (
        "a live one that ended by itself",
        (LIVE, replace(FAILED, settings=MONEY)),
        (Restart(replace(FAILED, settings=MONEY)), VERIFY),
    ),
    ("a bot that ended just now", (W, replace(FAILED, since=NOW)), ()),
    (
        "a bot whose time to wait is just over",
        (W, replace(FAILED, since=NOW - timedelta(seconds=10))),
        (Restart(replace(FAILED, since=NOW - timedelta(seconds=10))), VERIFY),
    ),
    ("one that runs is not given up for how often it ended", (W, bot(failures=9)), ()),
    (
        "on paper nobody has an account to himself",
        (W, wanted(PAPER, "wild")),
        (Start(W), VERIFY, Start(wanted(PAPER, "wild")), Verify("prod", "wild", halted=False)),
    ),
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
        "paused is looked at until it has its trades in hand",
        (W, bot(phase=Phase.PAUSED)),
        (VERIFY,),
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
            replace(BACK, reasons=("another digest runs",)),
            Drain(replace(ODD, open_trades=1), "another digest runs"),
        ),
    ),
    (
        "it ends again and again",
        (wanted(way_back=BACK), WORN),
        (replace(BACK, reasons=(f"it ended by itself {MOST_FAILURES + 1} times",)), Stop(WORN)),
    ),
    (
        "it was verified and ends again and again with open trades: it is not given up",
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
        "two accounts",
        (LIVE, wanted(replace(MONEY, account="other"), "wild")),
        (
            Start(LIVE),
            VERIFY,
            Start(wanted(replace(MONEY, account="other"), "wild")),
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
        (
            Drain(replace(LIVE_BOT, open_trades=1), "it is not wanted"),
            refused(Obstacle.OPEN_TRADES),
            refused(Obstacle.ACCOUNT_TAKEN, "wild"),
        ),
    ),
    ("two bots of one release", (W, B, bot(identity="2")), (Stop(bot(identity="2")),)),
    ("two bots of one release, one with trades", (W, B, bot(open_trades=1)), (Stop(B),)),
]


HELD = replace(OLDER, open_trades=1)
QUIET = replace(HELD, phase=Phase.DRAINING)
DEAD = replace(HELD, phase=Phase.FAILED, failures=1)
LEFT = replace(HELD, phase=Phase.ABSENT)
SIDE = replace(PAPER, config_digest="aside")
BOTH = wanted(aside=SIDE)
ASIDE = bot(SIDE, berth=SECOND)
VERIFY_ASIDE = Verify(*KEY, halted=False, berth=SECOND)


def parting(bot: Bot, farewell: Farewell, *objections: Objection) -> Bot:
    return replace(bot, farewell=replace(farewell, objections=objections))


def late(then: Then) -> Farewell:
    return Farewell(Way.DRAIN, AGO, then)


HANDOVERS: list[tuple[str, tuple[Wanted | Bot, ...], tuple[Action, ...]]] = [
    ("it drains already", (W, QUIET), (refused(Obstacle.OPEN_TRADES),)),
    (
        "what drained is flat",
        (W, replace(QUIET, open_trades=0)),
        (Stop(replace(QUIET, open_trades=0)), Start(W), VERIFY),
    ),
    (
        "a drained one that is wanted again",
        (W, bot(phase=Phase.DRAINING, open_trades=1)),
        (VERIFY,),
    ),
    (
        "a dead one drains again",
        (W, DEAD),
        (
            Restart(DEAD, drains=True),
            Verify(*KEY, halted=False, drains=True),
            refused(Obstacle.OPEN_TRADES),
        ),
    ),
    (
        "one that was left just now does not wait",
        (W, replace(LEFT, since=NOW)),
        (
            Restart(replace(LEFT, since=NOW), drains=True),
            Verify(*KEY, halted=False, drains=True),
            refused(Obstacle.OPEN_TRADES),
        ),
    ),
    (
        "one that ended five times stays alive often enough to drain",
        (W, replace(DEAD, failures=5)),
        (
            Restart(replace(DEAD, failures=5), drains=True),
            Verify(*KEY, halted=False, drains=True),
            refused(Obstacle.OPEN_TRADES),
        ),
    ),
    (
        "one that is another than it should be is not read back before it drains",
        (W, replace(ODD, digest=OLD, open_trades=1)),
        (drained(replace(ODD, digest=OLD, open_trades=1)), refused(Obstacle.OPEN_TRADES)),
    ),
    (
        "objections are nobody's obstacle while it drains",
        (W, parting(QUIET, Farewell(), LOOSER)),
        (refused(Obstacle.OPEN_TRADES),),
    ),
    (
        "nor where nothing is wanted",
        (parting(QUIET, ADOPTS, LOOSER),),
        (refused(Obstacle.OPEN_TRADES),),
    ),
    (
        "a halted one drains all the same",
        (W, replace(HELD, phase=Phase.HALTED)),
        (drained(replace(HELD, phase=Phase.HALTED)), refused(Obstacle.OPEN_TRADES)),
    ),
    (
        "one that is just read back goes on to drain",
        (W, replace(HELD, phase=Phase.VERIFYING)),
        (Verify(*KEY, halted=False, drains=True), refused(Obstacle.OPEN_TRADES)),
    ),
    # After a reboot nothing tells whose the trades are but the owner that was written down.
    (
        "after a reboot another's trades are not taken over",
        (W, LEFT),
        (
            Restart(LEFT, drains=True),
            Verify(*KEY, halted=False, drains=True),
            refused(Obstacle.OPEN_TRADES),
        ),
    ),
    (
        "after a reboot its own trades are",
        (W, bot(phase=Phase.ABSENT, open_trades=1)),
        (Start(W), VERIFY),
    ),
    (
        "after a reboot its own trades are, and its account is not taken by itself",
        (LIVE, replace(LIVE_BOT, phase=Phase.ABSENT, open_trades=1)),
        (Start(LIVE), VERIFY),
    ),
    (
        "trades of nobody, and nothing is wanted",
        (replace(LEFT, digest=""),),
        (refused(Obstacle.LEFT_ALONE),),
    ),
    (
        "trades of nobody, with objections",
        (W, parting(replace(LEFT, digest=""), ADOPTS, LOOSER)),
        (Refuse(*KEY, Obstacle.LEFT_ALONE, ("the stop is loosened (looser-stop)",)),),
    ),
    (
        "trades of nobody that are signed for",
        (W, replace(LEFT, digest="")),
        (Adopt(replace(LEFT, digest=""), W), VERIFY),
    ),
    # adopt
    (
        "one that still trades is paused before it is adopted",
        (W, parting(HELD, ADOPTS)),
        (drained(parting(HELD, ADOPTS)), refused(Obstacle.OPEN_TRADES)),
    ),
    ("adopted", (W, parting(QUIET, ADOPTS)), (Adopt(parting(QUIET, ADOPTS), W), VERIFY)),
    *(
        (
            f"one that is {phase} is adopted at once",
            (W, parting(replace(HELD, phase=phase), ADOPTS)),
            (Adopt(parting(replace(HELD, phase=phase), ADOPTS), W), VERIFY),
        )
        for phase in (Phase.HALTED, Phase.PAUSED)
    ),
    (
        "a live one is adopted",
        (LIVE, parting(replace(QUIET, settings=MONEY), ADOPTS)),
        (Adopt(parting(replace(QUIET, settings=MONEY), ADOPTS), LIVE), VERIFY),
    ),
    (
        "the account of what is adopted is taken",
        (LIVE, parting(replace(QUIET, settings=MONEY), ADOPTS), wanted(MONEY, "wild")),
        (
            Adopt(parting(replace(QUIET, settings=MONEY), ADOPTS), LIVE),
            VERIFY,
            refused(Obstacle.ACCOUNT_TAKEN, "wild"),
        ),
    ),
    (
        "one that drains looks after its trades however often it ended before",
        (W, replace(QUIET, failures=9)),
        (refused(Obstacle.OPEN_TRADES),),
    ),
    (
        "one in a berth that the environment has no more is not adopted",
        (W, parting(replace(QUIET, settings=SIDE, berth=SECOND), ADOPTS)),
        (refused(Obstacle.OPEN_TRADES),),
    ),
    ("a second berth alone lets nothing start", (BOTH, QUIET), (refused(Obstacle.OPEN_TRADES),)),
    (
        "a dead one is adopted",
        (W, parting(DEAD, ADOPTS)),
        (Adopt(parting(DEAD, ADOPTS), W), VERIFY),
    ),
    (
        "one that a reboot left is adopted",
        (W, parting(LEFT, ADOPTS)),
        (Adopt(parting(LEFT, ADOPTS), W), VERIFY),
    ),
    (
        "adoption is refused: it drains",
        (W, parting(HELD, ADOPTS, LOOSER)),
        (
            drained(parting(HELD, ADOPTS, LOOSER)),
            Refuse(*KEY, Obstacle.OBJECTIONS, ("the stop is loosened (looser-stop)",)),
        ),
    ),
    (
        "unknown trades are not adopted",
        (W, parting(replace(QUIET, open_trades=None), ADOPTS)),
        (refused(Obstacle.UNKNOWN_TRADES),),
    ),
    (
        "one that cannot stay alive is adopted whatever is declared",
        (W, replace(DEAD, failures=MOST_FAILURES + 1)),
        (Adopt(replace(DEAD, failures=MOST_FAILURES + 1), W), VERIFY),
    ),
    (
        "one that cannot stay alive, with objections",
        (W, parting(replace(DEAD, failures=MOST_FAILURES + 1), Farewell(), LOOSER)),
        (
            Restart(
                parting(replace(DEAD, failures=MOST_FAILURES + 1), Farewell(), LOOSER), drains=True
            ),
            Verify(*KEY, halted=False, drains=True),
            Refuse(*KEY, Obstacle.LEFT_ALONE, ("the stop is loosened (looser-stop)",)),
        ),
    ),
    (
        "what never was verified and keeps dying is rolled back over its trades",
        (wanted(way_back=BACK, verified=False), replace(WORN, open_trades=1)),
        (
            replace(BACK, reasons=(f"it ended by itself {MOST_FAILURES + 1} times",)),
            Restart(replace(WORN, open_trades=1), drains=True),
            Verify(*KEY, halted=False, drains=True),
        ),
    ),
    (
        "a rollback without a predecessor drains",
        (W, replace(ODD, open_trades=1)),
        (
            Escalate(*KEY, ("another digest runs", "nothing to go back to")),
            Drain(replace(ODD, open_trades=1), "another digest runs"),
        ),
    ),
    (
        "nothing wanted is adopted by nobody",
        (parting(QUIET, ADOPTS),),
        (refused(Obstacle.OPEN_TRADES),),
    ),
    # deadline
    (
        "before the deadline",
        (W, parting(QUIET, Farewell(Way.DRAIN, SOON, Then.CLOSE_AT_MARKET))),
        (refused(Obstacle.OPEN_TRADES),),
    ),
    (
        "at the deadline it keeps draining",
        (W, parting(QUIET, late(Then.KEEP_DRAINING))),
        (Refuse(*KEY, Obstacle.OPEN_TRADES, ("its time to drain is over",)),),
    ),
    (
        "at the deadline it is closed",
        (W, parting(QUIET, late(Then.CLOSE_AT_MARKET))),
        (
            Close(parting(QUIET, late(Then.CLOSE_AT_MARKET))),
            Refuse(*KEY, Obstacle.OPEN_TRADES, ("its time to drain is over",)),
        ),
    ),
    (
        "retired, and at the deadline closed",
        (parting(QUIET, late(Then.CLOSE_AT_MARKET)),),
        (
            Close(parting(QUIET, late(Then.CLOSE_AT_MARKET))),
            Refuse(*KEY, Obstacle.OPEN_TRADES, ("its time to drain is over",)),
        ),
    ),
    (
        "at the deadline a dead one starts before it closes",
        (W, parting(DEAD, late(Then.CLOSE_AT_MARKET))),
        (
            Restart(parting(DEAD, late(Then.CLOSE_AT_MARKET)), drains=True),
            Verify(*KEY, halted=False, drains=True),
            Refuse(*KEY, Obstacle.OPEN_TRADES, ("its time to drain is over",)),
        ),
    ),
    (
        "at the deadline it is adopted",
        (W, parting(QUIET, late(Then.ADOPT))),
        (Adopt(parting(QUIET, late(Then.ADOPT)), W), VERIFY),
    ),
    (
        "at the deadline adoption is refused",
        (W, parting(QUIET, late(Then.ADOPT), LOOSER)),
        (Refuse(*KEY, Obstacle.OBJECTIONS, ("the stop is loosened (looser-stop)",)),),
    ),
    (
        "at the deadline trades that nobody knows are not closed",
        (W, parting(replace(QUIET, open_trades=None), late(Then.CLOSE_AT_MARKET))),
        (refused(Obstacle.UNKNOWN_TRADES),),
    ),
    # side by side
    (
        "beside one that cannot stay alive nothing starts: it is adopted",
        (BOTH, parting(replace(DEAD, failures=MOST_FAILURES + 1), BESIDE)),
        (Adopt(parting(replace(DEAD, failures=MOST_FAILURES + 1), BESIDE), BOTH), VERIFY),
    ),
    (
        "beside",
        (BOTH, parting(HELD, BESIDE)),
        (drained(parting(HELD, BESIDE)), Start(BOTH, SECOND), VERIFY_ASIDE),
    ),
    ("beside, the second runs", (BOTH, parting(QUIET, BESIDE), ASIDE), ()),
    (
        "beside, the second runs: it does not adopt as well",
        (BOTH, parting(QUIET, ADOPTS), ASIDE),
        (),
    ),
    (
        "beside, the second runs and the first is flat",
        (BOTH, replace(QUIET, open_trades=0), ASIDE),
        (Stop(replace(QUIET, open_trades=0)),),
    ),
    (
        "beside, back into the first berth",
        (BOTH, parting(bot(SIDE, berth=SECOND, digest=OLD, open_trades=1), BESIDE)),
        (
            drained(parting(bot(SIDE, berth=SECOND, digest=OLD, open_trades=1), BESIDE)),
            Start(BOTH, FIRST),
            VERIFY,
        ),
    ),
    (
        "beside without a second berth drains",
        (W, parting(QUIET, BESIDE)),
        (refused(Obstacle.OPEN_TRADES),),
    ),
    (
        "both berths are taken by others",
        (BOTH, parting(QUIET, BESIDE), parting(replace(QUIET, berth=SECOND), BESIDE)),
        (refused(Obstacle.OPEN_TRADES), refused(Obstacle.OPEN_TRADES)),
    ),
    (
        "beside with trades that nobody knows",
        (BOTH, parting(replace(QUIET, open_trades=None), BESIDE)),
        (refused(Obstacle.UNKNOWN_TRADES),),
    ),
]


@pytest.mark.parametrize("row", HANDOVERS, ids=[row[0] for row in HANDOVERS])
def test_every_handover_has_its_plan(
    row: tuple[str, tuple[Wanted | Bot, ...], tuple[Action, ...]],
) -> None:
    assert planned(*row[1]) == row[2]


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
        (
            (LIVE, parting(replace(QUIET, settings=MONEY), ADOPTS)),
            (refused(Obstacle.OPEN_TRADES),),
        ),
        # What trades on paper needs no lease.
        ((W, B), ()),
        ((W, FAILED), (Restart(FAILED), VERIFY)),
        ((W, parting(QUIET, ADOPTS)), (Adopt(parting(QUIET, ADOPTS), W), VERIFY)),
    ],
)
def test_without_the_lease_nothing_trades_live(
    given_: tuple[Wanted | Bot, ...], actions: tuple[Action, ...]
) -> None:
    assert planned(*given_, has_lease=False) == actions


@pytest.mark.parametrize(("failures", "given_up"), [(1, False), (5, False), (6, True)])
def test_a_release_is_given_up_after_it_was_started_again_five_times(
    failures: int, given_up: bool
) -> None:
    actions = planned(wanted(way_back=BACK), bot(phase=Phase.FAILED, failures=failures))
    assert any(isinstance(each, RollBack) for each in actions) is given_up
    assert any(isinstance(each, Restart) for each in actions) is not given_up


def test_a_refusal_says_why_and_every_reason() -> None:
    assert str(refused(Obstacle.OPEN_TRADES)) == "open trades"
    assert str(Refuse(*KEY, Obstacle.NO_LEASE, ("a", "b"))) == "another agent may trade live; a; b"


def test_waits_longer_each_time_and_never_for_ever() -> None:
    waits = [back_off(failures) for failures in range(1, 50)]
    assert waits == sorted(waits)
    assert (waits[0], waits[1], waits[-1]) == tuple(timedelta(seconds=s) for s in (10, 20, 600))
    assert back_off(0) == waits[0]
    assert back_off(10_000) == waits[-1]


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
    (found,) = desired(told, lambda each: (MONEY, PAPER) if each.environment == "prod" else None)
    assert (found.promotion.digest, found.settings, found.halted) == (NEW, MONEY, True)
    assert (found.at(FIRST), found.at(SECOND)) == (MONEY, PAPER)
    assert isinstance(found.way_back, Escalate)


# For everything that may be wanted and there.


def as_found(bot: Bot) -> Bot:
    """Only what has trades is told of when nobody runs it."""
    return replace(bot, open_trades=1) if bot.phase is Phase.ABSENT and not bot.has_trades else bot


SETTINGS = st.builds(
    Settings,
    config_digest=st.sampled_from("cd"),
    live=st.booleans(),
    account=st.sampled_from([None, "main", "other"]),
    shares_account=st.booleans(),
)
FAREWELLS = st.builds(
    Farewell,
    way=st.sampled_from(Way),
    until=st.sampled_from([None, AGO, SOON]),
    then=st.sampled_from(Then),
    objections=st.sampled_from([(), (), (LOOSER,)]),
)
STRATEGIES = st.sampled_from(["calm", "wild", "odd"])
DIGESTS = st.sampled_from([OLD, NEW])
WANTED = st.lists(
    st.builds(
        wanted,
        SETTINGS,
        STRATEGIES,
        halted=st.booleans(),
        digest=st.sampled_from([OLD, NEW]),
        verified=st.booleans(),
        aside=st.none() | SETTINGS,
    ),
    unique_by=lambda each: each.key,
)
BOTS = st.lists(
    st.builds(
        bot,
        SETTINGS,
        STRATEGIES,
        digest=DIGESTS,
        phase=st.sampled_from(Phase),
        open_trades=st.sampled_from([0, 0, 0, 1, None]),
        failures=st.integers(0, 9),
        mismatch=st.sampled_from(["", "", "", "another digest"]),
        berth=st.sampled_from([FIRST, SECOND]),
        farewell=FAREWELLS,
    ).map(as_found),
    unique_by=lambda each: each.seat,
)


def carried_out(
    asked: list[Wanted], there: list[Bot], actions: tuple[Action, ...]
) -> tuple[list[Wanted], list[Bot]]:
    """What is wanted and there after a plan, all of it going well."""
    asked, there = list(asked), list(there)
    for action in actions:
        match action:
            case Start(each, berth):
                # Into an empty berth, or over trades that were its own before.
                left = [b for b in there if b.key == each.key and b.berth == berth]
                assert all(b.phase is Phase.ABSENT and b.is_of(each) for b in left)
                there = [b for b in there if b not in left]
                there.append(started(each, berth, left[0].open_trades if left else 0))
            case Adopt(one, each):
                assert one.phase in QUIET_PHASES
                assert not one.farewell.objections
                there.remove(one)
                there.append(started(each, one.berth, one.open_trades))
            case Stop(one):
                assert one.open_trades == 0
                there.remove(one)
            case Restart(one):
                there[there.index(one)] = replace(one, phase=Phase.STARTING, since=NOW)
            case Verify():
                at = next(n for n, b in enumerate(there) if b.seat == action.seat)
                phase = Phase.HALTED if action.halted else Phase.RUNNING
                phase = Phase.DRAINING if action.drains else phase
                there[at] = replace(there[at], phase=phase)
                asked = [replace(w, verified=w.verified or there[at].is_of(w)) for w in asked]
            case Drain(one):
                there[there.index(one)] = replace(one, phase=Phase.DRAINING)
            case Close():
                pass
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


QUIET_PHASES = (Phase.FAILED, Phase.ABSENT, Phase.DRAINING, Phase.HALTED, Phase.PAUSED)


def started(each: Wanted, berth: int, open_trades: int | None) -> Bot:
    settings = each.at(berth)
    assert settings is not None
    digest = str(each.promotion.digest)
    made = Bot(*each.key, digest, settings, Phase.STARTING, NOW, open_trades)
    return replace(made, berth=berth)


WAITS = (Refuse, Close)


@given(WANTED, BOTS, st.booleans())
def test_a_plan_carried_out_leaves_nothing_but_what_is_refused(
    asked: list[Wanted], there: list[Bot], has_lease: bool
) -> None:
    # Given up, paused, adopted: no way to what is wanted has more steps than these.
    for _ in range(3):
        actions = plan(asked, there, NOW, has_lease=has_lease)
        asked, there = carried_out(asked, there, actions)
    again = plan(asked, there, NOW, has_lease=has_lease)
    assert [action for action in again if not isinstance(action, WAITS)] == []


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
