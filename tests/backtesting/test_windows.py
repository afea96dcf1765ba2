"""Warm windows against the stock program, started cold on the same candles: exactly its trades."""

import importlib.util
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from pipelines.adapters import feather, markets
from pipelines.adapters.isolation.enclosure import Enclosure
from pipelines.adapters.processes import Processes
from pipelines.domain.candles import TIMEFRAMES, Candles
from pipelines.domain.child import Job, Limits
from pipelines.domain.environment import Door
from pipelines.domain.strategy import Manifest
from pipelines.domain.ticks import packed
from pipelines.freqtrade import config
from pipelines.freqtrade.messages import BacktestReply, BacktestRequest, Span

pytestmark = pytest.mark.freqtrade

DAY = 86_400_000
FIRST = 1_609_459_200_000
"""2021-01-01, in UTC milliseconds."""

WINDOWS = {
    "early": Span(start=FIRST, end=FIRST + 20 * DAY),
    "middle": Span(start=FIRST + 15 * DAY, end=FIRST + 50 * DAY),
    "late": Span(start=FIRST + 45 * DAY, end=FIRST + 90 * DAY),
}
"""The first has no candles before it for its start-up; the last goes beyond the candles."""

MANIFEST = Manifest.model_validate_json(
    '{"class": "Plugin", "version": "1.0.0", "owner": "us", "summary": "reads all it can",'
    ' "pairs": ["ETH/USDT", "ADA/USDT", "LTC/USDT"], "informative_pairs": ["BTC/USDT"],'
    ' "timeframe": "1h", "informative": ["4h"], "handover": "drain"}'
)

# It asks for every kind of candles that freqtrade lends, and for the columns that it leaves behind.
SOURCE = """
import talib.abstract as ta
from freqtrade.strategy import IStrategy, informative, merge_informative_pair
from pandas import DataFrame

class Plugin(IStrategy):
    INTERFACE_VERSION = 3
    timeframe = "1h"
    stoploss = -0.04
    trailing_stop = True
    trailing_stop_positive = 0.011
    trailing_stop_positive_offset = 0.03
    trailing_only_offset_is_reached = True
    minimal_roi = {"0": 0.09, "600": 0.021}
    startup_candle_count = 30
    use_custom_stoploss = False

    def informative_pairs(self):
        return [("BTC/USDT", "4h")]

    @informative("4h")
    def populate_indicators_4h(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe["slow"] = ta.EMA(dataframe, timeperiod=6)
        return dataframe

    def populate_indicators(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        leader = self.dp.get_pair_dataframe("BTC/USDT", "4h")
        leader["lead"] = leader["close"].pct_change(2)
        dataframe = merge_informative_pair(dataframe, leader, "1h", "4h", ffill=True)
        dataframe["fast"] = ta.EMA(dataframe, timeperiod=8)
        dataframe["places"] = dataframe["max_count"].fillna(0) + dataframe["low_count"].fillna(0)
        return dataframe

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        low = (dataframe["close"] < dataframe["fast"]) & (dataframe["volume"] > 0)
        lead = dataframe["lead_4h"] > -0.02
        dataframe.loc[low & lead & (dataframe["places"] % 3 != 1), ["enter_long", "enter_tag"]] = (
            1, "low"
        )
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe.loc[dataframe["close"] > 1.01 * dataframe["slow_4h"], "exit_long"] = 1
        return dataframe
"""

ENVIRONMENT = """{
 "name": "test", "mode": "dry_run", "host": "pi", "runtime": "process",
 "exchange": {"name": "binance"}, "initial_state": "running", "policy": {"approval": "merge"},
 "protections": {"max_drawdown": 0.2, "max_orders_per_hour": 60},
 "portfolio": {"stake_currency": "USDT", "starting_balance": 1000, "max_open_trades": 2,
               "fee": 0.001},
 "admission": {"max_forced_exit_share": 0.2, "windows": {"early": {"min_trades": 1}},
   "incumbent": {"max_sharpe_loss": 0.1, "max_profit_loss": 0.1, "max_drawdown_rise": 0.03}}}
"""

DIGITS = {"ETH/USDT": 2, "ADA/USDT": 5, "LTC/USDT": 8, "BTC/USDT": 0}


def candles(pair: str, timeframe: str) -> Candles:
    """80 days with a wave, holes, prices of each grid and noise beyond it; LTC is listed late."""
    step = TIMEFRAMES[timeframe]
    time = FIRST + step * np.arange(80 * DAY // step)
    random = np.random.default_rng([len(pair), DIGITS[pair], step])
    wave = 1 + 0.08 * np.sin(2 * np.pi * time / (2 * DAY) + DIGITS[pair])
    price = {"ETH/USDT": 1300.0, "ADA/USDT": 0.4, "LTC/USDT": 0.00234, "BTC/USDT": 30_000.0}[pair]
    close = price * wave * np.exp(np.cumsum(random.normal(0, 0.004, len(time))))
    close = np.round(close, DIGITS[pair])
    # A month in which prices are whole, and single ones that were added up in floats.
    close[(time >= FIRST + 31 * DAY) & (time < FIRST + 35 * DAY)] //= 10.0 ** -DIGITS[pair] * 10
    close = np.where(close <= 0, price, close)
    close[::97] += 0.1 + 0.2 - 0.3
    opening = np.concatenate((close[:1], close[:-1]))
    high, low = np.maximum(opening, close) * 1.004, np.minimum(opening, close) * 0.996
    kept = random.random(len(time)) > 0.02
    kept[200:230] = kept[-1] = False
    if pair == "LTC/USDT":
        kept &= time >= FIRST + 25 * DAY
    columns = (time, opening, high, low, close, random.uniform(1, 9, len(time)))
    return Candles(pair, timeframe, *(column[kept] for column in columns))


@dataclass(frozen=True)
class Planned:
    """A job, and the markets that the stock program is to find on its exchange."""

    job: Job
    markets: bytes


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Planned:
    folder = tmp_path_factory.mktemp("candles")
    inputs = {}
    for pair in MANIFEST.candle_pairs:
        for timeframe in MANIFEST.timeframes:
            path = folder / config.candle_file(pair, timeframe)
            feather.write(path, candles(pair, timeframe))
            inputs[f"{config.CANDLES}/{path.name}"] = path
    known = markets.markets(MANIFEST.candle_pairs, "spot", None)
    environment = Door.model_validate_json(ENVIRONMENT)
    job = Job(
        module="pipelines.backtesting.backtest",
        request=BacktestRequest(class_name="Plugin", jobs=2, windows=WINDOWS),
        files={
            f"{config.STRATEGIES}/plugin/strategy.py": SOURCE.encode(),
            "config.json": config.backtest("plugin", MANIFEST, environment),
            "markets.json": known,
        },
        inputs=inputs,
        limits=Limits(memory_mb=8192),
    )
    return Planned(job, known)


@pytest.fixture(scope="module")
def stock(root: Path) -> Iterator[ModuleType]:
    """The module that starts the stock program, from the benchmarks."""
    spec = importlib.util.spec_from_file_location("stock", root / "benchmarks" / "stock.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their own module up by its name.
    sys.modules["stock"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["stock"]


@pytest.fixture(scope="module")
def warm(
    planned: Planned, tmp_path_factory: pytest.TempPathFactory, enclosure: Enclosure
) -> BacktestReply:
    ended = Processes(tmp_path_factory.mktemp("home"), enclosure).run(planned.job)
    assert ended.reply is not None, ended.output
    return BacktestReply.model_validate_json(ended.reply)


@pytest.mark.parametrize("name", WINDOWS)
def test_a_window_has_exactly_the_trades_of_the_stock_program(
    name: str, planned: Planned, warm: BacktestReply, stock: ModuleType, tmp_path: Path
) -> None:
    log, span = warm.windows[name].log, WINDOWS[name]
    assert log, warm.windows[name].error
    assert len(log.trades) > 10
    with stock.exchange(planned.markets) as port:
        stock.lay_out(planned.job, tmp_path, port)
        cold = stock.backtest(tmp_path, f"{span.start}-{span.end - 1}", name)
    assert stock.differences(cold, log) == []


def _with(job: Job, files: dict[str, bytes]) -> Job:
    return replace(job, files={**job.files, **files})


def test_decimals_that_were_handed_in_change_nothing(
    planned: Planned, warm: BacktestReply, tmp_path: Path, enclosure: Enclosure
) -> None:
    handed = {
        f"{config.TICKS}/{config.tick_file(pair, '1h')}": packed(candles(pair, "1h"))
        for pair in MANIFEST.pairs
    }
    ended = Processes(tmp_path, enclosure).run(
        replace(planned.job, files={**planned.job.files, **handed})
    )
    assert ended.reply == warm.canonical()


def test_decimals_of_other_candles_are_not_believed(
    planned: Planned, warm: BacktestReply, tmp_path: Path, enclosure: Enclosure
) -> None:
    cut = {
        f"{config.TICKS}/{config.tick_file(pair, '1h')}": packed(candles(pair, "1h"))[8:]
        for pair in MANIFEST.pairs
    }
    ended = Processes(tmp_path, enclosure).run(
        replace(planned.job, files={**planned.job.files, **cut})
    )
    assert ended.reply == warm.canonical()


def test_how_many_windows_run_at_once_changes_nothing(
    planned: Planned, warm: BacktestReply, tmp_path: Path, enclosure: Enclosure
) -> None:
    alone = replace(
        planned.job, request=BacktestRequest(class_name="Plugin", jobs=1, windows=WINDOWS)
    )
    assert Processes(tmp_path, enclosure).run(alone).reply == warm.canonical()
