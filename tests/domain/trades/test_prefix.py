"""What was known at a moment, which moments tell most, and where two stories part."""

import numpy as np
import pytest

from pipelines.domain.candles import Candles
from pipelines.domain.trades import prefix
from pipelines.domain.trades.trade import Fill, Trade, TradeLog

HOUR = 3_600_000
START = 1_609_459_200_000
"""2021-01-01: the month's tick size is there from the first candle on."""


def at(hour: int) -> int:
    return START + hour * HOUR


def candles(timeframe: str = "1h", hours: tuple[int, ...] = tuple(range(200))) -> Candles:
    each = {"1h": 1, "4h": 4}[timeframe]
    rows = [hour for hour in hours if hour % each == 0]
    opening = 100 + 0.01 * np.array(rows)
    time = START + HOUR * np.array(rows, dtype=np.int64)
    volume = np.full(len(rows), 5.0)
    return Candles("A/B", timeframe, time, opening, opening + 2, opening - 2, opening + 1, volume)


SERIES = {("A/B", "1h"): candles(), ("A/B", "4h"): candles("4h")}


def opening(hour: int) -> float:
    return 100 + 0.01 * hour


def trade(into: int, out: int, price: float | None = None, reason: str = "exit_signal") -> Trade:
    leaving = opening(out) if price is None else price
    return Trade(
        pair="A/B",
        opened=at(into),
        closed=at(out),
        fills=(
            Fill(at=at(into), price=opening(into), amount=2.0, entry=True),
            Fill(at=at(out), price=leaving, amount=2.0, entry=False),
        ),
        exit_reason=reason,
        fee=0.001,
        profit=1.0,
    )


def log(*trades: Trade) -> TradeLog:
    return TradeLog(
        window="whole", starting_balance=1000, final_balance=1000, left_open=0, trades=trades
    )


def test_the_candle_that_has_just_opened_shows_its_opening_price_only() -> None:
    known = prefix.until(candles(), at(10), "1h")
    assert known.time.tolist() == [at(hour) for hour in range(12)]
    assert known.close[9] == candles().close[9]
    for column in (known.open, known.high, known.low, known.close):
        assert column[10:].tolist() == [opening(10), opening(10)]
    assert known.volume[9:].tolist() == [5.0, 0.0, 0.0]


@pytest.mark.parametrize(("hour", "last"), [(7, 0), (8, 4), (11, 4), (12, 8)])
def test_a_longer_candle_is_there_once_it_has_closed(hour: int, last: int) -> None:
    assert prefix.until(candles("4h"), at(hour), "1h").time[-1] == at(last)


def test_a_hole_has_the_last_price_as_freqtrade_fills_it() -> None:
    holed = candles(hours=(*range(10), *range(12, 20)))
    known = prefix.until(holed, at(10), "1h")
    assert known.time.tolist() == [at(hour) for hour in range(12)]
    assert known.close[-2:].tolist() == [holed.close[9]] * 2


def test_a_series_that_ended_or_did_not_begin_yet_goes_on_nowhere() -> None:
    assert prefix.until(candles(hours=tuple(range(5))), at(10), "1h").time[-1] == at(4)
    assert len(prefix.until(candles(hours=tuple(range(20, 30))), at(10), "1h")) == 0


def chosen(told: TradeLog, *, exits: bool = False, share: float = 1.0) -> set[int | None]:
    """What any seed chooses, in hours."""
    found = [
        prefix.choose(told, SERIES, "1h", str(seed), exits=exits, share=share) for seed in range(60)
    ]
    return {None if each is None else (each - START) // HOUR for each in found}


def test_entries_and_exits_at_the_opening_are_moments_to_cut_at() -> None:
    told = log(trade(10, 20), trade(30, 40))
    assert chosen(told) == {10, 30}
    assert chosen(told, exits=True) == {20, 40}


def test_the_same_seed_chooses_the_same_moment() -> None:
    told = log(*(trade(10 * n, 10 * n + 5) for n in range(1, 15)))
    twice = [prefix.choose(told, SERIES, "1h", "seed", exits=False) for _ in range(2)]
    assert twice[0] == twice[1]
    assert len(chosen(told)) > 5


def test_a_share_keeps_to_the_first_moments() -> None:
    told = log(*(trade(10 * n, 10 * n + 5) for n in range(1, 11)))
    assert chosen(told, share=0.2) == {10, 20}


@pytest.mark.parametrize(
    "spoiled",
    [
        pytest.param(trade(5, 30, price=99.0, reason="stop_loss"), id="a stop inside the candle"),
        pytest.param(trade(5, 30, reason="force_exit"), id="the end of the window"),
    ],
)
def test_a_moment_whose_candle_decided_something_is_none(spoiled: Trade) -> None:
    # What a stop inside the candle sets free is spent at its opening: freqtrade's own look ahead.
    assert chosen(log(trade(10, 20), trade(30, 40), spoiled)) == {5, 10}


def test_an_entry_inside_the_candle_is_looked_at_one_candle_later() -> None:
    inside = trade(10, 20)
    fills = (inside.fills[0].model_copy(update={"price": 99.5}), inside.fills[1])
    assert chosen(log(inside.model_copy(update={"fills": fills}))) == {11}


def test_no_moment_before_every_series_has_a_closed_candle_or_at_its_end() -> None:
    assert chosen(log(trade(3, 150), trade(4, 199), trade(195, 199))) == {4}


def test_no_trades_no_moment() -> None:
    assert chosen(log()) == {None}


def test_no_moment_where_the_month_later_shows_a_finer_tick() -> None:
    fine = candles()
    fine.close[100] += 0.001
    series = {**SERIES, ("A/B", "1h"): fine}
    told = log(trade(50, 60), trade(120, 130))
    found = {prefix.choose(told, series, "1h", str(seed), exits=False) for seed in range(20)}
    assert found == {at(120)}


def parting(whole: TradeLog, part: TradeLog, hour: int = 30) -> prefix.Parting | None:
    return prefix.parting(whole, part, at(hour), SERIES, "1h")


def test_what_comes_after_the_moment_parts_nothing() -> None:
    cut_off = trade(30, 31, reason="force_exit")
    assert parting(log(trade(10, 20), trade(30, 40)), log(trade(10, 20), cut_off)) is None
    still_open = trade(25, 31, reason="force_exit")
    assert parting(log(trade(25, 60), trade(50, 70)), log(still_open)) is None


def test_a_stop_inside_the_candle_of_the_moment_parts_nothing() -> None:
    stopped = trade(10, 30, price=98.9, reason="stop_loss")
    assert parting(log(stopped), log(trade(10, 31, reason="force_exit"))) is None


@pytest.mark.parametrize(
    ("part", "expected", "actual"),
    [
        pytest.param(log(trade(10, 20)), "in 2021-01-02 06:00", "no such trade", id="lost"),
        pytest.param(
            log(trade(10, 21), trade(30, 31)), "out 2021-01-01 20:00", "out 2021-01-01 21:00",
            id="left later",
        ),
        pytest.param(
            log(trade(10, 20, price=100.3), trade(30, 31)), "at 100.2", "at 100.3", id="price"
        ),
        pytest.param(
            log(trade(10, 20), trade(22, 31), trade(30, 31)), "no such trade",
            "in 2021-01-01 22:00", id="one more",
        ),
        pytest.param(
            log(
                trade(10, 20),
                trade(30, 31).model_copy(
                    update={"fills": tuple(
                        f.model_copy(update={"amount": 2.01}) for f in trade(30, 31).fills
                    )}
                ),
            ),
            "06:00 2 at", "06:00 2.01 at", id="amount",
        ),
    ],
)  # fmt: skip
def test_what_differs_until_the_moment_is_told(part: TradeLog, expected: str, actual: str) -> None:
    found = parting(log(trade(10, 20), trade(30, 40)), part)
    assert found is not None
    assert expected in found.expected
    assert actual in found.actual
    assert found.others == 0


def test_the_earliest_difference_is_told_and_the_others_are_counted() -> None:
    whole = log(trade(10, 20), trade(12, 18), trade(30, 40))
    found = parting(whole, log(trade(10, 20)))
    assert found == prefix.Parting(
        "A/B",
        at(12),
        "in 2021-01-01 12:00 2 at 100.12, out 2021-01-01 18:00 2 at 100.18",
        "no such trade",
        1,
    )


def test_an_exit_at_the_moment_by_a_signal_belongs_to_the_story() -> None:
    whole = log(trade(10, 30))
    assert parting(whole, log(trade(10, 30))) is None
    assert parting(whole, log(trade(10, 31, reason="force_exit"))) is not None


def test_a_last_bit_is_no_difference() -> None:
    nearly = trade(10, 20, price=float(np.nextafter(opening(20), 200)))
    assert parting(log(trade(10, 20)), log(nearly)) is None
    assert parting(log(trade(10, 20)), log(replace_price(trade(10, 20), 1 + 1e-7))) is not None


def replace_price(of: Trade, factor: float) -> Trade:
    last = of.fills[1].model_copy(update={"price": of.fills[1].price * factor})
    return of.model_copy(update={"fills": (of.fills[0], last)})
