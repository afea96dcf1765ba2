"""The control port: steps, accounts and faults, for whoever has the token."""

import hmac
from collections.abc import Awaitable, Callable
from datetime import UTC
from decimal import Decimal
from ipaddress import ip_address
from typing import TypeVar

from aiohttp import web
from pydantic import ValidationError

from pipelines.domain.candles import milliseconds
from pipelines.domain.document import Document
from pipelines.errors import BadInput, CannotTell, Problem
from runner.exchange.account_book import account_book
from runner.exchange.arming import arm
from runner.exchange.clock import SteppedClock
from runner.exchange.core.faults import Disarmed
from runner.exchange.core.orders import Account, Funded, Permission
from runner.exchange.futures.wallets import deposits, futures_state
from runner.exchange.messages import (
    Clear,
    Fault,
    Held,
    NewAccount,
    NewKey,
    Now,
    Standing,
    State,
    Step,
    Turn,
    Whose,
)
from runner.exchange.tape import utc
from runner.exchange.turns import Turns
from runner.exchange.venue import Venue
from runner.exchange.weights import PLACING

D = TypeVar("D", bound=Document)
Handle = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Control:
    """Answers on the control port: the state after what was done, or `{"error", "hint"}`.

    `broken` is called when the journal cannot be written.
    """

    def __init__(
        self, venue: Venue, token: str, broken: Callable[[CannotTell], None], *, synthetic: bool
    ) -> None:
        self._venue, self._token, self._synthetic = venue, token, synthetic
        self._broken = broken
        self._turns = Turns()

    def application(self) -> web.Application:
        """What serves all of it."""
        application = web.Application(middlewares=[self._guard])
        application.router.add_get("/status", self._status)
        application.router.add_post("/step", self._step)
        application.router.add_post("/turn", self._turn)
        application.router.add_post("/fault", self._fault)
        application.router.add_post("/clear", self._clear)
        application.router.add_post("/account", self._account)
        application.router.add_post("/key", self._key)
        application.router.add_post("/book", self._book)
        return application

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handle) -> web.StreamResponse:
        given = request.headers.get("Authorization", "").encode("utf-8", "replace")
        if not hmac.compare_digest(given, f"Bearer {self._token}".encode()):
            return web.json_response({"error": "the token is not right", "hint": ""}, status=401)
        try:
            self._venue.tick()
            return await handler(request)
        except BadInput as error:
            told = {"error": error.message, "hint": error.hint}
            return web.json_response(told, status=400)
        except CannotTell as error:
            self._broken(error)
            return web.json_response({"error": error.message, "hint": error.hint}, status=500)

    async def _status(self, request: web.Request) -> web.Response:
        return self._state()

    async def _step(self, request: web.Request) -> web.Response:
        asked = await _read(request, Step)
        if (asked.to is None) is (asked.seconds is None):
            raise Problem("step", "should have either a moment or a number of seconds")
        # One that only begins is still at work: its requests would come too late.
        await self._turns.processed(self._venue.now)
        if asked.to is not None:
            moment = asked.to if asked.to.tzinfo else asked.to.replace(tzinfo=UTC)
            self._venue.step(int(moment.timestamp() * 1000))
        else:
            self._venue.step(self._venue.now + (asked.seconds or 0) * 1000)
        await self._turns.processed(self._venue.now)
        return self._state()

    async def _turn(self, request: web.Request) -> web.Response:
        asked = await _read(request, Turn)
        if not isinstance(self._venue.clock, SteppedClock):
            raise Problem("turn", "the clock runs by itself", hint="serve with --clock stepped")
        done = None if asked.done is None else milliseconds(asked.done)
        now = await self._turns.next(asked.name, asked.pid, done, lambda: self._venue.now)
        text = Now(now=utc(now)).model_dump_json()
        return web.Response(text=text, content_type="application/json")

    async def _fault(self, request: web.Request) -> web.Response:
        arm(self._venue, await _read(request, Fault))
        return self._state()

    async def _clear(self, request: web.Request) -> web.Response:
        await _read(request, Clear)
        self._venue.record(Disarmed(None))
        return self._state()

    async def _account(self, request: web.Request) -> web.Response:
        open_account(self._venue, await _read(request, NewAccount))
        return self._state()

    async def _key(self, request: web.Request) -> web.Response:
        asked = await _read(request, NewKey)
        self._venue.change_key(asked.name, asked.key, asked.secret)
        return self._state()

    async def _book(self, request: web.Request) -> web.Response:
        whose = await _read(request, Whose)
        told = account_book(self._venue, whose).model_dump_json()
        return web.Response(text=told, content_type="application/json")

    def _state(self) -> web.Response:
        told = state(self._venue, self._turns.names, synthetic=self._synthetic)
        text = told.model_dump_json()
        return web.Response(text=text, content_type="application/json")


async def _read(request: web.Request, model: type[D]) -> D:
    try:
        return model.model_validate_json(await request.read())
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        raise Problem(request.path.strip("/"), first["msg"].lower(), key=key) from None


def open_account(venue: Venue, asked: NewAccount) -> None:
    """Open an account with its funds.

    :raises BadInput: when another one has its name or key, or an asset is not traded here.
    """
    rules = venue.book.rules.values()
    assets = {asset for each in rules for asset in (each.base, each.quote)}
    for asset, amount in asked.funds.items():
        if asset not in assets:
            raise Problem(asked.name, f"{asset} is not traded here", key="funds")
        if amount < 0 or amount != round(amount, 8):
            raise Problem(asked.name, "should be a positive amount with 8 decimals", key=asset)
    funds = tuple(Funded(asked.name, asset, amount) for asset, amount in asked.funds.items())
    for text in asked.addresses:
        _check_address(asked.name, text)
    usual: tuple[Permission, ...] = ("trade", "futures") if asked.futures else ("trade",)
    permissions = usual if asked.permissions is None else asked.permissions
    account = Account(asked.name, asked.key, asked.secret, permissions, asked.addresses)
    venue.open_account(account, funds, deposits(venue, asked))


def _check_address(name: str, text: str) -> None:
    try:
        ip_address(text)
    except ValueError:
        raise Problem(name, f"{text!r} is no IP address", key="addresses") from None


def state(venue: Venue, followers: tuple[str, ...], *, synthetic: bool) -> State:
    """How the exchange stands."""
    book = venue.book
    return State(
        now=utc(venue.now),
        candles_end=utc(venue.last()),
        clock=venue.clock.name,
        speed=venue.clock.speed,
        synthetic=synthetic,
        followers=followers,
        symbols=tuple(book.rules),
        orders=len(book.orders),
        open_orders=len(book.open_orders()),
        fills=len(book.fills),
        orders_sent=sum(venue.journal.requests(*route) for route in PLACING),
        faults=_armed(venue),
        accounts={
            name: {
                asset: Held(free=Decimal(held.free), locked=Decimal(held.locked))
                for asset, held in sorted(book.balances[name].items())
            }
            for name in book.accounts
        },
        futures=futures_state(venue.futures) if venue.futures else None,
    )


def _armed(venue: Venue) -> tuple[Standing, ...]:
    """The faults that can still happen, or are about to."""
    faults, now = venue.book.faults, venue.now
    standing = [each for each in faults.armed.values() if each.until is None or now < each.until]
    return tuple(
        Standing(
            name=each.name,
            since=utc(each.since),
            until=None if each.until is None else utc(each.until),
            left=each.left,
            account=each.account,
            symbol=each.symbol,
            side=each.side,
            by=each.by,
        )
        for each in (*standing, *(move for move in faults.moves if now < move.since))
    )
