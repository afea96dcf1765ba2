"""A replayed day with a stock `freqtrade trade`, live, on the exchange's scaled time."""

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from pipelines.domain.candles import TIMEFRAMES
from runner.exchange.messages import Ready

ROOT = Path(__file__).resolve().parent.parent
SPEED = 300
CANDLES_ASKED = 100
STEP = TIMEFRAMES["5m"]
PATIENCE_SECONDS = 240
"""How long the day may take beyond its time."""


@dataclass(frozen=True)
class Seen:
    """When a bot analysed a candle, by the exchange's clock: all in milliseconds."""

    pair: str
    opened: int
    at: int

    @property
    def lag(self) -> int:
        """How long after the candle's close that was."""
        return self.at - self.opened - STEP


@dataclass(frozen=True)
class Day:
    """What a bot made of the candles of a day: how many it missed, and its lags in seconds."""

    candles: int
    missed: int
    lags: tuple[float, ...]

    @property
    def p99(self) -> float:
        """All but one of a hundred candles were analysed within this time."""
        return self.lags[(len(self.lags) * 99 + 99) // 100 - 1]


def day(ready: Ready, ready_file: Path, folder: Path, pairs: list[str], candles: int) -> Day:
    """Let a bot trade until it has seen so many candles of each pair."""
    _lay_out(ready, ready_file, folder, pairs)
    argv = [sys.executable, "-m", "runner.bots.scaled", "--exchange", str(ready_file), "--"]
    argv += ["trade", "-c", "config.json", "--userdir", "user_data"]
    notes, seen = folder / "notes.jsonl", []
    until = time.monotonic() + PATIENCE_SECONDS + candles * STEP / 1000 / SPEED
    with (folder / "log").open("wb") as log:
        bot = subprocess.Popen(argv, cwd=folder, env=_environment(), stdout=log, stderr=log)
        try:
            while not over(seen, candles):
                if bot.poll() is not None or time.monotonic() > until:
                    raise RuntimeError((folder / "log").read_text()[-3000:])
                time.sleep(1)
                seen = read(notes.read_text()) if notes.exists() else []
        finally:
            bot.kill()
            bot.wait()
    return told(seen, pairs, candles)


def _environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT)}


def _lay_out(ready: Ready, ready_file: Path, folder: Path, pairs: list[str]) -> None:
    """What a user would have: the settings that the exchange prints, and some of their own."""
    argv = [sys.executable, "-m", "runner.exchange", "config", "--json", "--key", "key"]
    argv += ["--secret", "secret", "--ready-file", str(ready_file)]
    printed = subprocess.run(argv, cwd=ROOT, capture_output=True, check=True).stdout
    settings = json.loads(printed)
    # By itself freqtrade asks for a thousand candles of each pair, every time.
    few = {"ohlcv_candle_limit": CANDLES_ASKED}
    settings["exchange"] |= {"pair_whitelist": pairs, "_ft_has_params": few}
    settings |= {
        "exchange_url": ready.api_url,
        "initial_state": "running",
        "dry_run": False,
        "stake_currency": "USDT",
        "stake_amount": 500,
        "max_open_trades": len(pairs),
        "strategy": "Beat",
        "strategy_path": ".",
        "db_url": "sqlite:///trades.sqlite",
        "pairlists": [{"method": "StaticPairList"}],
        "entry_pricing": {"price_side": "other", "use_order_book": True, "order_book_top": 1},
        "exit_pricing": {"price_side": "other", "use_order_book": True, "order_book_top": 1},
    }
    (folder / "user_data").mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(settings))
    shutil.copy(ROOT / "benchmarks/beat.py", folder)


def read(notes: str) -> list[Seen]:
    """What a bot noted, its clock put right; a line that is still being written is left out."""
    lines = [json.loads(line) for line in notes.splitlines(keepends=True) if line.endswith("\n")]
    behind = next((at for pair, _, at in lines if not pair), 0)
    return [Seen(pair, opened, int(at + behind)) for pair, opened, at in lines if pair]


def first(seen: list[Seen]) -> int:
    """When the first candle opened that counts: what closed before the bot ran was not missed."""
    return min(each.opened for each in seen) + STEP


def over(seen: list[Seen], candles: int) -> bool:
    """True once so many candles have come."""
    return bool(seen) and max(each.opened for each in seen) >= first(seen) + candles * STEP


def told(seen: list[Seen], pairs: list[str], candles: int) -> Day:
    """Which candles were seen as the last one when they were, and how soon."""
    begins = first(seen)
    wanted = {(pair, begins + n * STEP) for pair in pairs for n in range(candles)}
    soonest: dict[tuple[str, int], int] = {}
    for each in seen:
        if (each.pair, each.opened) in wanted:
            soonest.setdefault((each.pair, each.opened), each.lag)
    lags = tuple(sorted(lag / 1000 for lag in soonest.values()))
    return Day(len(wanted), len(wanted) - len(soonest), lags)
