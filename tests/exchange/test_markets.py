"""Recorded market metadata is served as it is, and ccxt makes the same markets of it."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ccxt
import numpy as np
import pytest
from aiohttp import web

from pipelines.domain.candles import TIMEFRAMES, Candles
from runner.exchange.api import Api
from runner.exchange.core.book import Book
from runner.exchange.core.terms import Terms
from runner.exchange.journal import Journal
from runner.exchange.settings import ccxt_settings
from runner.exchange.symbols import Symbols, symbols
from runner.exchange.tape import Reel, Tape
from runner.exchange.venue import Venue
from runner.exchange.weights import Limits

pytestmark = pytest.mark.needs("candles")

BTC = "BTC/USDT"
PARSED = "binance_spot_markets_2021-04-29.json"
RAW = "binance_exchangeinfo_2025-08_single_symbol.json"


def differences(here: Any, there: Any, path: str = "") -> Iterator[str]:
    """The dotted path of every field that is not the same."""
    if isinstance(here, dict) and isinstance(there, dict):
        for key in sorted({*here, *there}):
            if (key in here) is not (key in there):
                yield f"{path}.{key}"
            else:
                yield from differences(here[key], there[key], f"{path}.{key}")
    elif here != there:
        yield path


async def loaded(venue: Venue, served: Symbols) -> Any:
    """The markets that ccxt finds at an exchange in this process."""

    def load(url: str) -> Any:
        return ccxt.binance(ccxt_settings(url)).load_markets()

    runner = web.AppRunner(Api(venue, served, Limits(), pytest.fail).application())
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    try:
        return await asyncio.to_thread(load, f"http://{host}:{port}")
    finally:
        await runner.cleanup()


def test_every_recorded_market_is_parsed_to_itself(candles_folder: Path, tmp_path: Path) -> None:
    """All 1,418 of them, whether they have candles or not; ccxt today sees them as it did then."""
    file = candles_folder / "markets" / PARSED
    recorded = json.loads(file.read_bytes())
    infos = [market["info"] for market in recorded.values()]
    served = symbols((f"{info['baseAsset']}/{info['quoteAsset']}" for info in infos), file)
    ones = [np.ones(2)] * 5
    candles = Candles(BTC, "1d", np.array([0, TIMEFRAMES["1d"]]), *ones)
    reels = {
        name: Reel(name, r.tick, ("1d",), lambda _: candles) for name, r in served.rules.items()
    }
    journal = Journal(tmp_path / "journal.sqlite")
    venue = Venue(Book(served.rules, Terms(), 0), journal, Tape(reels), speed=0)

    markets = asyncio.run(loaded(venue, served))
    journal.close()

    assert len(markets) == len(recorded) == 1418
    assert list(differences(markets, recorded)) == []


@pytest.fixture(scope="module")
def single(serve: Any, candles_folder: Path) -> Iterator[Any]:
    """An exchange with the one symbol that was recorded raw."""
    markets = str(candles_folder / "markets" / RAW)
    arguments = ("--candles", str(candles_folder), "--markets", markets, "--start", "2023-01-02")
    with serve(*arguments, "--account", "alice:key:secret:USDT=90000000:BTC=100") as exchange:
        yield exchange


def test_a_raw_exchange_info_is_served_as_it_is(single: Any, candles_folder: Path) -> None:
    (recorded,) = json.loads((candles_folder / "markets" / RAW).read_bytes())["symbols"]
    with single.then():
        api = single.ccxt()
        markets = api.load_markets()
        (told,) = api.publicGetExchangeInfo()["symbols"]
    assert told == recorded
    assert list(markets) == [BTC], "what was not recorded is not served"
    alone = ccxt.binance()
    alone.set_markets([api.parse_market(recorded)])
    assert list(differences(markets, alone.markets)) == []
    precision, limits = markets[BTC]["precision"], markets[BTC]["limits"]
    assert (precision["amount"], precision["price"]) == (1e-5, 0.01)
    assert limits["amount"] == {"min": 1e-5, "max": 9000}
    assert limits["cost"] == {"min": 5, "max": 9_000_000}
    assert limits["market"] == {"min": 0, "max": 88.09927941}


@pytest.mark.parametrize(
    ("kind", "amount", "price", "refusal"),
    [
        ("market", 88.1, None, "MARKET_LOT_SIZE"),
        ("market", 0.0002, None, "NOTIONAL"),
        ("limit", 0.0002, 16_000, "NOTIONAL"),
        ("limit", 600, 16_000, "NOTIONAL"),
        ("limit", 9000.1, 16_000, "LOT_SIZE"),
        ("limit", 0.01, 3_000, "PERCENT_PRICE_BY_SIDE"),
        ("limit", 0.01, 1_000_000.01, "PRICE_FILTER"),
    ],
)
def test_its_filters_are_enforced(
    kind: str, amount: float, price: float | None, refusal: str, single: Any
) -> None:
    with single.then(), pytest.raises(ccxt.BaseError, match=f'Filter failure: {refusal}("|$)'):
        single.ccxt().create_order(BTC, kind, "buy", amount, price)


def test_five_stops_may_wait_and_no_more(single: Any) -> None:
    def stop(api: Any) -> Any:
        return api.create_order(BTC, "stop_loss_limit", "sell", 0.1, 15_000, {"stopPrice": 15_500})

    with single.then():
        api = single.ccxt()
        waiting = [stop(api) for _ in range(5)]
        with pytest.raises(ccxt.BaseError, match=r'-2010.*"Filter failure: MAX_NUM_ALGO_ORDERS"'):
            stop(api)
        api.cancel_order(waiting[0]["id"], BTC)
        assert stop(api)["status"] == "open"
