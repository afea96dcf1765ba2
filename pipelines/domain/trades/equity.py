"""Equity curves, marked to market at every candle's close."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Curve:
    """An account over time: arrays of one length.

    `time` is int64 UTC milliseconds of the candles' closes, `equity` what the account is worth in
    stake currency, `invested` the share of it that is in open positions.
    """

    time: NDArray[np.int64]
    equity: NDArray[np.float64]
    invested: NDArray[np.float64]
