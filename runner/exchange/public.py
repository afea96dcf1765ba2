"""What anybody may ask: `/api/v3/…` without a signature."""

import json
from collections.abc import Callable
from typing import Any

from pipelines.domain.candles import TIMEFRAMES
from runner.exchange import answers, klines
from runner.exchange.core.rejection import Rejection, missing
from runner.exchange.signing import Parameters
from runner.exchange.symbols import Symbols
from runner.exchange.venue import Venue
from runner.exchange.weights import SPOT, rate_limits

Answer = Callable[[Parameters], Any]

_END = 10**15


class Public:
    """The answers to public requests. Each method takes the parameters and returns what JSON says,
    or bytes that are JSON already.
    """

    def __init__(self, venue: Venue, symbols: Symbols, weight_limit: int | None) -> None:
        self._venue, self._symbols, self._weight_limit = venue, symbols, weight_limit

    def routes(self) -> dict[tuple[str, str], Answer]:
        """Every public request: method and path."""
        return {
            ("GET", "/api/v3/ping"): lambda _: {},
            ("GET", "/api/v3/time"): lambda _: {"serverTime": self._venue.time_of()},
            ("GET", "/api/v3/exchangeInfo"): self._exchange_info,
            ("GET", "/api/v3/klines"): self._klines,
            ("GET", "/api/v3/depth"): self._depth,
            ("GET", "/api/v3/trades"): self._trades,
            ("GET", "/api/v3/aggTrades"): self._joined_trades,
            ("GET", "/api/v3/ticker/24hr"): self._day_tickers,
            ("GET", "/api/v3/ticker/price"): self._prices,
            ("GET", "/api/v3/ticker/bookTicker"): self._book_tickers,
        }

    def _exchange_info(self, given: Parameters) -> Any:
        infos = [self._info(symbol) for symbol in self._asked(given)]
        limits = rate_limits(SPOT, self._weight_limit)
        return answers.exchange_info(infos, limits, self._venue.time_of())

    def _info(self, symbol: str) -> answers.Json:
        info = dict(self._symbols.infos[symbol])
        return info | {"status": "BREAK"} if self._venue.halted(symbol) else info

    def _klines(self, given: Parameters) -> Any:
        reel = self._venue.reel(given.needed("symbol"))
        interval, now = given.needed("interval"), self._venue.shown_until(reel.symbol)
        if interval not in reel.timeframes:
            raise Rejection(-1120, "Invalid interval.")
        limit = _limit(given, 500, 1000)
        begins, ends = given.whole("startTime"), given.whole("endTime")
        last = _END if ends is None else min(ends, _END)
        if begins is None:
            rows = reel.last_rows(interval, limit, last, now)
        else:
            last = min(last, begins + limit * 2 * TIMEFRAMES[interval])
            rows = reel.rows(interval, min(begins, _END), last, now)[:limit]
        return klines.told(reel, interval, rows, now)

    def _depth(self, given: Parameters) -> Any:
        symbol = given.needed("symbol")
        market, limit = self._venue.market(symbol), _limit(given, 100, 5000)
        return answers.depth(self._venue.book, symbol, market, limit, self._venue.now)

    def _trades(self, given: Parameters) -> Any:
        reel = self._venue.reel(given.needed("symbol"))
        return answers.market_trades(reel, self._venue.now, _limit(given, 500, 1000))

    def _joined_trades(self, given: Parameters) -> Any:
        return [answers.joined_trade(told) for told in self._trades(given)]

    def _day_tickers(self, given: Parameters) -> Any:
        venue = self._venue
        return self._each(
            given,
            lambda symbol: answers.day_ticker(
                venue.book, venue.reel(symbol), venue.market(symbol), venue.now
            ),
        )

    def _prices(self, given: Parameters) -> Any:
        def price(symbol: str) -> answers.Json:
            return {"symbol": symbol, "price": answers.text(self._venue.market(symbol).price)}

        return self._each(given, price)

    def _book_tickers(self, given: Parameters) -> Any:
        venue = self._venue
        return self._each(
            given, lambda symbol: answers.book_ticker(venue.book, symbol, venue.market(symbol))
        )

    def _each(self, given: Parameters, tell: Callable[[str], answers.Json]) -> Any:
        """One object for `symbol`, else a list."""
        told = [tell(symbol) for symbol in self._asked(given)]
        return told[0] if given.text("symbol") else told

    def _asked(self, given: Parameters) -> list[str]:
        """The symbols that are meant: `symbol`, `symbols`, or those that are open now."""
        if one := given.text("symbol"):
            return [self._venue.reel(one).symbol]
        if several := given.text("symbols"):
            return [self._venue.reel(symbol).symbol for symbol in _names(several)]
        return self._venue.listed()


def _names(value: str) -> list[str]:
    try:
        names = json.loads(value)
    except (ValueError, RecursionError):
        names = None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise missing("symbols")
    return names


def _limit(given: Parameters, usual: int, most: int) -> int:
    limit = given.whole("limit")
    return usual if not limit else min(limit, most)
