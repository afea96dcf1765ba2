"""What freqtrade's own API tells, as far as figures are made of it."""

from decimal import Decimal
from typing import Any

import pytest

from pipelines.freqtrade.rest import Trade


def order(**changed: Any) -> dict[str, Any]:
    plain = {"ft_order_side": "buy", "is_open": True, "remaining": 2.0, "safe_price": 50.0}
    return {**plain, **changed}


def trade(*orders: dict[str, Any], **changed: Any) -> Trade:
    plain = {
        "trade_id": 1,
        "pair": "BTC/USDT",
        "is_open": True,
        "is_short": False,
        "amount": 0.0,
        "strategy": "Plain",
        "open_timestamp": 1_674_000_000_000,
        "has_open_orders": True,
        "orders": orders,
    }
    return Trade.model_validate({**plain, **changed})


@pytest.mark.parametrize(
    ("told", "waiting"),
    [
        (trade(), 0),
        (trade(order()), 100),
        (trade(order(), order(remaining=1.0)), 150),
        (trade(order(remaining=None)), 0),
        (trade(order(is_open=False)), 0),
        (trade(order(ft_order_side="sell")), 0),
        (trade(order(ft_order_side="stoploss")), 0),
        (trade(order(ft_order_side="sell"), is_short=True), 100),
        (trade(order(), is_short=True), 0),
        (trade(order(), leverage=4), 25),
    ],
)
def test_what_entries_wait_for(told: Trade, waiting: int) -> None:
    assert told.waiting == Decimal(waiting)
