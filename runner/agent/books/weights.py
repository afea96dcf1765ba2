"""What the questions of the client weigh, as Binance documents it.

"REST API" of its spot market, and USDS-M futures (developers.binance.com). Other exchanges count
otherwise; what they are asked for weighs here as much.
"""

from collections.abc import Mapping

from pipelines.domain.candles import TradingMode

LIMITS: Mapping[TradingMode, int] = {"spot": 6000, "futures": 2400}
"""What an address may use in a minute, where the exchange does not tell."""

FEW_PAIRS = 13
"""Beyond so many the open orders of all pairs weigh less than those of each."""

BALANCES = "fetch_balance"
_SPOT = {
    BALANCES: 20,
    "fetch_orders": 20,
    "fetch_my_trades": 20,
    "fetch_last_prices": 4,
    "fetch_markets": 20,
    "fetch_time": 1,
    "create_order": 1,
    "cancel_order": 1,
}
_FUTURES = {
    BALANCES: 5,
    "fetch_orders": 5,
    "fetch_my_trades": 5,
    "fetch_last_prices": 2,
    "fetch_markets": 1,
    "fetch_positions": 5,
    "fetch_time": 1,
    "create_order": 1,
    "cancel_order": 1,
}
_OPEN_ORDERS: Mapping[TradingMode, tuple[int, int]] = {"spot": (6, 80), "futures": (1, 40)}


def weight(method: str, mode: TradingMode, pair: str | None) -> int:
    """What a question weighs; one that asks nobody weighs nothing."""
    if method == "fetch_open_orders":
        one, every = _OPEN_ORDERS[mode]
        return one if pair else every
    return (_FUTURES if mode == "futures" else _SPOT).get(method, 0)


def look(pairs: int, mode: TradingMode, *, orders: bool) -> int:
    """What a look at an account weighs, of so many pairs, with its open orders or without."""
    asked = weight(BALANCES, mode, None) + weight("fetch_positions", mode, None)
    if not orders:
        return asked
    kinds = 2 if mode == "futures" else 1
    few = pairs <= FEW_PAIRS
    each = weight("fetch_open_orders", mode, "one") * pairs
    return asked + kinds * (each if few else weight("fetch_open_orders", mode, None))
