"""Candles and trades built by hand, small enough to check with a pencil."""

from collections.abc import Callable
from datetime import UTC, date, datetime

import numpy as np
import pytest

from pipelines.domain.candles import Candles, Window
from pipelines.domain.environment import Portfolio
from pipelines.domain.trades.trade import Fill, Trade, TradeLog

HOUR = 3_600_000
START = int(datetime(2021, 1, 1, tzinfo=UTC).timestamp() * 1000)
FEE = 0.001

MakeCandles = Callable[..., Candles]
MakeTrade = Callable[..., Trade]
MakeLog = Callable[..., TradeLog]


@pytest.fixture
def window() -> Window:
    return Window(start=date(2021, 1, 1), end=date(2021, 1, 2))


@pytest.fixture
def portfolio() -> Portfolio:
    return Portfolio.model_validate_json(
        '{"stake_currency": "USDT", "starting_balance": 1000, "max_open_trades": 2, "fee": 0.001}'
    )


@pytest.fixture
def make_candles() -> MakeCandles:
    """Hourly candles that open at `prices[i]` and close at `prices[i + 1]`."""

    def make(prices: list[float], pair: str = "BTC/USDT", missing: tuple[int, ...] = ()) -> Candles:
        opening, closing = np.array(prices[:-1], dtype=float), np.array(prices[1:], dtype=float)
        time = START + HOUR * np.arange(len(opening), dtype=np.int64)
        kept = np.array([i not in missing for i in range(len(opening))], dtype=bool)
        return Candles(
            pair,
            "1h",
            time[kept],
            opening[kept],
            np.maximum(opening, closing)[kept],
            np.minimum(opening, closing)[kept],
            closing[kept],
            np.ones(int(kept.sum())),
        )

    return make


@pytest.fixture
def make_trade() -> MakeTrade:
    """A long trade over hours; its profit follows from its fills unless one is given."""

    def make(
        bought: tuple[int, float],
        sold: tuple[int, float],
        amount: float = 1.0,
        *,
        pair: str = "BTC/USDT",
        reason: str = "exit_signal",
        fee: float = FEE,
        short: bool = False,
        profit: float | None = None,
    ) -> Trade:
        first = START + HOUR * bought[0]
        last = START + HOUR * sold[0]
        side = -1 if short else 1
        earned = side * amount * (sold[1] - bought[1]) - fee * amount * (sold[1] + bought[1])
        return Trade(
            pair=pair,
            opened=first,
            closed=last,
            fills=(
                Fill(at=first, price=bought[1], amount=amount, entry=True),
                Fill(at=last, price=sold[1], amount=amount, entry=False),
            ),
            exit_reason=reason,
            fee=fee,
            short=short,
            profit=earned if profit is None else profit,
        )

    return make


@pytest.fixture
def make_log() -> MakeLog:
    """A log whose final balance follows from its trades unless one is given."""

    def make(*trades: Trade, final: float | None = None, left_open: int = 0) -> TradeLog:
        total = 1000.0 + sum(trade.profit for trade in trades)
        return TradeLog(
            window="whole",
            starting_balance=1000.0,
            final_balance=total if final is None else final,
            left_open=left_open,
            trades=trades,
        )

    return make
