"""No honest strategy is called forged, however it prices, sizes and ends its trades.

And its log is, once it is changed, though it still adds up.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from textwrap import indent
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from pipelines.documents import load
from pipelines.domain.candles import Candles, Window
from pipelines.domain.document import Document
from pipelines.domain.environment import Portfolio
from pipelines.domain.pricing import Pricing, pricing
from pipelines.domain.trades import audit, execution, stakes
from pipelines.domain.trades.performance import trade_profit
from pipelines.domain.trades.trade import Trade, TradeLog
from pipelines.domain.verdict import Finding
from pipelines.freqtrade.messages import BacktestReply

PAIRS = ("BTC/USDT", "ETH/USDT")
PORTFOLIO = """
{"stake_currency": "USDT", "starting_balance": 1000, "max_open_trades": 2, "fee": 0.001}
"""

CLASS = """
from freqtrade.strategy import IStrategy
from pandas import DataFrame


class Plugin(IStrategy):
    INTERFACE_VERSION = 3
    timeframe = "{timeframe}"
{settings}
    process_only_new_candles = True

    def populate_indicators(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe["mean"] = dataframe["close"].rolling(48).mean()
        return dataframe

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe.loc[{enter}, ["enter_long", "enter_tag"]] = (1, "low")
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        high = dataframe["close"] > {leave} * dataframe["mean"]
        dataframe.loc[high, ["exit_long", "exit_tag"]] = (1, "high")
        return dataframe

{methods}
"""
DEFAULTS = {"stoploss": "-0.3", "minimal_roi": '{"0": 10}', "startup_candle_count": "48"}


class Variant(Document):
    """What one strategy sets and defines; `enter` is its condition for an entry."""

    settings: str = ""
    methods: str = ""
    enter: str = 'dataframe["close"] < {low} * dataframe["mean"]'

    def source(self, timeframe: str = "1h", low: float = 0.98, high: float = 1.02) -> str:
        """The strategy, entering and leaving at these shares of the mean of 48 candles."""
        lines = [line for line in self.settings.splitlines() if line]
        names = {line.split(" =")[0] for line in lines}
        lines += [f"{name} = {value}" for name, value in DEFAULTS.items() if name not in names]
        return CLASS.format(
            timeframe=timeframe,
            settings=indent("\n".join(lines), "    "),
            methods=indent(self.methods, "    "),
            enter=self.enter.format(low=low),
            leave=high,
        )


class Variants(Document):
    """`honest.yaml`."""

    variants: dict[str, Variant]


VARIANTS = load(Path(__file__).with_name("honest.yaml"), Variants).variants


@pytest.fixture(scope="module")
def runs(examine: Callable[..., Any], plugin: Callable[..., Any]) -> Iterator[dict[str, Any]]:
    """All of them, two at once."""
    one_trade = {"whole": {"min_trades": 1}}
    with ThreadPoolExecutor(2) as pool:
        yield {
            name: pool.submit(examine, "backtest", plugin(variant.source()), one_trade, {})
            for name, variant in VARIANTS.items()
        }


@pytest.mark.freqtrade
@pytest.mark.parametrize("name", VARIANTS)
def test_an_honest_strategy_is_never_called_forged(name: str, runs: dict[str, Any]) -> None:
    verdict = runs[name].result().verdict
    # What does not add up is not measured at all.
    assert verdict.measurements.get("whole.trades", 0) > 5, verdict.findings


KINDS = ("signals", "a target in steps", "a near stop", "a trailing stop that comes closer")


@dataclass(frozen=True)
class Honest:
    """A log of the real freqtrade, and what the parent knows beside it."""

    log: TradeLog
    candles: Mapping[str, Candles]
    window: Window
    portfolio: Portfolio
    pricing: Pricing
    lots: Mapping[str, float]

    def problems(self, log: TradeLog) -> tuple[Finding, ...]:
        """All that the parent finds in a log."""
        return (
            *audit.problems(log, self.candles, self.window, self.portfolio),
            *execution.problems(log, self.candles, self.window, self.pricing),
            *stakes.problems(log, self.portfolio, self.pricing, self.lots),
        )

    def row(self, pair: str, at: int) -> int:
        return int(self.candles[pair].time.searchsorted(at))


@pytest.fixture(scope="module", params=KINDS)
def honest(
    request: pytest.FixtureRequest, runs: dict[str, Any], plugin: Callable[..., Any], shelf: Any
) -> Honest:
    told = BacktestReply.model_validate_json(runs[request.param].result().reply)
    log, window = told.windows["whole"].log, shelf.data.windows["whole"]
    assert log
    markets = json.loads(shelf.markets(PAIRS))
    return Honest(
        log=log,
        candles={pair: shelf.candles(pair, "1h") for pair in PAIRS},
        window=window,
        portfolio=Portfolio.model_validate_json(PORTFOLIO),
        pricing=pricing(plugin(VARIANTS[request.param].source())),
        lots={pair: markets[pair]["precision"]["amount"] for pair in PAIRS},
    )


def adding_up(log: TradeLog, trades: list[Trade]) -> TradeLog:
    """The log of these trades, with every profit and the balance as they follow from the fills."""
    told = tuple(t.model_copy(update={"profit": trade_profit(t)}) for t in trades)
    balance = log.starting_balance + sum(trade_profit(t) for t in told)
    return log.model_copy(update={"trades": told, "final_balance": balance})


def with_fill(trade: Trade, number: int, **change: Any) -> Trade:
    fills = list(trade.fills)
    fills[number] = fills[number].model_copy(update=change)
    times = {"opened": fills[0].at, "closed": fills[-1].at}
    return trade.model_copy(update={"fills": tuple(fills), **times})


def entry_at_the_low(honest: Honest, trade: Trade) -> list[Trade]:
    series = honest.candles[trade.pair]
    low = float(series.low[honest.row(trade.pair, trade.opened)])
    assume(low < trade.fills[0].price)
    return [with_fill(trade, 0, price=low)]


def exit_at_the_high(honest: Honest, trade: Trade) -> list[Trade]:
    series = honest.candles[trade.pair]
    high = float(series.high[honest.row(trade.pair, trade.closed)])
    assume(high > trade.fills[1].price + 0.05)
    return [with_fill(trade, 1, price=high)]


def entry_in_the_candle_before(honest: Honest, trade: Trade) -> list[Trade]:
    at = trade.opened - 3_600_000
    series = honest.candles[trade.pair]
    assume(abs(series.open[honest.row(trade.pair, at)] - trade.fills[0].price) > 0.05)
    return [with_fill(trade, 0, at=at)]


def exit_in_the_best_candle_after(honest: Honest, trade: Trade) -> list[Trade]:
    series = honest.candles[trade.pair]
    first = honest.row(trade.pair, trade.closed)
    best = first + int(series.high[first : first + 24].argmax())
    high = float(series.high[best])
    assume(high > max(trade.fills[1].price, float(series.open[best])) + 0.05)
    return [with_fill(trade, 1, at=int(series.time[best]), price=high)]


def larger(honest: Honest, trade: Trade) -> list[Trade]:
    grown = with_fill(trade, 0, amount=trade.fills[0].amount * 1.5)
    return [with_fill(grown, 1, amount=trade.fills[1].amount * 1.5)]


def smaller(honest: Honest, trade: Trade) -> list[Trade]:
    shrunk = with_fill(trade, 0, amount=trade.fills[0].amount / 2)
    return [with_fill(shrunk, 1, amount=trade.fills[1].amount / 2)]


def left_out(honest: Honest, trade: Trade) -> list[Trade]:
    # Only what changes a stake that comes later can be seen, and only if it is no trifle.
    later = [t for t in honest.log.trades if t.opened > trade.closed]
    assume(len(later) > 2 and abs(trade_profit(trade)) > 0.001 * honest.log.starting_balance)
    return []


def made_up(honest: Honest, trade: Trade) -> list[Trade]:
    """A winner more, of the candle before, bought at the opening and sold at the next."""
    series = honest.candles[trade.pair]
    row = honest.row(trade.pair, trade.opened) - 2
    assume(float(series.open[row + 1]) > float(series.open[row]) * 1.005)
    taken = {
        (t.pair, at) for t in honest.log.trades for at in range(t.opened, t.closed + 1, 3_600_000)
    }
    assume(not {(trade.pair, int(series.time[row + n])) for n in (0, 1)} & taken)
    won = with_fill(trade, 0, at=int(series.time[row]), price=float(series.open[row]))
    won = with_fill(won, 1, at=int(series.time[row + 1]), price=float(series.open[row + 1]))
    return [won.model_copy(update={"exit_reason": "exit_signal"}), trade]


FORGERIES: tuple[Callable[[Honest, Trade], list[Trade]], ...] = (
    entry_at_the_low,
    exit_at_the_high,
    entry_in_the_candle_before,
    exit_in_the_best_candle_after,
    larger,
    smaller,
    left_out,
    made_up,
)


@pytest.mark.freqtrade
def test_the_honest_log_has_no_problems(honest: Honest) -> None:
    assert len(honest.log.trades) > 20
    assert honest.problems(adding_up(honest.log, list(honest.log.trades))) == ()


@pytest.mark.freqtrade
@pytest.mark.parametrize("forgery", FORGERIES, ids=lambda forgery: forgery.__name__)
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much],
)
@given(number=st.integers(0, 10_000))
def test_a_forged_log_is_refused(
    honest: Honest, forgery: Callable[[Honest, Trade], list[Trade]], number: int
) -> None:
    trades = list(honest.log.trades)
    number %= len(trades)
    changed = forgery(honest, trades[number])
    forged = [*trades[:number], *changed, *trades[number + 1 :]]
    assert honest.problems(adding_up(honest.log, forged)) != ()
