"""Klines as JSON: closed candles straight from their arrays, without a Decimal for each number.

Everything is counted in whole hundred-millionths, as it is written: eight decimals.
"""

import json

import numpy as np
from numpy.typing import NDArray

from pipelines.domain.candles import TIMEFRAMES, Candles
from runner.exchange import answers
from runner.exchange.core.orders import UNIT
from runner.exchange.tape import Reel, recorded

Units = NDArray[np.int64] | NDArray[np.object_]
"""Whole numbers, as Python's own where they may be too large."""

_ONE = 10**8
_SURE = 1e15
"""Below it a double has only one number of at most 15 digits: the one that was recorded."""

_NUMBER = '"%d.%08d"'
_LINE = ",".join(["[%d", *[_NUMBER] * 5, "%d", _NUMBER, "%d", _NUMBER, _NUMBER, '"0"]'])


def told(reel: Reel, timeframe: str, rows: range, now: int) -> bytes:
    """These candles of a reel as `klines` answers them; the open one is as far as it is now."""
    closed = rows[:-1] if rows and reel.is_open(timeframe, rows[-1], now) else rows
    lines = _lines(reel.series[timeframe], closed, int(reel.tick / UNIT)) if closed else []
    if len(closed) < len(rows):
        candle = reel.seen(timeframe, rows[-1], now)
        lines.append(json.dumps(answers.kline(candle), separators=(",", ":")))
    return f"[{','.join(lines)}]".encode()


def _lines(series: Candles, rows: range, tick: int) -> list[str]:
    """Closed candles, one text each."""
    part = slice(rows.start, rows.stop)
    columns = (series.open[part], series.high[part], series.low[part], series.close[part])
    prices = _on_ticks(_units(np.stack(columns)), tick)
    wholes, parts = (prices // _ONE).T.tolist(), (prices % _ONE).T.tolist()
    middles = (prices[1] + prices[2]).tolist()
    length = TIMEFRAMES[series.timeframe]
    volumes = _units(series.volume[part]).tolist()
    opened = series.time[part].tolist()
    each = zip(opened, wholes, parts, volumes, middles, strict=True)
    return [_line(length, *numbers) for numbers in each]


def _line(
    length: int, opens: int, whole: list[int], part: list[int], volume: int, middle: int
) -> str:
    """One candle. `whole` and `part` are its four prices, `middle` twice the middle one."""
    quote = volume * middle
    return _LINE % (
        opens,
        whole[0],
        part[0],
        whole[1],
        part[1],
        whole[2],
        part[2],
        whole[3],
        part[3],
        *divmod(volume, _ONE),
        opens + length - 1,
        *divmod(_nearest(quote, 2 * _ONE), _ONE),
        4 if volume else 0,
        *divmod(_nearest(volume, 2), _ONE),
        *divmod(_nearest(quote, 4 * _ONE), _ONE),
    )


def _nearest(number: int, divisor: int) -> int:
    """A quotient, rounded half to even as Decimals are."""
    whole, left = divmod(number, divisor)
    return whole + (2 * left > divisor or (2 * left == divisor and whole % 2 == 1))


def _units(column: NDArray[np.float64]) -> Units:
    """Doubles as whole units."""
    units = np.rint(column * _ONE)
    sure = (units >= 0) & (units < _SURE) & (units / _ONE == column)
    if sure.all():
        return units.astype(np.int64)
    exactly = [int(recorded(number).scaleb(8)) for number in column.ravel().tolist()]
    return np.array(exactly, dtype=object).reshape(column.shape)


def _on_ticks(prices: Units, tick: int) -> Units:
    whole, left = prices // tick, prices % tick
    up = (2 * left > tick) | ((2 * left == tick) & (whole % 2 == 1))
    rounded: Units = (whole + up) * tick
    return rounded
