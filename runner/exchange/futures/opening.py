"""Opens the floor of futures on a set of candles."""

from functools import partial
from pathlib import Path

from pipelines.adapters.candles import CandleShelf
from runner.exchange.core.futures.book import Book
from runner.exchange.core.futures.contract import Fees
from runner.exchange.core.terms import Terms
from runner.exchange.futures.contracts import contracts
from runner.exchange.futures.floor import Floor
from runner.exchange.futures.marks import Marks, Recorded, read_marks
from runner.exchange.tape import Reel
from runner.exchange.winding import apart, wound


def open_floor(shelf: CandleShelf, markets: Path | None, terms: Terms) -> Floor:
    """Futures of every pair of a set. Pairs of a spot set are taken for perpetuals in their quote.

    :raises BadInput: when candles, marks or markets cannot be read.
    """
    pairs = {_perpetual(pair): pair for pair in shelf.data.series}
    infos, rules = contracts(pairs, markets)
    served = {info: pair for pair, info in ((p, _symbol(p)) for p in pairs) if info in rules}
    recorded = _recorded(shelf, list(served.values()))
    timeframes = {pair: tuple(shelf.data.series[pairs[pair]]) for pair in served.values()}
    candles = wound(shelf, [(pairs[pair], tf) for pair in timeframes for tf in timeframes[pair]])
    marks: dict[str, Marks] = {}
    for symbol, pair in served.items():
        load = partial(candles, pairs[pair])
        reel = Reel(symbol, rules[symbol].tick, timeframes[pair], load)
        marks[symbol] = recorded[pair].beside(reel)
    return Floor(Book(rules, terms, Fees()), infos, marks)


def _recorded(shelf: CandleShelf, pairs: list[str]) -> dict[str, Recorded]:
    """Marks and funding of these pairs, as far as they stand beside the candles."""
    if shelf.recorded is None:
        return {pair: Recorded() for pair in pairs}
    folder = shelf.recorded / shelf.data.exchange
    return apart(lambda: {pair: read_marks(folder, pair) for pair in pairs}, str(folder))


def _perpetual(pair: str) -> str:
    return pair if ":" in pair else f"{pair}:{pair.partition('/')[2]}"


def _symbol(pair: str) -> str:
    return pair.partition(":")[0].replace("/", "")
