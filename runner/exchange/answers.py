"""What the exchange answers, in the shapes of Binance's spot API documentation.

Numbers are text with eight decimals, times are UTC milliseconds.
"""

from decimal import Decimal
from typing import Any

from runner.exchange.core.book import Book
from runner.exchange.core.matching import available, quotes
from runner.exchange.core.orders import ZERO, Account, Fill, Order, Side
from runner.exchange.core.path import Candle
from runner.exchange.core.pit import Pit
from runner.exchange.core.placing import Market
from runner.exchange.tape import Reel

Json = dict[str, Any]


def text(number: Decimal) -> str:
    """A number as Binance writes it."""
    return f"{number:.8f}"


def exchange_info(symbols: list[Json], limits: list[Json], now: int) -> Json:
    """`exchangeInfo` of these symbols, as they were recorded or made up."""
    return {
        "timezone": "UTC",
        "serverTime": now,
        "rateLimits": limits,
        "exchangeFilters": [],
        "symbols": symbols,
    }


def kline(candle: Candle) -> list[Any]:
    """One candle. What was not recorded is estimated: the quote volume at the middle price."""
    quote = candle.volume * (candle.high + candle.low) / 2
    prices = [text(price) for price in (candle.open, candle.high, candle.low, candle.close)]
    return [
        candle.opens,
        *prices,
        text(candle.volume),
        candle.closes - 1,
        text(quote),
        4 if candle.volume else 0,
        text(candle.volume / 2),
        text(quote / 2),
        "0",
    ]


def depth(book: Pit, symbol: str, market: Market, limit: int, now: int) -> Json:
    """The market's side of the order book: what may be taken stands at the best price.

    Levels behind it hold as much again, but orders here take from the best one only.
    """
    rules = book.rules[symbol]
    amount = text(max(available(book, symbol, market.candle), rules.step))
    best_bid, best_ask = quotes(book, symbol, market.price, market.candle)
    bids = [best_bid - rules.tick * level for level in range(limit)]
    return {
        "lastUpdateId": now,
        "bids": [[text(price), amount] for price in bids if price > 0],
        "asks": [[text(best_ask + rules.tick * level), amount] for level in range(limit)],
    }


def market_trades(reel: Reel, now: int, limit: int) -> list[Json]:
    """The last trades of the market: four for each candle, where its path turns."""
    found: list[Json] = []
    candles = reel.newest(reel.finest(now), limit // 4 + 1, now)
    for candle in candles:
        moments = [candle.opens + candle.length * turn // 3 for turn in range(3)]
        for turn, at in enumerate([*moments, candle.closes - 1]):
            price, amount = candle.corners[turn], candle.volume / 4
            if at <= now:
                found.append(
                    {
                        "id": candle.opens // 1000 * 4 + turn,
                        "price": text(price),
                        "qty": text(amount),
                        "quoteQty": text(price * amount),
                        "time": at,
                        "isBuyerMaker": price < candle.open,
                        "isBestMatch": True,
                    }
                )
    return found[-limit:]


def joined_trade(told: Json) -> Json:
    """A trade of the market as `aggTrades` tells it."""
    return {
        "a": told["id"],
        "p": told["price"],
        "q": told["qty"],
        "f": told["id"],
        "l": told["id"],
        "T": told["time"],
        "m": told["isBuyerMaker"],
        "M": told["isBestMatch"],
    }


def book_ticker(book: Pit, symbol: str, market: Market) -> Json:
    """The best prices of the market."""
    top = depth(book, symbol, market, 1, 0)
    (bid_price, bid_amount), (ask_price, ask_amount) = top["bids"][0], top["asks"][0]
    return {
        "symbol": symbol,
        "bidPrice": bid_price,
        "bidQty": bid_amount,
        "askPrice": ask_price,
        "askQty": ask_amount,
    }


def day_ticker(book: Pit, reel: Reel, market: Market, now: int) -> Json:
    """The last 24 hours of a symbol."""
    still = Candle(now, 0, market.price, market.price, market.price, market.price, ZERO)
    day = reel.day(now) or still
    change = market.price - day.open
    mean = (day.high + day.low) / 2
    return {
        **book_ticker(book, reel.symbol, market),
        "priceChange": text(change),
        "priceChangePercent": f"{change / day.open * 100:.3f}",
        "weightedAvgPrice": text(mean),
        "prevClosePrice": text(day.open),
        "lastPrice": text(market.price),
        "lastQty": text(ZERO),
        "openPrice": text(day.open),
        "highPrice": text(day.high),
        "lowPrice": text(day.low),
        "volume": text(day.volume),
        "quoteVolume": text(day.volume * mean),
        "openTime": now - 86_400_000,
        "closeTime": now,
        "firstId": -1,
        "lastId": -1,
        "count": 0,
    }


def order(placed: Order) -> Json:
    """An order as `GET order` tells it."""
    return {
        "symbol": placed.symbol,
        "orderId": placed.id,
        "orderListId": -1,
        "clientOrderId": placed.client_id,
        "price": text(placed.price),
        "origQty": text(placed.quantity),
        "executedQty": text(placed.executed),
        "cummulativeQuoteQty": text(placed.quote),
        "status": placed.standing.value,
        "timeInForce": placed.time_in_force.value,
        "type": placed.kind.value,
        "side": placed.side.value,
        "stopPrice": text(placed.stop_price),
        "icebergQty": text(ZERO),
        "time": placed.placed_at,
        "updateTime": placed.updated_at,
        "isWorking": not placed.waiting,
        "workingTime": -1 if placed.waiting else placed.placed_at,
        "origQuoteOrderQty": text(ZERO),
        "selfTradePreventionMode": "NONE",
    }


def placed_order(book: Book, placed: Order) -> Json:
    """An order as `POST order` tells it: with its fills."""
    fills = [
        {
            "price": text(fill.price),
            "qty": text(fill.quantity),
            "commission": text(fill.commission),
            "commissionAsset": fill.commission_asset,
            "tradeId": fill.id,
        }
        for fill in book.fills_of(placed.id)
    ]
    return {**order(placed), "transactTime": placed.placed_at, "fills": fills}


def trade(book: Book, fill: Fill) -> Json:
    """A fill as `myTrades` tells it."""
    placed = book.orders[fill.order_id]
    return {
        "symbol": placed.symbol,
        "id": fill.id,
        "orderId": fill.order_id,
        "orderListId": -1,
        "price": text(fill.price),
        "qty": text(fill.quantity),
        "quoteQty": text(fill.quote),
        "commission": text(fill.commission),
        "commissionAsset": fill.commission_asset,
        "time": fill.at,
        "isBuyer": placed.side is Side.BUY,
        "isMaker": fill.maker,
        "isBestMatch": True,
    }


def account(book: Book, name: str, assets: list[str]) -> Json:
    """What an account has and may do."""
    allowed = book.accounts[name].permissions
    fee = text(book.terms.fee)
    rates = {"maker": fee, "taker": fee, "buyer": text(ZERO), "seller": text(ZERO)}
    balances = [(asset, book.balance(name, asset)) for asset in assets]
    return {
        "makerCommission": int(book.terms.fee * 10_000),
        "takerCommission": int(book.terms.fee * 10_000),
        "buyerCommission": 0,
        "sellerCommission": 0,
        "commissionRates": rates,
        "canTrade": "trade" in allowed,
        "canWithdraw": "withdraw" in allowed,
        "canDeposit": False,
        "updateTime": book.now,
        "accountType": "SPOT",
        "balances": [
            {"asset": asset, "free": text(held.free), "locked": text(held.locked)}
            for asset, held in balances
        ],
        "permissions": ["SPOT"],
    }


def coin(book: Book, name: str, asset: str) -> Json:
    """An asset as `capital/config/getall` tells it: nothing goes in or out."""
    held = book.balance(name, asset)
    return {
        "coin": asset,
        "name": asset,
        "free": text(held.free),
        "locked": text(held.locked),
        "freeze": text(ZERO),
        "withdrawing": text(ZERO),
        "ipoing": text(ZERO),
        "ipoable": text(ZERO),
        "storage": text(ZERO),
        "isLegalMoney": False,
        "trading": True,
        "depositAllEnable": False,
        "withdrawAllEnable": False,
        "networkList": [],
    }


def restrictions(account: Account, now: int) -> Json:
    """What a key may do, as `account/apiRestrictions` tells it."""
    may = {
        "enableReading": True,
        "enableSpotAndMarginTrading": "trade" in account.permissions,
        "enableFutures": "futures" in account.permissions,
        "enableWithdrawals": "withdraw" in account.permissions,
        "enableInternalTransfer": "internal-transfer" in account.permissions,
        "permitsUniversalTransfer": "universal-transfer" in account.permissions,
        "ipRestrict": bool(account.addresses),
    }
    never = ("enableMargin", "enableVanillaOptions")
    return {**may, **dict.fromkeys(never, False), "createTime": now}
