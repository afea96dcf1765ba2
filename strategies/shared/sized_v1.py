"""Smaller stakes for wilder coins, so that every position risks about the same."""

import numpy as np
from pandas import Series

DAYS = 20
"""Days that volatility is measured over: a month of trading, short enough to follow a change."""

CALM = 0.03
"""Daily volatility up to which a slot is used in full; about what bitcoin has in quiet times."""


def volatility(close: Series) -> Series:
    """The standard deviation of a day, from hourly closes of the last `DAYS` days."""
    return np.log(close).diff().rolling(24 * DAYS).std() * np.sqrt(24)


def stake(proposed: float, least: float | None, wildness: float) -> float:
    """The part of the proposed stake that is right for this volatility, but what may be traded."""
    if not np.isfinite(wildness) or wildness <= 0:
        return 0.0
    share = min(1.0, CALM / wildness)
    return max(proposed * share, least or 0.0)
