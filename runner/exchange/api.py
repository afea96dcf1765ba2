"""The HTTP side of Binance's API: from a request to an answer, or to Binance's refusal."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from pipelines.errors import CannotTell
from runner.exchange.arming import FUTURES_REFUSALS, REFUSALS
from runner.exchange.core.faults import FaultName
from runner.exchange.core.orders import Permission
from runner.exchange.core.rejection import Rejection
from runner.exchange.futures.account import Accounts
from runner.exchange.futures.public import Public as FuturesPublic
from runner.exchange.futures.trading import Trading
from runner.exchange.public import Public
from runner.exchange.signed import Signed
from runner.exchange.signing import Parameters, Sent, parameters, signed
from runner.exchange.symbols import Symbols
from runner.exchange.venue import Venue
from runner.exchange.weighing import Route, of_futures
from runner.exchange.weights import MINUTE, PLACING, Limits, Throttled, banned, too_much
from runner.exchange.weights import seconds as seconds_of

LARGEST = 64 * 1024
"""Bytes of a request's body that are read."""

PATIENCE_SECONDS = 120.0
"""How long nothing is said while a `timeout` lasts; real seconds, since clients wait in these."""

_LOOK_SECONDS = 0.1
_JSON = "application/json"
_NOTHING = Parameters({})


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    route: Route
    sent: Sent


class _Dropped(Exception):
    """Nothing is answered: at once, or not before the client has given up."""

    def __init__(self, *, held: bool) -> None:
        super().__init__()
        self.held = held


class Api:
    """Answers the requests of ccxt. `broken` is called when the journal cannot be written."""

    def __init__(
        self,
        venue: Venue,
        symbols: Symbols,
        limits: Limits,
        broken: Callable[[CannotTell], None],
    ) -> None:
        self._venue, self._limits, self._broken = venue, limits, broken
        self._public = Public(venue, symbols, limits.asked).routes()
        self._signed = Signed(venue, symbols).routes()
        if floor := venue.futures:
            self._public |= FuturesPublic(venue, floor, limits.asked).routes()
            self._signed |= Accounts(venue, floor).routes() | Trading(venue, floor).routes()

    def application(self) -> web.Application:
        """What serves all of it."""
        application = web.Application(client_max_size=LARGEST)
        application.router.add_route("*", "/{path:.*}", self._answer)
        return application

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        try:
            body = await request.read()
        except web.RequestPayloadError:
            return _json({"code": -1000, "msg": "The body cannot be read."}, 400, {})
        path, _, query = request.raw_path.partition("?")
        key, address = request.headers.get("X-MBX-APIKEY"), request.remote or ""
        headers: dict[str, str] = {}
        status = 200
        try:
            self._venue.tick()
            sent = Sent(key, query, _decoded(body), address)
            told = self._told(Asked((request.method, path), sent), headers)
        except Rejection as refused:
            told, status = {"code": refused.code, "msg": refused.message}, refused.status
            if isinstance(refused, Throttled) and refused.wait:
                headers["Retry-After"] = str(refused.wait)
        except _Dropped as dropped:
            return await _hold(request) if dropped.held else _drop(request)
        except CannotTell as error:
            self._broken(error)
            return _drop(request)
        headers |= self._limits.headers(address, (request.method, path), self._venue.now)
        return _json(told, status, headers)

    def _told(self, asked: Asked, headers: dict[str, str]) -> Any:
        """The answer to a request; what else is to be told goes into `headers`."""
        given = self._charged(asked)
        if asked.route in self._public:
            self._disturb("", asked.route, given)
            return self._public[asked.route](given)
        if asked.route not in self._signed:
            raise _nothing_there(asked.route[1], {path for _, path in self._known()})
        with self._venue.journal.together():
            return self._act(asked, given, headers)

    def _known(self) -> tuple[Route, ...]:
        return (*self._public, *self._signed)

    def _charged(self, asked: Asked) -> Parameters:
        """The parameters of a request that is not one too many."""
        who, now = asked.sent.address, self._venue.now
        try:
            given = parameters(asked.sent.query, asked.sent.body)
        except Rejection:
            self._limits.charge(who, asked.route, _NOTHING, now)
            raise
        self._limits.charge(who, asked.route, given, now)
        return given

    def _act(self, asked: Asked, given: Parameters, headers: dict[str, str]) -> Any:
        """Do what a signed request asks for, and note that it came."""
        venue, route = self._venue, asked.route
        known = venue.book.account_of(asked.sent.key or "")
        name, status = known.name if known else "", 200
        try:
            self._disturb(name, route, given)
            account = signed(venue, asked.sent, _needed(route))
            if route in PLACING:
                self._turn_down(name, route, given)
                self._limits.order(name, route, venue.now)
            told = self._signed[route](account, given)
        except Rejection as refused:
            status = refused.status
            raise
        except _Dropped:
            status = 0
            raise
        finally:
            venue.journal.note(venue.now, name, *route, status)
        if route in PLACING:
            if venue.strikes("lost_answer", name, *_order(given)):
                raise _Dropped(held=False)
            headers |= self._limits.order_headers(name, route, venue.now)
        return told

    def _disturb(self, account: str, route: Route, given: Parameters) -> None:
        """Let what goes wrong go wrong before anything is done."""
        if not self._venue.book.faults.armed:
            return
        symbol, side = _order(given)
        where = account, symbol, side if route in PLACING else ""
        now = self._venue.now
        if self._venue.strikes("server_error", *where):
            text = "Internal error; unable to process your request. Please try again."
            raise Rejection(-1001, text, 503)
        if self._venue.strikes("timeout", *where):
            raise _Dropped(held=True)
        if self._venue.strikes("rate_limited", *where):
            raise too_much(self._limits.limit(route), seconds_of(MINUTE - now % MINUTE))
        if ban := self._venue.strikes("banned", *where):
            raise banned(ban.until or now + 2 * MINUTE, now)

    def _turn_down(self, account: str, route: Route, given: Parameters) -> None:
        name: FaultName = "rejected_order"
        if fault := self._venue.strikes(name, account, *_order(given)):
            refusals = FUTURES_REFUSALS if of_futures(route) else REFUSALS
            raise Rejection(*refusals[fault.code])


def _needed(route: Route) -> Permission:
    if of_futures(route):
        return "futures"
    return "read" if route[0] == "GET" else "trade"


def _order(given: Parameters) -> tuple[str, str]:
    return given.text("symbol") or "", given.text("side") or ""


def _json(told: Any, status: int, headers: dict[str, str]) -> web.Response:
    """An answer; bytes are JSON already."""
    if not isinstance(told, bytes):
        return web.json_response(told, status=status, headers=headers)
    return web.Response(body=told, headers=headers, content_type=_JSON, charset="utf-8")


def _decoded(body: bytes) -> str:
    try:
        return body.decode("ascii")
    except UnicodeDecodeError:
        raise Rejection(-1100, "Illegal characters found in a parameter.") from None


def _nothing_there(path: str, known: set[str]) -> Rejection:
    if path in known:
        return Rejection(-1000, "Method not allowed.", 405)
    return Rejection(-1000, "Path not found.", 404)


async def _hold(request: web.Request) -> web.StreamResponse:
    """Say nothing until the client has gone."""
    clock = asyncio.get_running_loop().time
    until = clock() + PATIENCE_SECONDS
    while request.transport and not request.transport.is_closing() and clock() < until:
        await asyncio.sleep(_LOOK_SECONDS)
    return _drop(request)


def _drop(request: web.Request) -> web.StreamResponse:
    """Close the connection before anything is said on it."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
