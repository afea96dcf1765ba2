"""Healthy means able to manage orders: what each check says of which signs, and what is told."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.domain.health import (
    BLIND_SECONDS,
    CALM_ROUNDS,
    CANDLE_SECONDS,
    CLOCK_SECONDS,
    DISK_BYTES,
    HOT_CELSIUS,
    LOOP_SECONDS,
    MEMORY_BYTES,
    OF_HOST,
    PRIVATE_SECONDS,
    START_SECONDS,
    Candles,
    Changed,
    Check,
    Host,
    Private,
    Reason,
    Signs,
    Standing,
    followed,
    host_reasons,
    reasons,
)
from pipelines.domain.protections import Unknown

NOW = datetime(2026, 1, 1, tzinfo=UTC)
WELL = Signs(
    life="works",
    phase="running",
    turned=3.0,
    candles=Candles(age=120.0, pair="BTC/USDT", timeframe=300.0),
    private=Private(age=4.0),
    stops=(),
    blind=(),
)
MACHINE = Host(disk=10**10, memory=10**9, heat=45.0, skew={"binance": 0.1})
WHY = Unknown("nobody knows")


def test_a_bot_that_can_manage_its_orders_is_healthy() -> None:
    assert reasons(WELL, MACHINE) == ()


@pytest.mark.parametrize(
    ("signs", "check", "text"),
    [
        ({"life": "dead", "phase": "failed"}, "process", "it does not run: failed"),
        ({"life": "stopped"}, "process", "its process is stopped by a signal"),
        ({"turned": 75.0}, "loop", "no turn has ended for 75 s"),
        (
            {"private": Private(3.0, "AuthenticationError")},
            "private",
            "the last private call failed: AuthenticationError",
        ),
        ({"private": Private(130.0)}, "private", "no private call has succeeded for 130 s"),
        (
            {"candles": Candles(370.0, "ETH/USDT", 300.0)},
            "candles",
            "the newest candle of ETH/USDT closed 370 s ago",
        ),
        ({"stops": ("trade 1 has no stop", "trade 2")}, "stops", "trade 1 has no stop; trade 2"),
    ],
)
def test_what_is_wrong_with_a_bot_is_said(signs: dict[str, Any], check: str, text: str) -> None:
    assert reasons(replace(WELL, **signs), MACHINE) == (Reason(Check(check), text),)


@pytest.mark.parametrize(
    ("signs", "check", "text"),
    [
        ({"life": WHY}, "process", "nobody knows"),
        ({"life": "starts", "phase": "verifying"}, "process", "it is being started: verifying"),
        ({"turned": WHY}, "loop", "nobody knows"),
        ({"private": WHY}, "private", "nobody knows"),
        ({"private": Private(WHY)}, "private", "nobody knows"),
        ({"candles": WHY}, "candles", "nobody knows"),
        ({"stops": WHY}, "stops", "nobody knows"),
        ({"blind": WHY}, "limits", "nobody knows"),
        ({"blind": ("b", "a")}, "limits", "could not be evaluated: a, b"),
    ],
)
def test_what_could_not_be_evaluated_is_not_healthy_and_says_so(
    signs: dict[str, Any], check: str, text: str
) -> None:
    assert reasons(replace(WELL, **signs), MACHINE) == (Reason(Check(check), text, known=False),)


@pytest.mark.parametrize(
    ("host", "check", "known"),
    [
        ({"disk": DISK_BYTES - 1}, "disk", True),
        ({"disk": WHY}, "disk", False),
        ({"memory": MEMORY_BYTES - 1}, "memory", True),
        ({"memory": WHY}, "memory", False),
        ({"skew": {"binance": 1.2}}, "clock", True),
        ({"skew": {"binance": -1.2}}, "clock", True),
        ({"skew": {"binance": WHY}}, "clock", False),
    ],
)
def test_what_is_wrong_with_the_machine_is_wrong_with_every_bot(
    host: dict[str, Any], check: str, known: bool
) -> None:
    (of_bot,) = reasons(WELL, replace(MACHINE, **host))
    assert (of_bot.check, of_bot.known) == (check, known)
    assert host_reasons(replace(MACHINE, **host)) == (of_bot,)


def test_heat_alone_keeps_no_bot_from_managing_its_orders() -> None:
    hot = replace(MACHINE, heat=HOT_CELSIUS)
    assert reasons(WELL, hot) == ()
    assert host_reasons(hot) == (Reason(Check.HEAT, "the machine is at 80 °C"),)
    assert host_reasons(replace(MACHINE, heat=None)) == ()


@pytest.mark.parametrize(
    "signs",
    [
        {"turned": LOOP_SECONDS},
        {"turned": -3600.0},
        {"private": Private(PRIVATE_SECONDS)},
        {"private": None, "stops": None},
        {"candles": Candles(300.0 + CANDLE_SECONDS, "BTC/USDT", 300.0)},
    ],
)
def test_what_is_just_within_its_bounds_and_what_a_bot_on_paper_lacks_is_well(
    signs: dict[str, Any],
) -> None:
    edge = Host(DISK_BYTES, MEMORY_BYTES, None, {"binance": CLOCK_SECONDS})
    assert reasons(replace(WELL, **signs), edge) == ()


def test_all_reasons_are_said_at_once_and_of_a_dead_bot_no_turn_is_asked() -> None:
    wrong = replace(WELL, turned=99.0, private=Private(WHY), candles=WHY, stops=("a",), blind=WHY)
    host = Host(0, 0, 99.0, {"binance": 9.0})
    checks = ["loop", "private", "candles", "stops", "limits", "clock", "disk", "memory"]
    assert [each.check for each in reasons(wrong, host)] == checks
    dead = [each.check for each in reasons(replace(wrong, life="dead"), host)]
    assert dead == ["process", *checks[3:]]


DEAD = Reason(Check.PROCESS, "it does not run: failed")
STALE = Reason(Check.CANDLES, "old")
BLIND = Reason(Check.LIMITS, "could not be evaluated: a", known=False)
STARTS = Reason(Check.PROCESS, "it is being started", known=False)


class Told:
    """Rounds of ten seconds, and what was told in each."""

    def __init__(self) -> None:
        self.standing, self.round = Standing(), 0

    def look(self, *found: Reason, rounds: int = 1, **how: Any) -> list[str]:
        told = []
        for _ in range(rounds):
            self.round += 1
            now = NOW + timedelta(seconds=10 * self.round)
            self.standing, changed = followed(self.standing, found, now, 10.0 * self.round, **how)
            told += said(changed)
        return told


def said(changed: Changed) -> list[str]:
    return [ill.reason.check for ill in changed.ills] + ["over"] * changed.is_over


def test_what_is_wrong_is_told_once_with_its_beginning_and_the_way_back_once() -> None:
    told = Told()
    assert told.look(rounds=5) == []
    assert told.look(DEAD, rounds=100) == ["process"]
    assert told.standing.ills[Check.PROCESS].since == NOW + timedelta(seconds=60)
    assert not told.standing.is_healthy
    assert told.look(rounds=100) == ["over"]
    assert told.look(DEAD) == ["process"]


def test_what_flickers_is_told_once() -> None:
    told = Told()
    for _ in range(50):
        assert told.look(DEAD) == (["process"] if told.round == 1 else [])
        assert told.look(rounds=CALM_ROUNDS - 1) == []
    assert told.look() == ["over"]


def test_another_check_is_told_while_the_first_still_fails() -> None:
    told = Told()
    assert told.look(DEAD) == ["process"]
    assert told.look(DEAD, STALE) == ["candles"]
    assert told.look(STALE, rounds=3) == []
    assert told.look(DEAD, STALE) == [], "it was told since all was well"
    assert told.look(rounds=3) == ["over"]


def test_what_could_not_be_evaluated_is_told_when_it_stays_so() -> None:
    told = Told()
    assert told.look(BLIND, rounds=int(BLIND_SECONDS / 10)) == []
    assert told.look(BLIND, rounds=9) == ["limits"]
    assert told.look(rounds=3) == ["over"]
    assert told.look(BLIND, rounds=2) == []
    assert told.look(rounds=9) == [], "what nobody heard of is not over for anybody"


def test_a_bot_that_is_being_started_has_as_long_as_a_slow_machine_needs() -> None:
    told = Told()
    assert told.look(STARTS, rounds=int(START_SECONDS / 10)) == []
    assert told.look(STARTS) == ["process"]


def test_what_turns_from_unknown_to_wrong_is_told_and_began_when_nobody_knew() -> None:
    told = Told()
    assert told.look(STARTS) == []
    assert told.look(DEAD) == ["process"]
    assert told.standing.ills[Check.PROCESS].since == NOW + timedelta(seconds=10)


def test_what_is_the_host_s_is_not_told_of_each_bot() -> None:
    told, full = Told(), Reason(Check.DISK, "0 MiB")
    assert told.look(full, rounds=9, mine=frozenset(Check) - OF_HOST) == []
    assert not told.standing.is_healthy
    assert told.look(rounds=9) == []


def test_two_exchanges_with_another_time_are_one_reason() -> None:
    told = Told()
    assert told.look(Reason(Check.CLOCK, "a"), Reason(Check.CLOCK, "b")) == ["clock"]
    assert told.standing.ills[Check.CLOCK].reason.text == "a; b"


FOUND = st.lists(st.sampled_from([DEAD, STALE, BLIND]), unique=True)


@given(st.lists(FOUND, max_size=60))
def test_nothing_is_told_twice_before_it_was_over_and_over_is_never_told_alone(
    rounds: Iterable[list[Reason]],
) -> None:
    told = Told()
    open_: set[str] = set()
    for found in rounds:
        for word in told.look(*found):
            if word == "over":
                assert open_
                assert not found
                open_ = set()
            else:
                assert word not in open_
                assert word in {each.check for each in found}
                open_.add(word)
