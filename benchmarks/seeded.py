"""Made-up candles for measuring: pairs with a year of five minutes, the same for the same seed."""

from pathlib import Path

import numpy as np

from pipelines.adapters import feather
from pipelines.domain.candles import Candles
from pipelines.freqtrade.config import candle_file

FIRST = 1_640_995_200_000
"""2022-01-01, in UTC milliseconds."""

STEP = 300_000
YEAR = 365 * 288


def pairs(count: int) -> tuple[str, ...]:
    """Names that no exchange lists."""
    return tuple(f"SEED{number:02}/USDT" for number in range(count))


def write(folder: Path, count: int, rows: int = YEAR) -> dict[str, Path]:
    """The files of `count` pairs, by pair: prices from 10**-5 to 10**4, on grids of all sizes."""
    files = {}
    for number, pair in enumerate(pairs(count)):
        path = folder / candle_file(pair, "5m")
        feather.write(path, _candles(pair, number, rows))
        files[pair] = path
    return files


def _candles(pair: str, number: int, rows: int) -> Candles:
    random = np.random.default_rng([20240229, number])
    scale = 10.0 ** (4 - number % 10)
    digits = 1 + number % 10 if number % 10 < 8 else 8
    close = scale * np.exp(np.cumsum(random.normal(0, 0.0015, rows)))
    close = np.round(close, digits) + 10.0**-digits
    opening = np.concatenate((close[:1], close[:-1]))
    high = np.round(np.maximum(opening, close) * 1.001, digits)
    low = np.round(np.minimum(opening, close) * 0.999, digits)
    high, low = np.maximum(high, np.maximum(opening, close)), np.minimum(low, opening)
    time = FIRST + STEP * np.arange(rows, dtype=np.int64)
    low = np.maximum(np.minimum(low, close), 10.0**-digits)
    return Candles(pair, "5m", time, opening, high, low, close, random.uniform(1, 9, rows))
