"""The exchange's own book of one account, read by a client that knows nothing of any bot.

It is ccxt as it is, told where the exchange is by the same settings as freqtrade. It only reads.
Whatever goes wrong is `CannotTell`: there is the whole answer to a question, or none.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, localcontext
from typing import Any, TypeVar

from pipelines.domain.account import ExchangeOrder, Fill, Holding, Lot, Position
from pipelines.domain.candles import TradingMode
from pipelines.errors import CannotTell
from pipelines.freqtrade import exchanges
from runner.agent.books import reading, weights

T = TypeVar("T")

TIMEOUT_SECONDS = 10.0
"""How long the exchange may say nothing, in real time, whatever clock it has."""

PAGE = 500
"""The most orders or fills that are asked for at once."""

_PAGES = 40
_WRONG = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What ccxt raises when an answer is not what it expects."""


@dataclass
class Client:
    """Reads one account. `api` is ccxt's class for the exchange, and used nowhere else.

    `spent` is the request weight of everything that it has asked so far. `charge` is told the
    weight of a question before it is asked, and may refuse it with `CannotTell`.
    Every method raises `CannotTell` when the exchange does not answer, or not as it should.
    """

    api: Any
    trading_mode: TradingMode
    charge: Callable[[int], None] = field(default=lambda _: None)
    weight_limit: int = field(default=0, init=False)
    spent: int = field(default=0, init=False)
    _markets: dict[str, Any] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self.weight_limit = weights.LIMITS[self.trading_mode]

    def balances(self) -> dict[str, Holding]:
        """What the account has of every asset that it has something of."""
        self._know(())
        told = self.ask("fetch_balance", params=self._terms({"omitZeroBalances": "true"}))
        return self._read(lambda: reading.balances(told))

    def open_orders(self, pairs: Iterable[str]) -> tuple[ExchangeOrder, ...]:
        """Every order of these pairs that may still be filled, stops among them."""
        wanted = sorted(set(pairs))
        self._know(wanted)
        asked: list[str | None] = list(wanted) if len(wanted) <= weights.FEW_PAIRS else [None]
        told = [row for pair in asked for row in self._each("fetch_open_orders", pair)]
        every = self._read(lambda: tuple(reading.order(row) for row in told))
        return tuple(order for order in every if order.pair in wanted)

    def orders(self, pair: str, since: datetime) -> tuple[ExchangeOrder, ...]:
        """Every order of a pair that was placed at or after a moment, the oldest first."""
        rows = self._pages("fetch_orders", pair, since)
        found = self._read(lambda: tuple(reading.order(row) for row in rows))
        return tuple(sorted(found, key=lambda order: (order.at, order.id)))

    def fills(self, pair: str, since: datetime) -> tuple[Fill, ...]:
        """Everything that was traded of a pair at or after a moment, the oldest first."""
        rows = self._pages("fetch_my_trades", pair, since)
        found = self._read(lambda: tuple(reading.fill(row) for row in rows))
        return tuple(sorted(found, key=lambda fill: (fill.at, fill.id)))

    def prices(self, pairs: Iterable[str]) -> dict[str, Decimal]:
        """The last price of each pair."""
        wanted = sorted(set(pairs))
        self._know(wanted)
        told = self.ask("fetch_last_prices", wanted) if wanted else {}
        return self._read(lambda: {pair: reading.number(told[pair], "price") for pair in wanted})

    def positions(self) -> tuple[Position, ...]:
        """Every open position; on spot there are none."""
        if self.trading_mode == "spot":
            return ()
        self._know(())
        told = self.ask("fetch_positions")
        every = self._read(lambda: tuple(reading.position(row) for row in told))
        return tuple(position for position in every if position.amount)

    def lots(self, pairs: Iterable[str]) -> dict[str, Lot]:
        """What can be traded of each pair."""
        wanted = sorted(set(pairs))
        self._know(wanted)
        return self._read(lambda: {pair: reading.lot(self._markets[pair]) for pair in wanted})

    @property
    def used_weight(self) -> int | None:
        """The request weight of this minute and address, as the last answer told it."""
        told = (self.api.last_response_headers or {}).get("x-mbx-used-weight-1m")
        return int(told) if told and told.isdecimal() else None

    def ask(self, method: str, *given: Any, **named: Any) -> Any:
        """Let ccxt ask something. A clock that differs from the exchange's is asked for first."""
        wrong = _base_error()
        # ccxt changes how the whole process rounds.
        with localcontext():
            try:
                return self._ask(method, *given, **named)
            except (*_WRONG, wrong) as error:
                raise CannotTell(f"{self.api.id}: {_told(error)}") from None

    def _ask(self, method: str, *given: Any, **named: Any) -> Any:
        weight = weights.weight(method, self.trading_mode, given[0] if given else None)
        self._charge(weight)
        try:
            return getattr(self.api, method)(*given, **named)
        except _base_error() as error:
            if not _is_about_time(error):
                raise
        # Its time is not ours, or has moved: that of a rehearsal does, in steps.
        self._charge(weight + weights.weight("fetch_time", self.trading_mode, None))
        self.api.load_time_difference()
        return getattr(self.api, method)(*given, **named)

    def _charge(self, weight: int) -> None:
        self.charge(weight)
        self.spent += weight

    def _read(self, read: Callable[[], T]) -> T:
        try:
            return read()
        except _WRONG as error:
            raise CannotTell(f"{self.api.id}: an answer is not whole: {_told(error)}") from None

    def _each(self, method: str, pair: str | None) -> list[Any]:
        """What is asked of a pair; futures keep stops among orders of another kind."""
        rows: list[Any] = self.ask(method, pair)
        if self.trading_mode == "futures":
            rows = rows + self.ask(method, pair, params={"trigger": True})
        return rows

    def _pages(self, method: str, pair: str, since: datetime) -> list[Any]:
        self._know((pair,))
        both = self.trading_mode == "futures" and method == "fetch_orders"
        kinds: list[dict[str, Any]] = [{}, {"trigger": True}] if both else [{}]
        return [row for kind in kinds for row in self._all_pages(method, pair, since, kind)]

    def _all_pages(
        self, method: str, pair: str, since: datetime, kind: dict[str, Any]
    ) -> list[Any]:
        """Page after page: the last of one is where the next begins, so what repeats is dropped."""
        found: dict[str, Any] = {}
        begins = int(since.timestamp() * 1000)
        for _ in range(_PAGES):
            rows = self.ask(method, pair, begins, PAGE, params=dict(kind))
            fresh = {str(row["id"]): row for row in rows if str(row["id"]) not in found}
            found |= fresh
            if len(rows) < PAGE:
                return list(found.values())
            latest = max(int(row["timestamp"]) for row in rows)
            if not fresh or latest == begins:
                break
            begins = latest
        raise CannotTell(f"{self.api.id}: {pair}: there is no end to what is told since {since}")

    def _know(self, pairs: Iterable[str]) -> None:
        """Load what is not known yet of these pairs: all of them would take a hundred MB."""
        missing = sorted({pair for pair in pairs if pair not in self._markets})
        if not missing and self.api.markets is not None:
            return
        found = self._found(missing) if missing else []
        self._markets |= {row["symbol"]: row for row in found if row["symbol"] in missing}
        self.weight_limit = reading.weight_limit(self.api.last_json_response) or self.weight_limit
        # Of everything that was told only what was asked for is kept.
        self.api.last_json_response = None
        if unknown := [pair for pair in missing if pair not in self._markets]:
            raise CannotTell(f"{self.api.id}: {', '.join(unknown)}: is not traded there")
        self.ask("set_markets", list(self._markets.values()))

    def _found(self, pairs: list[str]) -> list[Any]:
        try:
            return list(self.ask("fetch_markets", self._named(pairs)))
        except CannotTell as error:
            raise CannotTell(f"{error.message}: {', '.join(pairs)}") from None

    def _named(self, pairs: list[str]) -> dict[str, str]:
        ids = [pair.replace("/", "") for pair in pairs]
        return self._terms({"symbols": json.dumps(ids, separators=(",", ":"))})

    def _terms(self, spot: dict[str, str]) -> dict[str, str]:
        """What only Binance's spot market understands."""
        return spot if self.api.id == "binance" and self.trading_mode == "spot" else {}


def client_for(
    exchange: Mapping[str, Any], key: str, secret: str, trading_mode: TradingMode = "spot"
) -> Client:
    """A client for an account. `exchange` is freqtrade's part of that name, with `ccxt_config`.

    :raises CannotTell: when ccxt does not know the exchange.
    """
    exchanges.put_off()
    import ccxt

    name = str(exchange.get("name", ""))
    made = getattr(ccxt, name, None) if name in ccxt.exchanges else None
    if made is None:
        raise CannotTell(f"{name or 'exchange'}: ccxt knows no such exchange")
    with localcontext():
        return Client(made(_settings(exchange, key, secret, trading_mode)), trading_mode)


def _settings(
    exchange: Mapping[str, Any], key: str, secret: str, trading_mode: TradingMode
) -> dict[str, Any]:
    given = deepcopy(dict(exchange.get("ccxt_config", {})))
    futures = trading_mode == "futures"
    usual = {
        "defaultType": "swap" if futures else "spot",
        "fetchMarkets": {"types": ["linear" if futures else "spot"]},
        "fetchMargins": False,
        "fetchCurrencies": False,
        "warnOnFetchOpenOrdersWithoutSymbol": False,
    }
    return given | {
        "options": given.get("options", {}) | usual,
        "apiKey": key,
        "secret": secret,
        "password": exchange.get("password", ""),
        # Its numbers are floats otherwise.
        "number": str,
        "timeout": int(TIMEOUT_SECONDS * 1000),
        # What may be asked is decided before, for the whole host.
        "enableRateLimit": False,
        "enableLastJsonResponse": True,
        "enableLastResponseHeaders": True,
    }


def _base_error() -> type[Exception]:
    from ccxt.base.errors import BaseError

    found: type[Exception] = BaseError
    return found


def _is_about_time(error: Exception) -> bool:
    return type(error).__name__ == "InvalidNonce" or '"code":-1021' in str(error).replace(" ", "")


def _told(error: Exception) -> str:
    """What went wrong, without the address: what is signed stands in there."""
    text = re.sub(r"\?\S*", "", str(error)).strip()
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
