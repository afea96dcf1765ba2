"""How long nobody looks after open trades: a live bot of the agent beside one that is kept by hand.

Both buy three coins, with their stops at the exchange, on one rehearsal exchange that runs in real
time, and sell nothing. `train.py` shows the figures.
"""

import os
import statistics
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import yaml
from figures import Figure
from flatten import flatten_seconds
from fleet import TRAIN, Fleet, Stock, until

from pipelines.adapters import feather
from pipelines.adapters.secrets import SecretStore
from pipelines.domain.candles import Candles
from pipelines.domain.secret import Scope, Secret, SecretName
from pipelines.errors import SluiceError
from pipelines.freqtrade.config import candle_file
from pipelines.freqtrade.rest import Rest
from pipelines.workflow import data
from runner.agent import records
from runner.agent.house import House
from runner.exchange import faketime, remote

NAME, ENVIRONMENT = "holder", "sandbox"
KEYS = ("kept", "hand")
"""What opens the account of the agent's bot, and that of the other."""
COINS = ("BTC", "ETH", "SOL")
STRATEGY = """\
from freqtrade.strategy import IStrategy


class Holder(IStrategy):
    timeframe = "1h"
    stoploss = -0.2
    minimal_roi = {}
    startup_candle_count = 20

    def populate_indicators(self, dataframe, metadata):
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe["enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe["exit_long"] = 0
        return dataframe
"""
LIVE = {
    "stake_amount": 20,
    "available_capital": 200,
    "order_types": {
        "entry": "limit",
        "exit": "limit",
        "emergency_exit": "market",
        "stoploss": "limit",
        "stoploss_on_exchange": True,
    },
}
"""What the one that is kept by hand is told more, as the agent's bot is."""
MINUTES, HOURS = 12 * 24 * 60, 12 * 24
AHEAD_HOURS = 24
AHEAD = timedelta(hours=AHEAD_HOURS + 1)


def market(root: Path) -> Path:
    """A project with a market made up of minutes and hours, from eleven days ago until tomorrow."""
    for name in ("strategies", "environments", "candles/binance"):
        (root / name).mkdir(parents=True)
    _made(root / "candles" / "binance")
    data.pin(root, root / "candles", "made", datetime.now(UTC) + AHEAD)
    return root


def later() -> Mapping[str, str]:
    """What lets the exchange take the candles of tomorrow for recorded ones.

    :raises RuntimeError: without libfaketime.
    """
    library = faketime.library()
    if library is None:
        raise RuntimeError(f"libfaketime is missing: install Debian's {faketime.PACKAGE}")
    return faketime.environment(os.environ, library, datetime.now(UTC) + AHEAD, 1)


def _made(folder: Path) -> None:
    now = int(datetime.now(UTC).timestamp()) // 3600 * 3600_000
    begins = now + (AHEAD_HOURS - HOURS) * 3600_000
    for number, coin in enumerate(COINS):
        random = np.random.default_rng([20261121, number])
        close = np.round(100 * np.exp(np.cumsum(random.normal(0, 0.0002, MINUTES))), 2)
        opens = np.concatenate((close[:1], close[:-1]))
        # Every minute goes to both sides, so that a limit order is filled within one or two.
        high, low = np.maximum(opens, close) + 0.2, np.minimum(opens, close) - 0.2
        volume = np.full(MINUTES, 5000.0)
        minutes = begins + 60_000 * np.arange(MINUTES, dtype=np.int64)
        each = Candles(f"{coin}/USDT", "1m", minutes, opens, high, low, close, volume)
        feather.write(folder / candle_file(each.pair, "1m"), each)
        hours = (HOURS, 60)
        hourly = Candles(
            each.pair,
            "1h",
            minutes[::60],
            opens[::60],
            high.reshape(hours).max(axis=1),
            low.reshape(hours).min(axis=1),
            close[59::60],
            volume.reshape(hours).sum(axis=1),
        )
        feather.write(folder / candle_file(each.pair, "1h"), hourly)


def measure(kept: Fleet, stock: Stock, turns: int) -> list[Figure]:
    """Handovers by adopting, each beside a restart by hand; then everything is sold."""
    now = datetime.now(UTC)
    for name, value in ((SecretName.EXCHANGE_KEY, KEYS[0]), (SecretName.EXCHANGE_SECRET, "secret")):
        SecretStore(kept.home).put(Scope(ENVIRONMENT, ENVIRONMENT), name, Secret(value), now)
    declared = kept.project / TRAIN / f"{ENVIRONMENT}.yaml"
    told = yaml.safe_load(declared.read_text()) | {"handover": {"way": "adopt"}}
    declared.write_text(yaml.safe_dump(told))
    adopted, restarted = [], []
    with kept.running():
        kept.want(ENVIRONMENT, kept.release(NAME, "1.0.0", STRATEGY, "adopt"))
        stock.start()
        try:
            for key in KEYS:
                until(lambda key=key: _stops(kept.ready_file, key) == len(COINS))
            for turn in range(turns):
                adopted.append(_adopted(kept, f"1.{turn + 1}.0"))
                restarted.append(_restarted(stock))
            flat = flatten_seconds(kept.project, kept.home, ENVIRONMENT, "flatten_seconds")
        finally:
            stock.stop()
    ours, manual = statistics.median(adopted), statistics.median(restarted)
    return [
        Figure("unmanaged_vs_restart", ours / manual, "x", "< 1"),
        Figure("unmanaged_seconds", ours, "s"),
        Figure("unmanaged_restart_seconds", manual, "s"),
        flat,
    ]


def _stops(ready_file: Path, key: str) -> int:
    """Coins that an account holds with a stop at the exchange."""
    told = remote.book(remote.located(ready_file), key)
    stops = {o.base for o in told.orders if o.standing == "NEW" and o.kind == "STOP_LOSS_LIMIT"}
    return sum(
        told.balances.get(coin, Decimal()) > Decimal("0.01") and coin in stops for coin in COINS
    )


def _adopted(kept: Fleet, version: str) -> float:
    """Seconds from the end of one release's process until the next one's has done a round."""
    house = House(kept.home)
    holder = house.lock(ENVIRONMENT, NAME).holder()
    if holder is None:
        raise RuntimeError("there is no bot")
    release = kept.release(NAME, version, STRATEGY, "adopt")
    kept.want(ENVIRONMENT, release, wait=False)
    until(lambda: _ended(holder.pid), often=0.005)
    began = time.monotonic()
    until(lambda: _took_over(house, release.digest), often=0.005)
    seconds = time.monotonic() - began
    if _stops(kept.ready_file, KEYS[0]) != len(COINS):
        raise RuntimeError("a stop is missing after the handover")
    until(lambda: _trades(house))
    return seconds


def _restarted(stock: Stock) -> float:
    """Seconds from the end of a stock bot until another one has done a round."""
    stock.stop()
    began = time.monotonic()
    stock.start(lambda: _processed(stock.rest))
    return time.monotonic() - began


def _took_over(house: House, digest: str) -> bool:
    record = records.load(house.record(ENVIRONMENT, NAME))
    return bool(record and record.promotion.digest == digest and _processed(record.rest))


def _trades(house: House) -> bool:
    record = records.load(house.record(ENVIRONMENT, NAME))
    return record is not None and record.phase == "running"


def _processed(rest: Rest) -> bool:
    with suppress(SluiceError):
        return rest.processed() is not None
    return False


def _ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True
