"""Which signs count: a bot's own calls, and a look at its account while it has no trade."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipelines.domain.account import ZERO
from pipelines.domain.deployment import Phase
from pipelines.domain.health import Candles, Private
from pipelines.domain.orphan import MissingStop
from pipelines.domain.protections import Unknown
from runner.monitoring.noted import Noted
from runner.monitoring.pulse import Pulse
from runner.monitoring.signs import Accounts, Body, signs

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
NOTED = Noted(Unknown("no"), Unknown("no"), Unknown("no"), ("max_drawdown",))


def member(*, trades: bool = False, live: bool = True, stops: bool = True) -> Any:
    bot = SimpleNamespace(
        environment="prod",
        strategy="beat",
        key=("prod", "beat"),
        seat=("prod", "beat.2"),
        phase=Phase.RUNNING,
        has_trades=trades,
    )
    environment = SimpleNamespace(stoploss_on_exchange=stops)
    placed = SimpleNamespace(live=live)
    owner, record = SimpleNamespace(environment=environment), SimpleNamespace(placed=placed)
    return SimpleNamespace(bot=bot, owner=owner, record=record, database=Path("nowhere"))


def looked(seat: str = "beat.2", account: str = "main", **how: Any) -> Any:
    traders = (SimpleNamespace(seat=seat),)
    told = {"trouble": "", "late": False, "sure": ()} | how
    return SimpleNamespace(account=SimpleNamespace(key=("prod", account), traders=traders), **told)


def accounts(*looks: Any, at: datetime = NOW) -> Accounts:
    found = Accounts()
    found.saw(looks, at)
    return found


def said(**how: Any) -> Body:
    usual = {"turned": NOW - MINUTE, "candle": NOW - 2 * MINUTE, "pair": "A/B"}
    return Body("works", None, Pulse(pid=1, at=NOW, timeframe=300.0, **(usual | how)))


def private(of: Any, lives: Body, known: Accounts) -> Private | Unknown | None:
    return signs(of, lives, known, NOTED, NOW).private


def test_what_a_bot_says_becomes_its_signs() -> None:
    found = signs(member(), said(private=NOW), accounts(looked()), NOTED, NOW)
    assert (found.turned, found.candles) == (60.0, Candles(120.0, "A/B", 300.0))
    assert (found.private, found.stops, found.blind) == (Private(0.0), (), ("max_drawdown",))


def test_a_bot_that_has_said_nothing_is_unknown_and_so_are_limits_nobody_measured() -> None:
    found = signs(member(), Body("works"), accounts(looked()), None, NOW)
    told = (found.turned, found.candles, found.private, found.blind)
    assert [type(each) for each in told] == [Unknown] * 4
    early = signs(member(), said(turned=None, candle=None), accounts(), NOTED, NOW)
    assert [type(e) for e in (early.turned, early.candles, early.stops)] == [Unknown] * 3


def test_on_paper_nobody_asks_for_private_calls_and_stops() -> None:
    found = signs(member(live=False), said(), accounts(), NOTED, NOW)
    assert (found.private, found.stops) == (None, None)
    assert signs(member(stops=False), said(), accounts(), NOTED, NOW).stops is None


@pytest.mark.parametrize(
    ("trades", "own", "look", "age"),
    [
        (False, 5, 1, 60.0),
        (False, None, 1, 60.0),
        (False, 1, 5, 60.0),
        (True, 5, 1, 300.0),
        (True, None, 1, None),
        (False, None, None, None),
    ],
)
def test_with_open_trades_only_its_own_private_calls_count(
    trades: bool, own: int | None, look: int | None, age: float | None
) -> None:
    known = accounts(looked(), at=NOW - (look or 0) * MINUTE) if look else accounts()
    lives = said(private=None if own is None else NOW - own * MINUTE)
    found = private(member(trades=trades), lives, known)
    assert isinstance(found, Private)
    assert (None if isinstance(found.age, Unknown) else found.age) == age


@pytest.mark.parametrize(
    ("trades", "look", "error"),
    [(False, 1, ""), (False, 5, "AuthenticationError"), (True, 1, "AuthenticationError")],
)
def test_what_failed_is_over_when_a_later_look_went_well_and_nothing_is_open(
    trades: bool, look: int, error: str
) -> None:
    lives = said(private_failed=NOW - 3 * MINUTE, private_error="AuthenticationError")
    found = private(member(trades=trades), lives, accounts(looked(), at=NOW - look * MINUTE))
    assert isinstance(found, Private)
    assert found.error == error


@pytest.mark.parametrize(
    ("trouble", "late", "wrong"),
    [
        ("binance: -2015", False, True),
        ("RequestTimeout", False, False),
        ("RequestTimeout", True, True),
        ("", False, False),
    ],
)
def test_a_look_that_failed_counts_at_once_when_it_is_the_key_and_else_when_it_stays_so(
    trouble: str, late: bool, wrong: bool
) -> None:
    known = accounts(looked())
    known.saw([looked(trouble=trouble, late=late), looked("beat", "other", trouble="-2015")], NOW)
    found = signs(member(), said(private=NOW), known, NOTED, NOW)
    assert isinstance(found.private, Private)
    assert found.private.error == (trouble if wrong else "")
    assert isinstance(found.stops, Unknown) == wrong


def test_only_its_own_missing_stops_are_a_bot_s() -> None:
    mine = MissingStop("prod", "beat", "A/B", 7, ZERO + 1)
    other = MissingStop("prod", "calm", "A/B", 8, ZERO + 1)
    found = signs(member(), said(), accounts(looked(sure=(mine, other))), NOTED, NOW)
    assert found.stops == (str(mine),)
