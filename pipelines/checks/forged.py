"""Is a log of trades what freqtrade would have made? All that the parent asks of one."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from pipelines.checks.workbench import Workbench
from pipelines.domain.candles import Candles, Window
from pipelines.domain.environment import Door, Portfolio
from pipelines.domain.pricing import Pricing, pricing
from pipelines.domain.strategy import Strategy
from pipelines.domain.trades import audit, execution, stakes
from pipelines.domain.trades.trade import TradeLog
from pipelines.domain.verdict import Finding


@dataclass(frozen=True)
class Terms:
    """What trades are held to. `lots` are the steps in which amounts are traded, by pair."""

    portfolio: Portfolio
    pricing: Pricing
    lots: Mapping[str, float]


def terms(strategy: Strategy, environment: Door, bench: Workbench) -> Terms:
    """The terms of one strategy in one environment."""
    pairs = strategy.manifest.pairs
    known = json.loads(bench.shelf.markets(pairs))
    lots = {pair: float(known[pair]["precision"]["amount"]) for pair in pairs if pair in known}
    return Terms(environment.portfolio, pricing(strategy), lots)


def problems(
    log: TradeLog, candles: Mapping[str, Candles], window: Window, held_to: Terms
) -> tuple[Finding, ...]:
    """Everything in a log that cannot be true."""
    return (
        *audit.problems(log, candles, window, held_to.portfolio),
        *execution.problems(log, candles, window, held_to.pricing),
        *stakes.problems(log, held_to.portfolio, held_to.pricing, held_to.lots),
    )
