"""What speaks against taking open trades over, and what keeps a bot that did from opening more."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.domain.adoption import (
    MINUTES,
    Facts,
    OpenTrade,
    Place,
    Successor,
    inherited,
    not_in_hand,
    objections,
    stop_after,
)
from pipelines.domain.promotion import Risk

TRADE = OpenTrade(
    id=3,
    pair="BTC/USDT",
    amount=Decimal("0.5"),
    open_rate=Decimal(100),
    stop=Decimal(90),
    stop_share=Decimal("-0.1"),
    tick=Decimal("0.01"),
    tag="high",
    minutes=60,
    stops=("7",),
)
SHORT = replace(TRADE, is_short=True, stop=Decimal(110))
NEW = Successor(
    pairs=frozenset({"BTC/USDT", "ETH/USDT"}),
    timeframe="1h",
    stoploss=Decimal("-0.1"),
    tags=frozenset({"high"}),
)
PLACE = Place("live", "binance", "main", "USDT", "spot")


def found(
    trade: OpenTrade = TRADE, new: Successor | None = NEW, old: Successor | None = NEW
) -> list[tuple[Risk | None, str]]:
    against = objections((trade,), PLACE, PLACE, old, new)
    return [(each.risk, each.text) for each in against]


def told(risk: Risk | None, text: str) -> list[tuple[Risk | None, str]]:
    return [(risk, f"trade 3 (BTC/USDT): {text}")]


STOPS: list[tuple[str, OpenTrade, dict[str, Any], str]] = [
    ("the same", TRADE, {}, ""),
    ("tighter", TRADE, {"stoploss": Decimal("-0.05")}, ""),
    ("looser", TRADE, {"stoploss": Decimal("-0.2")}, "its stop is loosened from 90 to 80"),
    ("by a tick", TRADE, {"stoploss": Decimal("-0.1001")}, "its stop is loosened from 90 to 89.99"),
    ("by less than a tick", TRADE, {"stoploss": Decimal("-0.10001")}, ""),
    ("trailed", replace(TRADE, trailed=True), {"stoploss": Decimal("-0.2")}, ""),
    ("short, looser", SHORT, {"stoploss": Decimal("-0.2"), "shorts": True},
        "its stop is loosened from 110 to 120"),
    ("short, tighter", SHORT, {"stoploss": Decimal("-0.05"), "shorts": True}, ""),
    ("with leverage", replace(TRADE, leverage=Decimal(2), stop=Decimal(95)),
        {"stoploss": Decimal("-0.2"), "leverage": Decimal(2)}, ""
        "its stop is loosened from 95 to 90"),
    ("raised above where it began", replace(TRADE, stop=Decimal(95)),
        {"stoploss": Decimal("-0.09")}, "its stop is loosened from 95 to 91"),
    ("unknown", TRADE, {"stoploss": None}, "where its stop will be cannot be told"),
    ("nothing bought yet", replace(TRADE, stop=Decimal(0), stop_share=None),
        {"stoploss": Decimal("-0.9")}, ""),
    ("raised, and the same stoploss", replace(TRADE, stop=Decimal(95)), {}, ""),
    ("nobody knows what its stop was set from", replace(TRADE, stop_share=None),
        {"stoploss": Decimal("-0.9")}, ""),
    ("nothing sold short yet", replace(SHORT, stop=Decimal(0)),
        {"stoploss": Decimal("-0.9"), "shorts": True}, ""),
]  # fmt: skip


@pytest.mark.parametrize("row", STOPS, ids=[row[0] for row in STOPS])
def test_a_stop_that_would_be_loosened(row: tuple[str, OpenTrade, dict[str, Any], str]) -> None:
    _, trade, changed, text = row
    assert found(trade, replace(NEW, **changed)) == (told(Risk.LOOSER_STOP, text) if text else [])


UNKNOWN: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    ("pair", {}, {"pairs": frozenset({"ETH/USDT"})}, "the pair is not traded any more"),
    ("timeframe", {}, {"timeframe": "5m"}, "its timeframe is not 5m"),
    ("no timeframe", {"minutes": None}, {}, "its timeframe is not 1h"),
    ("leverage", {"leverage": Decimal(3), "stop": Decimal(1)}, {"leverage": Decimal(2)},
        "its leverage 3 is beyond 2"),
    ("leverage where none is taken", {"leverage": Decimal("1.5"), "stop": Decimal(1)}, {},
        "its leverage 1.5 is beyond 1"),
    ("leverage that is not told", {"leverage": Decimal(3), "stop": Decimal(1)},
        {"leverage": None}, "its leverage 3 is beyond what cannot be told"),
    ("leverage within", {"leverage": Decimal(2), "stop": Decimal(1)},
        {"leverage": Decimal(2)}, ""),
    ("leverage of one needs no telling", {}, {"leverage": None}, ""),
    ("short", {"is_short": True, "stop": Decimal(110)}, {}, "it is short"),
    ("short, not told", {"is_short": True, "stop": Decimal(110)}, {"shorts": None}, "it is short"),
    ("tag", {"tag": "low"}, {}, "its entry tag low is none of high"),
    ("tag, not all told", {"tag": "low"}, {"tags_told": False},
        "its entry tag low is none of high and some that cannot be told"),
    ("a tag where there are none", {"tag": "low"}, {"tags": frozenset()},
        "its entry tag low is none of none"),
    ("no tag", {"tag": None}, {}, "its entry tag none is none of high"),
    ("no tags at all", {"tag": None}, {"tags": frozenset()}, ""),
    ("an empty tag is none", {"tag": ""}, {"tags": frozenset()}, ""),
    ("no tag and none told", {"tag": None}, {"tags": frozenset(), "tags_told": False},
        "its entry tag none is none of none and some that cannot be told"),
]  # fmt: skip


@pytest.mark.parametrize("row", UNKNOWN, ids=[row[0] for row in UNKNOWN])
def test_a_trade_that_the_release_would_not_know(
    row: tuple[str, dict[str, Any], dict[str, Any], str],
) -> None:
    _, trade, new, text = row
    against = found(replace(TRADE, **trade), replace(NEW, **new))
    assert against == (told(Risk.UNKNOWN_TRADE, text) if text else [])


ADJUSTS = "its position was to be adjusted, and the release that comes does not"


@pytest.mark.parametrize(
    ("trade", "old", "new", "text"),
    [
        ({"entries": 2}, {}, {}, ADJUSTS),
        ({"entries": 2}, {}, {"adjusts": True}, ""),
        ({"entries": 2}, {}, {"adjusts": None}, ADJUSTS),
        ({}, {"adjusts": True}, {}, ADJUSTS),
        ({}, {"adjusts": None}, {}, ADJUSTS),
        ({}, {}, {"adjusts": True}, ""),
        ({"remembers": ("a", "b")}, {}, {}, "nobody reads what was noted: a, b"),
        ({"remembers": ("a",)}, {}, {"remembers": None}, "nobody reads what was noted: a"),
        ({"remembers": ("a",)}, {}, {"remembers": True}, ""),
    ],
)
def test_what_a_trade_has_come_to_would_be_lost(
    trade: dict[str, Any], old: dict[str, Any], new: dict[str, Any], text: str
) -> None:
    against = found(replace(TRADE, **trade), replace(NEW, **new), replace(NEW, **old))
    assert against == (told(Risk.LOST_ADJUSTMENT, text) if text else [])


@pytest.mark.parametrize("name", list(Place.__dataclass_fields__))
def test_trades_of_another_place_are_taken_over_by_nobody(name: str) -> None:
    (against,) = objections((), replace(PLACE, **{name: "other"}), PLACE, NEW, NEW)
    assert against.risk is None
    is_now = getattr(PLACE, name)
    assert against.text == f"the {name.replace('_', ' ')} was other and becomes {is_now}"
    assert str(against).endswith("(nobody can sign for that)")


def test_what_cannot_be_read_or_told_speaks_against_it() -> None:
    (unread,) = objections(None, PLACE, PLACE, NEW, NEW)
    assert (unread.risk, unread.text) == (None, "its trades cannot be read")
    (untold,) = objections((TRADE,), PLACE, PLACE, NEW, None)
    assert untold.risk is None
    both = objections((TRADE,), replace(PLACE, account=None), PLACE, NEW, None)
    assert [each.text for each in both] == ["the account was none and becomes main", untold.text]
    back = objections((), PLACE, replace(PLACE, account=None), NEW, NEW)
    assert [each.text for each in back] == ["the account was main and becomes none"]
    nobodys = objections((TRADE,), None, PLACE, None, NEW)
    assert [each.risk for each in nobodys] == [Risk.UNKNOWN_TRADE]
    assert objections((), PLACE, PLACE, NEW, NEW) == ()


def test_everything_is_told_at_once() -> None:
    new = replace(NEW, stoploss=Decimal("-0.5"), timeframe="4h", pairs=frozenset())
    assert len(found(replace(TRADE, tag="low", entries=3, remembers=("x",)), new)) == 6


PRICES = st.decimals(1, 1000, places=2)
SHARES = st.decimals("-0.9", "-0.01", places=3)


@given(PRICES, SHARES, SHARES, st.booleans())
def test_a_stop_that_is_not_objected_to_is_never_looser(
    price: Decimal, was: Decimal, becomes: Decimal, short: bool
) -> None:
    opened = replace(TRADE, open_rate=price, is_short=short, tick=Decimal(0), stop_share=Decimal(0))
    trade = replace(opened, stop=stop_after(opened, was), stop_share=was)
    new = replace(NEW, stoploss=becomes, shorts=True)
    risks = [risk for risk, _ in found(trade, new)]
    after = stop_after(trade, becomes)
    looser = after > trade.stop if short else after < trade.stop
    assert (Risk.LOOSER_STOP in risks) is looser


def test_every_timeframe_of_a_manifest_is_known() -> None:
    assert set(MINUTES) == {"1m", "5m", "15m", "30m", "1h", "4h", "1d"}
    unit = {"m": 1, "h": 60, "d": 24 * 60}
    assert {name: int(name[:-1]) * unit[name[-1]] for name in MINUTES} == MINUTES


UNFILLED = replace(TRADE, entries=0, stops=(), orders=("9",))


@pytest.mark.parametrize(
    ("trade", "held"),
    [
        (TRADE, True),
        (UNFILLED, False),
        (replace(UNFILLED, amount=Decimal(0)), False),
        (replace(UNFILLED, filled=True), True),
        (replace(UNFILLED, orders=(), entries=1), True),
    ],
)
def test_only_what_was_bought_has_to_be_there_later(trade: OpenTrade, held: bool) -> None:
    assert inherited([trade]) == ((3,) if held else ())


HELD = Facts(
    inherited=frozenset({3}),
    known=frozenset({3}),
    kept=(TRADE,),
    ids=frozenset({1, 3}),
    turned=True,
    live=True,
    at_exchange=True,
)
IN_BOT = "its stops live only inside the bot (stop-in-bot)"
NO_STOP = "trade 3 (BTC/USDT) has no stop at the exchange"

HANDS: list[tuple[str, dict[str, Any], tuple[str, ...]]] = [
    ("all in hand", {}, ()),
    ("nothing there", {"inherited": frozenset(), "known": None, "kept": (), "turned": False}, ()),
    ("closed meanwhile", {"known": frozenset(), "kept": ()}, ()),
    ("gone", {"kept": (), "ids": frozenset({1})}, ("trade 3 is gone from its database",)),
    ("unknown to it", {"known": frozenset({1})}, ("trade 3 (BTC/USDT) is unknown to it",)),
    ("no stop", {"kept": (replace(TRADE, stops=()),)}, (NO_STOP,)),
    ("exit in flight", {"kept": (replace(TRADE, stops=(), orders=("9",)),)},
        (f"{NO_STOP} while its order is in flight",)),
    ("partly bought", {"kept": (replace(TRADE, stops=(), amount=Decimal(0), orders=("9",),
        filled=True),)}, (f"{NO_STOP} while its order is in flight",)),
    ("nothing bought yet", {"kept": (replace(TRADE, stops=(), amount=Decimal(0), orders=("9",)),)},
        ()),
    ("stops in the bot", {"at_exchange": False, "kept": (replace(TRADE, stops=()),)}, (IN_BOT,)),
    ("stops in the bot, signed for", {"at_exchange": False, "accepted": (Risk.STOP_IN_BOT,),
        "kept": (replace(TRADE, stops=()),)}, ()),
    ("another risk signed for", {"at_exchange": False, "accepted": (Risk.LOOSER_STOP,)}, (IN_BOT,)),
    ("stops in the bot with nothing open", {"at_exchange": False, "kept": (),
        "inherited": frozenset()}, (IN_BOT,)),
    ("on paper", {"live": False, "at_exchange": False, "kept": (replace(TRADE, stops=()),)}, ()),
    ("silent over trades that nobody held", {"inherited": frozenset(), "known": None},
        ("it has not looked after its trades yet",)),
    ("silent, and stops in the bot", {"known": None, "at_exchange": False},
        (IN_BOT, "it has not looked after its trades yet")),
    ("unreadable, and stops in the bot", {"kept": None, "at_exchange": False},
        (IN_BOT, "its trades cannot be read")),
    ("silent", {"known": None}, ("it has not looked after its trades yet",)),
    ("not turned yet", {"turned": False}, ("it has not looked after its trades yet",)),
    ("unreadable", {"kept": None}, ("its trades cannot be read",)),
]  # fmt: skip


@pytest.mark.parametrize("row", HANDS, ids=[row[0] for row in HANDS])
def test_a_bot_opens_trades_only_with_all_open_ones_in_hand(
    row: tuple[str, dict[str, Any], tuple[str, ...]],
) -> None:
    assert not_in_hand(replace(HELD, **row[1])) == row[2]
