"""What the exchange answers of the market of futures, in the shapes of Binance's documentation.

developers.binance.com/docs/derivatives/usds-margined-futures/market-data/rest-api
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from runner.exchange import answers
from runner.exchange.answers import Json, text
from runner.exchange.core import placing as spot
from runner.exchange.core.futures.book import Book
from runner.exchange.core.futures.contract import Contract
from runner.exchange.core.futures.placing import Market
from runner.exchange.futures.marks import Marks

_INTEREST = "0.00010000"


def exchange_info(
    infos: list[Mapping[str, Any]], settles: list[str], limits: list[Json], now: int
) -> Json:
    """`exchangeInfo` ("Exchange-Information") of these contracts, as recorded or made up."""
    assets = [
        {"asset": asset, "marginAvailable": True, "autoAssetExchange": "-10000"}
        for asset in settles
    ]
    return {**answers.exchange_info([dict(info) for info in infos], limits, now), "assets": assets}


def depth(book: Book, symbol: str, market: Market, limit: int, now: int) -> Json:
    """The market's side of the order book ("Order-Book")."""
    told = answers.depth(book, symbol, spot.Market(market.price, market.candle), limit, now)
    return {**told, "E": now, "T": now}


def book_ticker(book: Book, symbol: str, market: Market, now: int) -> Json:
    """The best prices of the market ("Symbol-Order-Book-Ticker")."""
    best = answers.book_ticker(book, symbol, spot.Market(market.price, market.candle))
    return {**best, "time": now, "lastUpdateId": now}


def day_ticker(book: Book, marks: Marks, market: Market, now: int) -> Json:
    """The last 24 hours ("24hr-Ticker-Price-Change-Statistics"), without the best prices."""
    told = answers.day_ticker(book, marks.reel, spot.Market(market.price, market.candle), now)
    spots = ("bidPrice", "bidQty", "askPrice", "askQty", "prevClosePrice")
    return {name: value for name, value in told.items() if name not in spots}


def premium_index(marks: Marks, market: Market, now: int) -> Json:
    """Mark price and funding of a contract ("Mark-Price"). The index is not recorded."""
    return {
        "symbol": marks.reel.symbol,
        "markPrice": text(market.mark),
        "indexPrice": text(market.mark),
        "estimatedSettlePrice": text(market.mark),
        "lastFundingRate": text(marks.last_rate(now)),
        "interestRate": _INTEREST,
        "nextFundingTime": marks.next_funding(now),
        "time": now,
    }


def funding_rate(marks: Marks, at: int, rate: Decimal) -> Json:
    """One funding that was paid ("Get-Funding-Rate-History")."""
    mark = marks.price(at)
    return {
        "symbol": marks.reel.symbol,
        "fundingTime": at,
        "fundingRate": text(rate),
        "markPrice": "" if mark is None else text(mark),
    }


def brackets(contract: Contract) -> Json:
    """How much leverage what notional may have ("Notional-and-Leverage-Brackets")."""
    rows = [
        {
            "bracket": number,
            "initialLeverage": each.leverage,
            "notionalCap": float(each.cap),
            "notionalFloor": float(each.floor),
            "maintMarginRatio": float(each.rate),
            "cum": float(each.cum),
        }
        for number, each in enumerate(contract.brackets, 1)
    ]
    return {"symbol": contract.symbol, "notionalCoef": 1.0, "brackets": rows}
