"""Opens the floor of futures on a set of candles."""

from functools import partial
from pathlib import Path

from pipelines.adapters.candles import CandleShelf
from runner.exchange.core.book import Terms
from runner.exchange.core.futures.book import Book
from runner.exchange.core.futures.contract import Contract, Fees
from runner.exchange.futures.contracts import contracts
from runner.exchange.futures.floor import Floor
from runner.exchange.futures.marks import Marks, recorded_marks
from runner.exchange.tape import Reel


def open_floor(shelf: CandleShelf, markets: Path | None, terms: Terms) -> Floor:
    """Futures of every pair of a set. Pairs of a spot set are taken for perpetuals in their quote.

    :raises BadInput: when candles, marks or markets cannot be read.
    """
    pairs = {_perpetual(pair): pair for pair in shelf.data.series}
    infos, rules = contracts(pairs, markets)
    served = {info: pair for pair, info in ((p, _symbol(p)) for p in pairs) if info in rules}
    folder = shelf.recorded and shelf.recorded / shelf.data.exchange
    marks = {
        symbol: _marks(shelf, folder, pair, pairs[pair], rules[symbol])
        for symbol, pair in served.items()
    }
    return Floor(Book(rules, terms, Fees()), infos, marks)


def _marks(
    shelf: CandleShelf, folder: Path | None, pair: str, source: str, rules: Contract
) -> Marks:
    timeframes = tuple(shelf.data.series[source])
    reel = Reel(rules.symbol, rules.tick, timeframes, partial(shelf.candles, source))
    return recorded_marks(folder, pair, reel)


def _perpetual(pair: str) -> str:
    return pair if ":" in pair else f"{pair}:{pair.partition('/')[2]}"


def _symbol(pair: str) -> str:
    return pair.partition(":")[0].replace("/", "")
