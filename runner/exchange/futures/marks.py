"""The mark price and the funding of one contract, as far as they were recorded.

Mark candles that are as fine as the pair's candles have a path of their own. Coarser ones only tell
the mark price when they open (funding is paid then); otherwise it is the last price.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import cached_property
from pathlib import Path

from pipelines.adapters import feather
from pipelines.domain.candles import TIMEFRAMES, Candles
from runner.exchange.core.orders import UNIT
from runner.exchange.core.path import Candle, Leg, legs
from runner.exchange.tape import Reel

USUAL_RATE = Decimal("0.0001")
"""What longs pay where no funding was recorded: Binance's interest rate for eight hours."""

EIGHT_HOURS = 8 * 3_600_000
_MINUTE = 60_000


@dataclass(frozen=True)
class Marks:
    """What is known beside the candles: `opens` and `rates` are by UTC milliseconds."""

    reel: Reel
    fine: Reel | None = None
    opens: Mapping[int, Decimal] = field(default_factory=dict)
    rates: Mapping[int, Decimal] = field(default_factory=dict)

    @cached_property
    def _times(self) -> list[int]:
        return sorted(self.rates)

    def price(self, at: int) -> Decimal | None:
        """The mark price at a moment; None before the first candle."""
        if at in self.opens:
            return self.opens[at]
        marked = self._fine_at(at)
        found = marked.price(at) if marked else self.reel.price(at)
        return None if found is None else found.quantize(UNIT)

    def path(self, begins: int, ends: int) -> Iterable[Leg] | None:
        """The mark price between two moments; None when it is the last price."""
        marked = self._fine_at(begins)
        if marked is None:
            return None
        found = [leg for c in marked.between(begins, ends) for leg in legs(c, begins, ends)]
        return found or None

    def told(self, timeframe: str) -> Reel:
        """Whose candles are told as those of the mark price."""
        return self.fine if self.fine and timeframe in self.fine.timeframes else self.reel

    def seen(self, timeframe: str, row: int, now: int) -> Candle:
        """A candle of the mark price as far as it is now; `row` is that of `told`."""
        candle = self.told(timeframe).seen(timeframe, row, now)
        opened = self.opens.get(candle.opens)
        if opened is None:
            return candle
        high, low = max(candle.high, opened), min(candle.low, opened)
        return replace(candle, open=opened, high=high, low=low)

    def rate(self, at: int) -> Decimal | None:
        """What longs pay shorts at a moment, as a share; None when nothing is paid then."""
        if self.rates:
            return self.rates.get(at)
        return USUAL_RATE if at % EIGHT_HOURS == 0 else None

    def last_rate(self, at: int) -> Decimal:
        """The rate that was paid last."""
        if not self.rates:
            return USUAL_RATE
        row = bisect_right(self._times, at) - 1
        return self.rates[self._times[max(row, 0)]]

    def next_funding(self, at: int) -> int:
        """The first moment after this one at which funding is paid."""
        row = bisect_right(self._times, at)
        if row < len(self._times):
            return self._times[row]
        return (at // EIGHT_HOURS + 1) * EIGHT_HOURS

    def paid(self, begins: int, ends: int) -> list[tuple[int, Decimal]]:
        """The moments at which funding was paid, both ends inclusive, and the rates."""
        if self.rates:
            first, last = bisect_left(self._times, begins), bisect_right(self._times, ends)
            return [(at, self.rates[at]) for at in self._times[first:last]]
        opened = max(begins, self.reel.span()[0])
        first = -(-opened // EIGHT_HOURS) * EIGHT_HOURS
        return [(at, USUAL_RATE) for at in range(first, ends + 1, EIGHT_HOURS)]

    def _fine_at(self, at: int) -> Reel | None:
        if self.fine is None:
            return None
        begins, ends = self.fine.span()
        return self.fine if begins <= at < ends else None


@dataclass(frozen=True)
class Recorded:
    """Candles of the mark price and of funding of one pair, by timeframe."""

    marks: Mapping[str, Candles] = field(default_factory=dict)
    funding: Mapping[str, Candles] = field(default_factory=dict)

    def beside(self, reel: Reel) -> Marks:
        """What is known beside the candles of the pair."""
        finest = min(TIMEFRAMES[timeframe] for timeframe in reel.timeframes)
        fine = {
            timeframe: candles
            for timeframe, candles in self.marks.items()
            if TIMEFRAMES.get(timeframe, EIGHT_HOURS) <= finest
        }
        opens: dict[int, Decimal] = {}
        for candles in self.marks.values():
            opens |= dict(zip(candles.time.tolist(), _decimals(candles.open), strict=True))
        rates: dict[int, Decimal] = {}
        for candles in self.funding.values():
            times = [round(at / _MINUTE) * _MINUTE for at in candles.time.tolist()]
            rates |= dict(zip(times, _decimals(candles.open), strict=True))
        marked = Reel(reel.symbol, UNIT, tuple(fine), fine.__getitem__) if fine else None
        return Marks(reel, marked, opens, rates)


def read_marks(folder: Path | None, pair: str) -> Recorded:
    """What a folder of candles holds of a pair's mark prices and funding, in freqtrade's layout.

    :raises BadInput: when a file is there and cannot be read.
    """
    if folder is None:
        return Recorded()
    stem = pair.replace("/", "_").replace(":", "_")

    def found(kind: str) -> dict[str, Candles]:
        paths = sorted((folder / "futures").glob(f"{stem}-*-{kind}.feather"))
        timeframes = {path: path.stem.split("-")[1] for path in paths}
        return {tf: feather.read(path, pair, tf) for path, tf in timeframes.items()}

    return Recorded(found("mark"), found("funding_rate"))


def _decimals(column: Iterable[float]) -> list[Decimal]:
    return [Decimal(repr(float(each))).quantize(UNIT) for each in column]
