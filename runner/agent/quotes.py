"""The market's prices for those who measure bots: each exchange is asked once a round."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from pipelines.domain.environment import Environment
from pipelines.domain.limits import Reference
from pipelines.domain.protections import Unknown
from pipelines.domain.worth import Prices
from pipelines.errors import CannotTell
from runner.agent.books.client import Client, client_for
from runner.agent.preparing import Rehearsal
from runner.exchange.settings import freqtrade_settings

Market = tuple[str, str, bool]
"""An exchange's name, its address unless it is the real one, and whether futures are meant."""


@dataclass
class Quotes:
    """Clients without a key, one for each market, and what they told this round."""

    rehearsal: Rehearsal | None
    _clients: dict[Market, Client] = field(default_factory=dict)
    _told: dict[Market, Prices] = field(default_factory=dict)

    def ask(self, wanted: Mapping[Market, Iterable[str]], settings: Mapping[Market, Any]) -> None:
        """Ask every market for the prices of these pairs; what was told before is forgotten."""
        self._told = {}
        for market, pairs in wanted.items():
            asked = frozenset(pairs)
            self._told[market] = self._prices(market, asked, settings[market]) if asked else {}

    def of(self, market: Market) -> Prices:
        """What it told."""
        return self._told.get(market, Unknown("nobody asked for prices"))

    def time(self, market: Market, settings: Any) -> datetime | Unknown:
        """What time it is there."""
        try:
            told = self._client(market, settings).ask("fetch_time")
        except CannotTell as error:
            self._clients.pop(market, None)
            return Unknown(error.message)
        return datetime.fromtimestamp(told / 1000, UTC)

    def _client(self, market: Market, settings: Any) -> Client:
        if market not in self._clients:
            made = client_for(settings, "", "", "futures" if market[2] else "spot")
            self._clients[market] = made
        return self._clients[market]

    def _prices(self, market: Market, pairs: frozenset[str], settings: Any) -> Prices:
        try:
            return _last(self._client(market, settings), pairs)
        except CannotTell as error:
            # Another address may be its own by now.
            self._clients.pop(market, None)
            return Unknown(error.message)


def _last(client: Client, pairs: frozenset[str]) -> Prices:
    if client.api.has.get("fetchLastPrices"):
        return client.prices(pairs)
    # Not every exchange tells last prices alone; and of what it does not trade it tells nothing.
    traded = client.ask("load_markets")
    wanted = sorted(pair for pair in pairs if pair in traded)
    told = client.ask("fetch_tickers", wanted) if wanted else {}
    last = {pair: told[pair].get("last") for pair in wanted if pair in told}
    return {pair: Decimal(str(price)) for pair, price in last.items() if price is not None}


def market_of(environment: Environment, *, futures: bool) -> Market:
    """Where an environment's bots trade."""
    place = "rehearsal" if environment.exchange.rehearsal else ""
    return environment.exchange.name, place, futures


def reference_of(reference: Reference, *, futures: bool) -> Market:
    """Where the prices come from that ours must agree with."""
    return reference.exchange, reference.address or "real", futures


def settings_of(environment: Environment, rehearsal: Rehearsal | None) -> Mapping[str, Any]:
    """freqtrade's settings of the exchange of an environment; empty when nobody knows them."""
    if not environment.exchange.rehearsal:
        return {"name": environment.exchange.name}
    return rehearsal.exchange if rehearsal else {}


def reference_settings(reference: Reference) -> Mapping[str, Any]:
    """The same of a reference."""
    if reference.address is None:
        return {"name": reference.exchange}
    settings: Mapping[str, Any] = freqtrade_settings(reference.address, "", "")["exchange"]
    return settings
