"""What the exchange answers of an account's futures, in the shapes of Binance's documentation.

developers.binance.com/docs/derivatives/usds-margined-futures/{trade,account}/rest-api
"""

from collections.abc import Callable
from decimal import Decimal

from runner.exchange.answers import Json, text
from runner.exchange.core.futures.book import Book
from runner.exchange.core.futures.events import Conditional, Fill, Income, Order, Phase
from runner.exchange.core.futures.position import initial_margin
from runner.exchange.core.orders import ZERO

Mark = Callable[[str], Decimal]
"""The mark price of a symbol."""


def order(placed: Order) -> Json:
    """An order ("Query-Order", "New-Order" with RESULT)."""
    average = placed.quote / placed.executed if placed.executed else ZERO
    return {
        "orderId": placed.id,
        "symbol": placed.symbol,
        "status": placed.standing.value,
        "clientOrderId": placed.client_id,
        "price": text(placed.price),
        "avgPrice": text(average),
        "origQty": text(placed.quantity),
        "executedQty": text(placed.executed),
        "cumQty": text(placed.executed),
        "cumQuote": text(placed.quote),
        "timeInForce": "GTX" if placed.post_only else placed.time_in_force.value,
        "type": placed.kind.value,
        "origType": placed.kind.value,
        "reduceOnly": placed.reduce_only,
        "closePosition": False,
        "side": placed.side.value,
        "positionSide": "BOTH",
        "stopPrice": text(placed.stop_price),
        "workingType": "CONTRACT_PRICE",
        "priceProtect": False,
        "priceMatch": "NONE",
        "selfTradePreventionMode": "NONE",
        "goodTillDate": 0,
        "time": placed.placed_at,
        "updateTime": placed.updated_at,
    }


def conditional(book: Book, waiting: Conditional) -> Json:
    """A conditional order ("New-Algo-Order", "Query-Algo-Order")."""
    became = book.orders[waiting.order_id] if waiting.order_id else None
    done = waiting.phase is Phase.TRIGGERED and became is not None and not became.is_open
    traded = became is not None and became.executed
    average = became.quote / became.executed if became and traded else ZERO
    return {
        "algoId": waiting.id,
        "clientAlgoId": waiting.client_id,
        "algoType": "CONDITIONAL",
        "orderType": waiting.kind.value,
        "symbol": waiting.symbol,
        "side": waiting.side.value,
        "positionSide": "BOTH",
        "timeInForce": "GTC",
        "quantity": text(waiting.quantity),
        "algoStatus": "FINISHED" if done else waiting.phase.value,
        "actualOrderId": str(waiting.order_id or ""),
        "actualPrice": text(average),
        "triggerPrice": text(waiting.trigger_price),
        "price": text(waiting.price),
        "icebergQuantity": None,
        "selfTradePreventionMode": "NONE",
        "workingType": waiting.working_type.value,
        "priceMatch": "NONE",
        "closePosition": False,
        "priceProtect": False,
        "reduceOnly": waiting.reduce_only,
        "createTime": waiting.placed_at,
        "updateTime": waiting.updated_at,
        "triggerTime": waiting.triggered_at,
        "goodTillDate": 0,
    }


def trade(book: Book, fill: Fill) -> Json:
    """A fill ("Account-Trade-List")."""
    placed = book.orders[fill.order_id]
    return {
        "symbol": placed.symbol,
        "id": fill.id,
        "orderId": fill.order_id,
        "side": placed.side.value,
        "price": text(fill.price),
        "qty": text(fill.quantity),
        "realizedPnl": text(fill.realised),
        "quoteQty": text(fill.quote),
        "commission": text(fill.commission),
        "commissionAsset": fill.commission_asset,
        "time": fill.at,
        "positionSide": "BOTH",
        "buyer": placed.side.value == "BUY",
        "maker": fill.maker,
    }


def income(row: Income) -> Json:
    """One change of a wallet ("Get-Income-History")."""
    return {
        "symbol": row.symbol,
        "incomeType": row.source.value,
        "income": text(row.amount),
        "asset": row.asset,
        "info": row.source.value,
        "time": row.at,
        "tranId": row.id,
        "tradeId": str(row.fill_id or ""),
    }


def position(book: Book, account: str, symbol: str, mark: Decimal, version: int) -> Json:
    """A position ("Position-Information-V3", "…-V2")."""
    held, rules = book.position(account, symbol), book.rules[symbol]
    worth, leverage = held.size * mark, book.leverage(account, symbol)
    profit = held.unrealised(mark)
    told = {
        "symbol": symbol,
        "positionSide": "BOTH",
        "positionAmt": text(held.size),
        "entryPrice": text(held.entry),
        "breakEvenPrice": text(held.entry),
        "markPrice": text(mark),
        "unRealizedProfit": text(profit),
        "liquidationPrice": text(held.liquidation(rules)),
        "isolatedMargin": text(held.margin + profit) if held.is_open else text(ZERO),
        "notional": text(worth),
        "isolatedWallet": text(held.margin),
        "updateTime": held.updated_at,
    }
    if version == 2:
        more: Json = {
            "leverage": str(leverage),
            "maxNotionalValue": f"{rules.largest(leverage):f}",
            "marginType": "isolated",
            "isolated": True,
            "isAutoAddMargin": "false",
            "adlQuantile": 0,
        }
        return {**told, **more}
    needed = initial_margin(abs(worth), leverage)
    return {
        **told,
        "marginAsset": rules.settle,
        "initialMargin": text(needed + book.ordered(account, symbol)),
        "maintMargin": text(held.maintenance(rules, mark)),
        "positionInitialMargin": text(needed),
        "openOrderInitialMargin": text(book.ordered(account, symbol)),
        "adl": 0,
        "bidNotional": text(ZERO),
        "askNotional": text(ZERO),
    }


def asset(book: Book, account: str, name: str, mark: Mark, now: int) -> Json:
    """What an account has of an asset, as "Account-Information-V3" tells it."""
    mine = [symbol for symbol, rules in book.rules.items() if rules.settle == name]
    held = {symbol: book.position(account, symbol) for symbol in mine}
    open_ = {symbol: each for symbol, each in held.items() if each.is_open}
    profit = sum((each.unrealised(mark(symbol)) for symbol, each in open_.items()), ZERO)
    kept = sum((p.maintenance(book.rules[s], mark(s)) for s, p in open_.items()), ZERO)
    needed = sum(
        (
            initial_margin(abs(p.size) * mark(s), book.leverage(account, s))
            for s, p in open_.items()
        ),
        ZERO,
    )
    ordered = sum((book.ordered(account, symbol) for symbol in mine), ZERO)
    wallet, free = book.wallets[account, name], book.available(account, name)
    return {
        "asset": name,
        "walletBalance": text(wallet),
        "unrealizedProfit": text(profit),
        "marginBalance": text(wallet + profit),
        "maintMargin": text(kept),
        "initialMargin": text(needed + ordered),
        "positionInitialMargin": text(needed),
        "openOrderInitialMargin": text(ordered),
        "crossWalletBalance": text(book.free(account, name)),
        "crossUnPnl": text(ZERO),
        "availableBalance": text(free),
        "maxWithdrawAmount": text(free),
        "marginAvailable": True,
        "updateTime": now,
    }


def balance(told: Json) -> Json:
    """What an account has of an asset, as "Futures-Account-Balance-V3" tells it."""
    names = ("crossWalletBalance", "crossUnPnl", "availableBalance", "maxWithdrawAmount")
    return {
        "accountAlias": "rehearsal",
        "asset": told["asset"],
        "balance": told["walletBalance"],
        **{name: told[name] for name in names},
        "marginAvailable": True,
        "updateTime": told["updateTime"],
    }


def account(assets: list[Json], positions: list[Json]) -> Json:
    """An account ("Account-Information-V3"); the totals are those of its one kind of money."""
    names = {
        "totalInitialMargin": "initialMargin",
        "totalMaintMargin": "maintMargin",
        "totalWalletBalance": "walletBalance",
        "totalUnrealizedProfit": "unrealizedProfit",
        "totalMarginBalance": "marginBalance",
        "totalPositionInitialMargin": "positionInitialMargin",
        "totalOpenOrderInitialMargin": "openOrderInitialMargin",
        "totalCrossWalletBalance": "crossWalletBalance",
        "totalCrossUnPnl": "crossUnPnl",
        "availableBalance": "availableBalance",
        "maxWithdrawAmount": "maxWithdrawAmount",
    }
    totals = {
        total: text(sum((Decimal(each[name]) for each in assets), ZERO))
        for total, name in names.items()
    }
    return {**totals, "assets": assets, "positions": [_held(each) for each in positions]}


def _held(told: Json) -> Json:
    """A position as the account's answer tells it."""
    renamed = {"unrealizedProfit": told["unRealizedProfit"]}
    left_out = ("unRealizedProfit", "liquidationPrice", "markPrice", "marginAsset", "adl")
    return {**{k: v for k, v in told.items() if k not in left_out}, **renamed}
