"""Lets a bot know an order that it lost: `python -m runner.bots.importing`, an `Import` on stdin.

The bot must not run meanwhile. Its database then looks as if it had been killed right after it
wrote down an order that it had placed, which is how freqtrade itself writes it: what became of the
order, its fee and its stop it finds out when it starts.
"""

import sys
from datetime import UTC
from typing import Any

from freqtrade.persistence import Order, Trade, init_db

from runner.bots.messages import Import


def imported(asked: Import) -> bool:
    """Write the trade down; False when its bot knew the order already."""
    init_db(f"sqlite:///{asked.database}")
    if Order.order_by_id(asked.order, asked.pair) is not None:
        return False
    order = Order.parse_from_ccxt_object(
        _placed(asked), asked.pair, "buy", asked.amount, asked.price
    )
    trade = Trade(
        pair=asked.pair,
        base_currency=asked.pair.partition("/")[0],
        stake_currency=asked.stake_currency,
        stake_amount=asked.amount * asked.price,
        amount=0,
        is_open=True,
        amount_requested=asked.amount,
        fee_open=asked.fee,
        fee_close=asked.fee,
        open_rate=asked.price,
        open_rate_requested=asked.price,
        open_date=asked.at.astimezone(UTC),
        exchange=asked.exchange,
        strategy=asked.strategy,
        enter_tag=None,
        timeframe=asked.timeframe,
        leverage=1.0,
        is_short=False,
        trading_mode="spot",
        funding_fees=0.0,
    )
    trade.orders.append(order)
    trade.recalc_trade_from_orders()
    Trade.session.add(trade)
    Trade.commit()
    return True


def _placed(asked: Import) -> dict[str, Any]:
    """The order as the exchange told of it when it took it."""
    return {
        "id": asked.order,
        "symbol": asked.pair,
        "status": "open",
        "type": "limit",
        "side": "buy",
        "price": asked.price,
        "amount": asked.amount,
        "filled": 0.0,
        "remaining": asked.amount,
        "cost": 0.0,
        "timestamp": int(asked.at.timestamp() * 1000),
    }


if __name__ == "__main__":
    print("imported" if imported(Import.model_validate_json(sys.stdin.read())) else "known")
