"""freqtrade's own REST API, as far as Sluice asks for it.

Foreign answers: what is not asked for is ignored, and what is missing or wrong is "could not tell".
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any, TypeVar, cast

import httpx
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from pipelines.errors import CannotTell

A = TypeVar("A")

_TIMEOUT = 10.0
_PAGE = 500
"""The most trades that freqtrade tells at once."""


# To make one takes longer than to read an answer with it.
_adapter: Callable[[Any], TypeAdapter[Any]] = cache(TypeAdapter)


class Told(BaseModel):
    """Something that freqtrade told."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class Shown(Told):
    """`show_config`: how a bot runs. `state` is running, paused or stopped."""

    version: str
    dry_run: bool
    trading_mode: str
    exchange: str
    strategy: str
    bot_name: str
    state: str


class Order(Told):
    """An order of a trade. `remaining` is in units of the base asset, `price` that of one."""

    side: str = Field(alias="ft_order_side")
    is_open: bool
    remaining: Decimal | None = None
    price: Decimal = Field(alias="safe_price")


class Trade(Told):
    """A trade. Money is in the stake currency; a closed one has a close time and its profit."""

    id: int = Field(alias="trade_id")
    pair: str
    is_open: bool
    is_short: bool
    amount: Decimal
    strategy: str
    enter_tag: str | None = None
    leverage: Decimal | None = None
    opened_at: AwareDatetime = Field(alias="open_timestamp")
    closed_at: AwareDatetime | None = Field(default=None, alias="close_timestamp")
    profit: Decimal | None = Field(default=None, alias="profit_abs")
    has_open_orders: bool
    orders: tuple[Order, ...] = ()

    @property
    def waiting(self) -> Decimal:
        """What its entries still wait to buy for, in the stake currency."""
        entry = "sell" if self.is_short else "buy"
        waits = (each for each in self.orders if each.is_open and each.side == entry)
        whole = sum(((each.remaining or 0) * each.price for each in waits), Decimal())
        return whole / (self.leverage or 1)


class _Trades(Told):
    trades: tuple[Trade, ...]
    total_trades: int


class Balance(Told):
    """What a bot has, in the stake currency; `own` is its share where an account is shared."""

    total: Decimal
    own: Decimal = Field(alias="total_bot")
    stake: str


class _Status(Told):
    status: str = ""
    result: str = ""
    error: str = ""


class _Health(Told):
    last_process: AwareDatetime | None = None


@dataclass(frozen=True)
class Rest:
    """The REST API of one bot on loopback.

    Every method raises `CannotTell` when the bot does not answer, or not as it should.
    """

    url: str
    username: str
    password: str

    def shown(self) -> Shown:
        """How it runs."""
        return self._get("show_config", Shown)

    def open_trades(self) -> tuple[Trade, ...]:
        """Every open trade."""
        return self._get("status", tuple[Trade, ...])

    def closed_trades(self, since: datetime) -> tuple[Trade, ...]:
        """Every trade that was opened at or after a moment and is closed, the oldest first."""
        found: list[Trade] = []
        offset, total = 0, 1
        while offset < total:
            page = self._get("trades", _Trades, limit=_PAGE, offset=offset, order_by_id=True)
            found += page.trades
            total = page.total_trades
            offset += len(page.trades) or total
        return tuple(each for each in found if not each.is_open and each.opened_at >= since)

    def balance(self) -> Balance:
        """What it has."""
        return self._get("balance", Balance)

    def equity(self) -> Decimal:
        """What is its own, with what entries wait for: freqtrade's balance leaves that out."""
        waiting = sum((trade.waiting for trade in self.open_trades()), Decimal())
        return self.balance().own + waiting

    def processed(self) -> datetime | None:
        """When it last came to the end of a round, by its own clock; none before the first."""
        return self._get("health", _Health).last_process

    def close_all(self) -> str:
        """Close every open trade at the market's price; what it said."""
        return self.close("all")

    def close(self, trade: str) -> str:
        """Close one trade by its number, or `all`, at the market's price; what it said."""
        return self._post("forceexit", {"tradeid": trade, "ordertype": "market"})

    def reload(self) -> str:
        """Let it read its configuration again; what it said."""
        return self._post("reload_config")

    def stop_entries(self) -> str:
        """Let it manage what it has and open nothing new; what it said. Lasts until it restarts."""
        return self._post("stopentry")

    def start(self) -> str:
        """Let it open trades; what it said."""
        return self._post("start")

    def cancel_entry(self, trade: int) -> None:
        """Cancel what a trade's open entry still waits for; what was filled stays a trade."""
        self._send("DELETE", f"trades/{trade}/open-order", {})

    def exit_all(self) -> None:
        """Exit every open trade at the market's price; entries that wait are cancelled."""
        self._send("POST", "forceexit", {}, {"tradeid": "all", "ordertype": "market"})

    def _get(self, path: str, kind: type[A], **query: Any) -> A:
        return self._read(kind, path, self._send("GET", path, query))

    def _post(self, path: str, body: dict[str, Any] | None = None) -> str:
        told = self._read(_Status, path, self._send("POST", path, {}, body))
        if told.error:
            raise CannotTell(f"{self.url}: {path}: {told.error}")
        return told.status or told.result

    def _send(
        self, method: str, path: str, query: dict[str, Any], body: dict[str, Any] | None = None
    ) -> bytes:
        # No proxy of the environment stands between two processes of one machine. And no TLS: to
        # read the certificates for it takes longer than all the rest.
        private = httpx.Client(timeout=_TIMEOUT, trust_env=False, verify=False)
        with self._telling(path), private as client:
            answer = client.request(
                method,
                f"{self.url}/api/v1/{path}",
                params=query,
                json=body,
                auth=(self.username, self.password),
            )
            answer.raise_for_status()
            return answer.content

    def _read(self, kind: type[A], path: str, content: bytes) -> A:
        try:
            return cast("A", _adapter(kind).validate_json(content))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            key = ".".join(str(part) for part in first["loc"])
            message = f"{self.url}: {path}: {key}: {first['msg'].lower()}"
            raise CannotTell(message, "is it a freqtrade of the pinned version?") from None

    @contextmanager
    def _telling(self, path: str) -> Iterator[None]:
        try:
            yield
        except httpx.HTTPStatusError as error:
            code = error.response.status_code
            raise CannotTell(f"{self.url}: {path}: the bot answered {code}") from None
        except httpx.HTTPError as error:
            name = type(error).__name__
            raise CannotTell(f"{self.url}: {path}: the bot does not answer: {name}") from None
