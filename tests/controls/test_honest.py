"""No honest strategy is called forged, however it prices, sizes and ends its trades."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from textwrap import indent
from typing import Any

import pytest

from pipelines.documents import load
from pipelines.domain.document import Document

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
