"""What requests of futures weigh, held to the table that ccxt keeps for its own rate limiter."""

from typing import Any

import ccxt
import pytest

from runner.exchange.signing import Parameters
from runner.exchange.weighing import weight

TOLD = ccxt.binance().describe()["api"]
READ = {
    name: costs
    for part in ("fapiPublic", "fapiPrivate")
    for name, costs in TOLD[part]["get"].items()
}
OTHERWISE = {"fundingRate", "fundingInfo"}
"""Those two share a limit of their own, so that they weigh nothing in this one."""

ASKED = [
    "depth",
    "trades",
    "aggTrades",
    "klines",
    "markPriceKlines",
    "ticker/24hr",
    "ticker/price",
    "ticker/bookTicker",
    "openOrders",
    "allOrders",
    "userTrades",
    "openAlgoOrders",
    "allAlgoOrders",
    "positionSide/dual",
    "income",
    "multiAssetsMargin",
    "commissionRate",
    "accountConfig",
    "symbolConfig",
    "account",
    "balance",
    "positionRisk",
    "leverageBracket",
    "order",
    "ping",
    "time",
    "exchangeInfo",
]


def cases() -> list[tuple[str, dict[str, str], int]]:
    """Every request with every size that has a weight of its own there."""
    found: list[tuple[str, dict[str, str], int]] = []
    for name in ASKED:
        costs: dict[str, Any] = READ[name]
        for most, cost in costs.get("byLimit", []):
            found.append((name, {"symbol": "BTCUSDT", "limit": str(min(most, 1500))}, cost))
        if "noSymbol" in costs:
            found.append((name, {}, costs["noSymbol"]))
        if "byLimit" not in costs:
            found.append((name, {"symbol": "BTCUSDT"}, costs["cost"]))
    return found


@pytest.mark.parametrize(("name", "given", "costs"), cases())
def test_a_request_weighs_what_ccxt_reckons_with(
    name: str, given: dict[str, str], costs: int
) -> None:
    versions = ("v2", "v3") if name in ("account", "balance", "positionRisk") else ("v1",)
    for version in versions:
        assert weight(("GET", f"/fapi/{version}/{name}"), Parameters(given)) == costs


def test_only_the_history_of_funding_counts_elsewhere() -> None:
    for name in sorted(OTHERWISE):
        assert weight(("GET", f"/fapi/v1/{name}"), Parameters({})) == 0
        assert name in READ
