"""What anybody may ask of futures: `/fapi/…` without a signature."""

from collections.abc import Callable
from typing import Any

from pipelines.domain.candles import TIMEFRAMES
from runner.exchange import klines
from runner.exchange.answers import Json, joined_trade, kline, market_trades, text
from runner.exchange.core.rejection import Rejection
from runner.exchange.futures import answers
from runner.exchange.futures.floor import Floor
from runner.exchange.signing import Parameters
from runner.exchange.tape import Reel
from runner.exchange.venue import Venue
from runner.exchange.weights import FUTURES, rate_limits

Answer = Callable[[Parameters], Any]

_END = 10**15


class Public:
    """The answers to public requests. Each method takes the parameters and returns what JSON says,
    or bytes that are JSON already. `weight_limit` is another one than the usual one.
    """

    def __init__(self, venue: Venue, floor: Floor, weight_limit: int | None) -> None:
        self._venue, self._floor, self._weight_limit = venue, floor, weight_limit

    def routes(self) -> dict[tuple[str, str], Answer]:
        """Every public request: method and path."""
        return {
            ("GET", "/fapi/v1/ping"): lambda _: {},
            ("GET", "/fapi/v1/time"): lambda _: {"serverTime": self._venue.time_of()},
            ("GET", "/fapi/v1/exchangeInfo"): self._exchange_info,
            ("GET", "/fapi/v1/klines"): self._klines,
            ("GET", "/fapi/v1/markPriceKlines"): self._mark_klines,
            ("GET", "/fapi/v1/premiumIndex"): self._premium_index,
            ("GET", "/fapi/v1/fundingRate"): self._funding_rates,
            ("GET", "/fapi/v1/fundingInfo"): lambda _: [],
            ("GET", "/fapi/v1/depth"): self._depth,
            ("GET", "/fapi/v1/trades"): self._trades,
            ("GET", "/fapi/v1/aggTrades"): self._joined_trades,
            ("GET", "/fapi/v1/ticker/24hr"): self._day_tickers,
            ("GET", "/fapi/v1/ticker/price"): self._prices,
            ("GET", "/fapi/v2/ticker/price"): self._prices,
            ("GET", "/fapi/v1/ticker/bookTicker"): self._book_tickers,
        }

    def _exchange_info(self, given: Parameters) -> Any:
        settles = sorted({rules.settle for rules in self._floor.book.rules.values()})
        limits = rate_limits(FUTURES, self._weight_limit)
        infos = list(self._floor.infos.values())
        return answers.exchange_info(infos, settles, limits, self._venue.time_of())

    def _klines(self, given: Parameters) -> Any:
        interval, reel = given.needed("interval"), self._floor.reel(given.needed("symbol"))
        return klines.told(reel, interval, self._rows(given, reel), self._venue.now)

    def _mark_klines(self, given: Parameters) -> Any:
        interval, marks = given.needed("interval"), self._floor.mark(given.needed("symbol"))
        rows = self._rows(given, marks.told(interval))
        found = [marks.seen(interval, row, self._venue.now) for row in rows]
        return [[*kline(c)[:5], "0", c.closes - 1, "0", 0, "0", "0", "0"] for c in found]

    def _rows(self, given: Parameters, reel: Reel) -> range:
        interval, now = given.needed("interval"), self._venue.now
        if interval not in reel.timeframes:
            raise Rejection(-1120, "Invalid interval.")
        limit = _limit(given, 500, 1500)
        begins, ends = given.whole("startTime"), given.whole("endTime")
        last = _END if ends is None else min(ends, _END)
        if begins is None:
            return reel.last_rows(interval, limit, last, now)
        last = min(last, begins + limit * 2 * TIMEFRAMES[interval])
        return reel.rows(interval, min(begins, _END), last, now)[:limit]

    def _premium_index(self, given: Parameters) -> Any:
        now = self._venue.now
        return self._each(
            given,
            lambda symbol: answers.premium_index(
                self._floor.mark(symbol), self._floor.market(symbol, now), now
            ),
        )

    def _funding_rates(self, given: Parameters) -> Any:
        limit, now = _limit(given, 100, 1000), self._venue.now
        begins, ends = given.whole("startTime"), given.whole("endTime")
        last = now if ends is None else min(ends, now)
        rows = [
            answers.funding_rate(self._floor.mark(symbol), at, rate)
            for symbol in self._asked(given)
            for at, rate in self._floor.mark(symbol).paid(min(begins or 0, now), last)
        ]
        rows.sort(key=lambda row: row["fundingTime"])
        return rows[-limit:] if begins is None else rows[:limit]

    def _depth(self, given: Parameters) -> Any:
        symbol, now = given.needed("symbol"), self._venue.now
        market, limit = self._floor.market(symbol, now), _limit(given, 500, 1000)
        return answers.depth(self._floor.book, symbol, market, limit, now)

    def _trades(self, given: Parameters) -> Any:
        reel = self._floor.reel(given.needed("symbol"))
        return market_trades(reel, self._venue.now, _limit(given, 500, 1000))

    def _joined_trades(self, given: Parameters) -> Any:
        return [joined_trade(told) for told in self._trades(given)]

    def _day_tickers(self, given: Parameters) -> Any:
        floor, now = self._floor, self._venue.now
        return self._each(
            given,
            lambda symbol: answers.day_ticker(
                floor.book, floor.mark(symbol), floor.market(symbol, now), now
            ),
        )

    def _prices(self, given: Parameters) -> Any:
        now = self._venue.now
        return self._each(
            given,
            lambda symbol: {
                "symbol": symbol,
                "price": text(self._floor.market(symbol, now).price),
                "time": now,
            },
        )

    def _book_tickers(self, given: Parameters) -> Any:
        floor, now = self._floor, self._venue.now
        return self._each(
            given,
            lambda symbol: answers.book_ticker(floor.book, symbol, floor.market(symbol, now), now),
        )

    def _each(self, given: Parameters, tell: Callable[[str], Json]) -> Any:
        """One object for `symbol`, else a list."""
        told = [tell(symbol) for symbol in self._asked(given)]
        return told[0] if given.text("symbol") else told

    def _asked(self, given: Parameters) -> list[str]:
        one = given.text("symbol")
        return [self._floor.reel(one).symbol] if one else list(self._floor.marks)


def _limit(given: Parameters, usual: int, most: int) -> int:
    limit = given.whole("limit")
    return usual if not limit else min(limit, most)
