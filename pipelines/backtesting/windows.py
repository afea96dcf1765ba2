"""One strategy's backtests in freqtrade itself, a fork for every window.

What all windows share is made once, before any strategy is loaded: freqtrade, an exchange with the
recorded markets, the candles and the decimals of their prices. Only the forks load the strategy.
freqtrade keeps the trades of a backtest in a class attribute, so no process runs two of them.
"""

import gc
import sys
import traceback
from functools import partial
from pathlib import Path
from typing import Any

import talib.abstract  # noqa: F401 - most strategies use it: loaded once for all windows
from freqtrade.exchange import Exchange
from freqtrade.optimize.backtesting import Backtesting
from freqtrade.persistence import LocalTrade

from pipelines.backtesting import forks, offline, preloaded, ticks
from pipelines.domain.trades.trade import Fill, Trade, TradeLog
from pipelines.freqtrade.config import STRATEGIES
from pipelines.freqtrade.messages import BacktestReply, BacktestRequest, Span, WindowReply


def answer(asked: BacktestRequest) -> BacktestReply:
    """The backtests of every window that was asked for."""
    try:
        ready = prepare(asked)
    except Exception as error:  # noqa: BLE001 - no strategy ran yet, so it says nothing about one
        reply = WindowReply(error=_said(error), unable=True)
        return BacktestReply(windows=dict.fromkeys(asked.windows, reply))
    # What is loaded now is shared by the forks as long as no collection of garbage touches it.
    gc.freeze()
    gc.enable()
    return BacktestReply(windows=in_forks(asked, ready))


def in_forks(asked: BacktestRequest, ready: Exchange) -> dict[str, WindowReply]:
    """Every window in a fork, the longest first, `asked.jobs` at a time."""
    longest_first = sorted(asked.windows, key=lambda name: _length(asked.windows[name]))[::-1]
    work = {name: partial(run_window, asked, name, ready) for name in longest_first}
    told = forks.answers(work, WindowReply, asked.jobs)
    return {name: _heard(told[name]) for name in asked.windows}


def _length(span: Span) -> int:
    return span.end - span.start


def _heard(told: forks.Told[WindowReply]) -> WindowReply:
    if told.answer is None:
        return WindowReply(error=told.why, limit=told.limit)
    return told.answer


def prepare(asked: BacktestRequest) -> Exchange:
    """What all windows share and no strategy has a say in: the exchange, and candles in memory."""
    config = offline.configuration(asked.class_name)
    ready = offline.exchange(config)
    held = preloaded.preload(config["datadir"], config["trading_mode"])
    own = [file for file in held if file.timeframe == config["timeframe"] and file.has_prices]
    ticks.install([ticks.counted(file.pair, file.timeframe, held[file]) for file in own])
    return ready


def run_window(asked: BacktestRequest, name: str, ready: Exchange) -> WindowReply:
    """One backtest, in this process. Whatever the strategy raises becomes the reply's error."""
    try:
        span = asked.windows[name]
        # A folder for each: freqtrade fills it, and two at once get in each other's way.
        config = offline.configuration(
            asked.class_name,
            user_data_dir=f"user_data-{name}",
            timerange=f"{span.start}-{span.end - 1}",
        )
    except Exception as error:  # noqa: BLE001 - no strategy ran yet, so it says nothing about one
        return WindowReply(error=_said(error), unable=True)
    # In the fork only: what lies there could pass for a module that the server has yet to import.
    sys.path.insert(0, str(Path(STRATEGIES).resolve()))
    try:
        return WindowReply(log=_backtest(name, config, ready))
    except BaseException as error:  # noqa: BLE001 - a strategy may raise anything, SystemExit too
        return WindowReply(error=_said(error), limit=forks.limit_of(error))


def _said(error: BaseException) -> str:
    traceback.print_exception(error)
    place = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{Path(place.filename).name}:{place.lineno}"
    return f"{type(error).__name__}: {error} ({where})"[:4000]


def _backtest(name: str, config: dict[str, Any], ready: Exchange) -> TradeLog:
    backtesting = Backtesting(config, ready)
    backtesting.progress = None
    data, timerange = backtesting.load_bt_data()
    strategy = backtesting.strategylist[0]
    backtesting.backtest_one_strategy(strategy, data, timerange)
    outcome = backtesting.all_bt_content[strategy.get_strategy_name()]
    return TradeLog(
        window=name,
        starting_balance=float(config["dry_run_wallet"]),
        final_balance=float(outcome["final_balance"]),
        left_open=len(LocalTrade.bt_trades_open),
        trades=tuple(_trade(trade) for trade in LocalTrade.bt_trades),
    )


def _trade(trade: LocalTrade) -> Trade:
    return Trade(
        pair=trade.pair,
        opened=_milliseconds(trade.open_date_utc),
        closed=_milliseconds(trade.close_date_utc),
        fills=tuple(
            Fill(
                at=_milliseconds(order.order_filled_utc),
                price=float(order.safe_price),
                amount=float(order.safe_filled),
                entry=order.ft_order_side == trade.entry_side,
            )
            for order in trade.orders
            if order.safe_filled > 0
        ),
        tag=(trade.enter_tag or "")[:255],
        exit_reason=(trade.exit_reason or "")[:255],
        short=bool(trade.is_short),
        leverage=float(trade.leverage or 1.0),
        fee=float(trade.fee_open),
        funding=float(trade.funding_fees or 0.0),
        profit=float(trade.close_profit_abs or 0.0),
    )


def _milliseconds(moment: Any) -> int:
    return int(moment.timestamp() * 1000)
