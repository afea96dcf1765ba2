"""The HTTP side of Binance's spot API: from a request to an answer, or to Binance's refusal."""

from collections.abc import Callable
from typing import Any

from aiohttp import web

from pipelines.errors import CannotTell
from runner.exchange.core.rejection import Rejection
from runner.exchange.public import Public
from runner.exchange.signed import Signed
from runner.exchange.signing import parameters, signed
from runner.exchange.symbols import Symbols
from runner.exchange.venue import Venue

ORDER = "/api/v3/order"
LARGEST = 64 * 1024
"""Bytes of a request's body that are read."""


class Api:
    """Answers the requests of ccxt. `broken` is called when the journal cannot be written."""

    def __init__(
        self, venue: Venue, symbols: Symbols, broken: Callable[[CannotTell], None]
    ) -> None:
        self._venue, self._broken = venue, broken
        self._public = Public(venue, symbols).routes()
        self._signed = Signed(venue, symbols).routes()

    def application(self) -> web.Application:
        """What serves all of it."""
        application = web.Application(client_max_size=LARGEST)
        application.router.add_route("*", "/{path:.*}", self._answer)
        return application

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        path, _, query = request.raw_path.partition("?")
        route = (request.method, path)
        try:
            self._venue.tick()
            if route in self._public:
                return _json(self._public[route](parameters(query)))
            if route not in self._signed:
                return _nothing_there(path, {each for _, each in (*self._public, *self._signed)})
            with self._venue.journal.together():
                told = self._act(request, route, query, body)
        except Rejection as refused:
            told = {"code": refused.code, "msg": refused.message}
            return web.json_response(told, status=refused.status)
        except CannotTell as error:
            self._broken(error)
            return _drop(request)
        if route == ("POST", ORDER) and self._venue.strikes("lost_answer"):
            return _drop(request)
        return web.json_response(told)

    def _act(self, request: web.Request, route: tuple[str, str], query: str, body: bytes) -> Any:
        """Do what a signed request asks for, and note that it came."""
        name, status = "", 200
        try:
            text = _decoded(body)
            key = request.headers.get("X-MBX-APIKEY")
            account = signed(self._venue.book, key, query, text, self._venue.now)
            name = account.name
            return self._signed[route](account, parameters(query, text))
        except Rejection as refused:
            status = refused.status
            raise
        finally:
            self._venue.journal.note(self._venue.now, name, *route, status)


def _json(told: Any) -> web.Response:
    """An answer; bytes are JSON already."""
    if isinstance(told, bytes):
        return web.Response(body=told, content_type="application/json", charset="utf-8")
    return web.json_response(told)


def _decoded(body: bytes) -> str:
    try:
        return body.decode("ascii")
    except UnicodeDecodeError:
        raise Rejection(-1100, "Illegal characters found in a parameter.") from None


def _nothing_there(path: str, known: set[str]) -> web.Response:
    if path in known:
        return web.json_response({"code": -1000, "msg": "Method not allowed."}, status=405)
    return web.json_response({"code": -1000, "msg": "Path not found."}, status=404)


def _drop(request: web.Request) -> web.Response:
    """Close the connection before anything is said on it."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
