"""The decimals of recorded prices, counted once for each content and kept.

The child that runs backtests needs them for freqtrade's tick sizes. They are handed in beside the
candles, so that not every run counts them anew.
"""

from collections.abc import Iterable

from pipelines.checks.workbench import Cache, Shelf
from pipelines.domain.candles import Candles
from pipelines.domain.strategy import Manifest
from pipelines.domain.ticks import packed
from pipelines.freqtrade.config import TICKS, tick_file

_FORM = "decimals-1"
"""Names how decimals are counted and written, for keys of the cache."""


def files(manifest: Manifest, shelf: Shelf, cache: Cache) -> dict[str, bytes]:
    """What lies below `ticks/` for the child: a file for every pair that is traded."""
    own = manifest.timeframe
    return {
        f"{TICKS}/{tick_file(pair, own)}": _kept(pair, own, shelf, cache) for pair in manifest.pairs
    }


def counted(candles: Iterable[Candles]) -> dict[str, bytes]:
    """The same for candles that are on no shelf."""
    return {f"{TICKS}/{tick_file(each.pair, each.timeframe)}": packed(each) for each in candles}


def _kept(pair: str, timeframe: str, shelf: Shelf, cache: Cache) -> bytes:
    # The path is asked for first: it refuses candles that are not the pinned ones.
    shelf.path(pair, timeframe)
    key = f"{_FORM}-{shelf.data.series[pair][timeframe].digest}"
    kept = cache.get(key)
    if kept is None:
        kept = packed(shelf.candles(pair, timeframe))
        cache.put(key, kept)
    return kept
