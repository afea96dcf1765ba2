"""Wallets, positions and settings of an account: signed requests of futures."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from runner.exchange.answers import Json
from runner.exchange.core.futures import placing
from runner.exchange.core.futures.events import Source
from runner.exchange.core.orders import Account
from runner.exchange.core.rejection import Rejection, missing
from runner.exchange.futures import answers, told
from runner.exchange.futures.floor import Floor
from runner.exchange.futures.pages import page
from runner.exchange.signing import Parameters
from runner.exchange.venue import Venue

Answer = Callable[[Account, Parameters], Any]


class Accounts:
    """The answers to signed requests. Each method takes the account and the parameters."""

    def __init__(self, venue: Venue, floor: Floor) -> None:
        self._venue, self._floor, self._book = venue, floor, floor.book

    def routes(self) -> dict[tuple[str, str], Answer]:
        """Every signed request: method and path."""
        return {
            ("GET", "/fapi/v2/account"): lambda who, _: self._account(who, 2),
            ("GET", "/fapi/v3/account"): lambda who, _: self._account(who, 3),
            ("GET", "/fapi/v2/balance"): self._balance,
            ("GET", "/fapi/v3/balance"): self._balance,
            ("GET", "/fapi/v2/positionRisk"): lambda who, given: self._positions(who, given, 2),
            ("GET", "/fapi/v3/positionRisk"): lambda who, given: self._positions(who, given, 3),
            ("GET", "/fapi/v1/leverageBracket"): self._brackets,
            ("POST", "/fapi/v1/leverage"): self._lever,
            ("POST", "/fapi/v1/marginType"): self._margin_type,
            ("GET", "/fapi/v1/positionSide/dual"): lambda *_: {"dualSidePosition": False},
            ("POST", "/fapi/v1/positionSide/dual"): self._position_side,
            ("GET", "/fapi/v1/multiAssetsMargin"): lambda *_: {"multiAssetsMargin": False},
            ("GET", "/fapi/v1/income"): self._income,
            ("GET", "/fapi/v1/commissionRate"): self._fees,
            ("GET", "/fapi/v1/accountConfig"): self._config,
            ("GET", "/fapi/v1/symbolConfig"): self._symbol_config,
        }

    def _mark(self, symbol: str) -> Decimal:
        return self._floor.market(symbol, self._venue.now).mark

    def _assets(self, account: Account) -> list[Json]:
        names = sorted({rules.settle for rules in self._book.rules.values()})
        now = self._venue.now
        return [told.asset(self._book, account.name, name, self._mark, now) for name in names]

    def _account(self, account: Account, version: int) -> Any:
        positions = self._told(account, "", version)
        found = told.account(self._assets(account), positions)
        return found if version == 3 else {**found, **self._config(account, None)}

    def _balance(self, account: Account, given: Parameters) -> Any:
        return [told.balance(asset) for asset in self._assets(account)]

    def _positions(self, account: Account, given: Parameters, version: int) -> Any:
        return self._told(account, self._symbol(given), version)

    def _told(self, account: Account, symbol: str, version: int) -> list[Json]:
        """Version 2 tells of every contract, version 3 of those in use only."""
        used = {held for name, held in self._book.held() if name == account.name}
        used |= {order.symbol for order in self._book.open_orders(account=account.name)}
        symbols = self._floor.marks if version == 2 else sorted(used)
        return [
            told.position(self._book, account.name, each, self._mark(each), version)
            for each in symbols
            if symbol in ("", each)
        ]

    def _brackets(self, account: Account, given: Parameters) -> Any:
        symbol = self._symbol(given)
        return [
            answers.brackets(rules)
            for name, rules in self._book.rules.items()
            if symbol in ("", name)
        ]

    def _lever(self, account: Account, given: Parameters) -> Any:
        symbol = self._floor.reel(given.needed("symbol")).symbol
        leverage = given.whole("leverage")
        if leverage is None:
            raise missing("leverage")
        mark = self._mark(symbol)
        self._venue.committed(
            lambda: placing.lever(self._book, account.name, symbol, leverage, mark)
        )
        most = self._book.rules[symbol].largest(leverage)
        return {"symbol": symbol, "leverage": leverage, "maxNotionalValue": f"{most:f}"}

    def _margin_type(self, account: Account, given: Parameters) -> Any:
        """Margin is isolated here, and cannot be made anything else."""
        self._floor.reel(given.needed("symbol"))
        if given.needed("marginType") == "ISOLATED":
            raise Rejection(-4046, "No need to change margin type.")
        raise _not_here()

    def _position_side(self, account: Account, given: Parameters) -> Any:
        """Positions have one side here, and cannot be made to have two."""
        if given.needed("dualSidePosition").lower() == "false":
            raise Rejection(-4059, "No need to change position side.")
        raise _not_here()

    def _income(self, account: Account, given: Parameters) -> Any:
        symbol, wanted = self._symbol(given), given.text("incomeType")
        if wanted is not None and wanted not in tuple(Source):
            return []
        rows = [
            (row.at, row.id, row)
            for row in self._book.incomes
            if row.account == account.name
            and symbol in ("", row.symbol)
            and wanted in (None, row.source.value)
        ]
        return [told.income(row) for row in page(rows, given, usual=100, longest=None)]

    def _fees(self, account: Account, given: Parameters) -> Any:
        fees = self._book.fees
        return {
            "symbol": self._floor.reel(given.needed("symbol")).symbol,
            "makerCommissionRate": f"{fees.maker:f}",
            "takerCommissionRate": f"{fees.taker:f}",
        }

    def _config(self, account: Account, given: Parameters | None) -> Any:
        return {
            "feeTier": 0,
            "canTrade": True,
            "canDeposit": False,
            "canWithdraw": False,
            "feeBurn": False,
            "dualSidePosition": False,
            "multiAssetsMargin": False,
            "tradeGroupId": -1,
            "updateTime": self._venue.now,
        }

    def _symbol_config(self, account: Account, given: Parameters) -> Any:
        symbol = self._symbol(given)
        leverages = {
            name: self._book.leverage(account.name, name)
            for name in self._floor.marks
            if symbol in ("", name)
        }
        return [
            {
                "symbol": name,
                "marginType": "ISOLATED",
                "isAutoAddMargin": False,
                "leverage": leverage,
                "maxNotionalValue": f"{self._book.rules[name].largest(leverage):f}",
            }
            for name, leverage in leverages.items()
        ]

    def _symbol(self, given: Parameters) -> str:
        """The symbol that is meant; empty for all."""
        symbol = given.text("symbol")
        return self._floor.reel(symbol).symbol if symbol else ""


def _not_here() -> Rejection:
    """Binance's answer to what it does not offer: cross margin and hedge mode are not played."""
    return Rejection(-4084, "Method is not allowed currently. Upcoming soon.")
