"""Stock freqtrade as everybody starts it: `freqtrade backtesting`, on a loopback exchange.

ccxt asks an exchange for its markets before a backtest may begin. Here a server on loopback
answers that one request (`GET /api/v3/exchangeInfo`) from the same markets that Sluice's children
are given, so nothing of freqtrade is changed and nothing leaves the machine.
"""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from pipelines.domain.child import Job
from pipelines.domain.trades.trade import Trade, TradeLog


@dataclass(frozen=True)
class Stock:
    """What a cold run told: its exported trades as freqtrade writes them, and its balance."""

    trades: tuple[Mapping[str, Any], ...]
    final_balance: float


@contextmanager
def exchange(markets: bytes) -> Iterator[int]:
    """An exchange on loopback that knows these markets (as ccxt parses them); its port."""
    symbols = [_symbol(market) for market in json.loads(markets).values()]
    content = json.dumps({"timezone": "UTC", "serverTime": 0, "symbols": symbols}).encode()

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = self.path.startswith("/api/v3/exchangeInfo")
            self.send_response(200 if found else 404)
            self.send_header("Content-Length", str(len(content) if found else 0))
            self.end_headers()
            self.wfile.write(content if found else b"")

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def _symbol(market: Mapping[str, Any]) -> dict[str, Any]:
    """One market in Binance's own form."""
    precision, limits = market["precision"], market["limits"]
    return {
        "symbol": market["id"],
        "status": "TRADING",
        "baseAsset": market["base"],
        "baseAssetPrecision": 8,
        "quoteAsset": market["quote"],
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "orderTypes": ["LIMIT", "MARKET"],
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": [
            {
                "filterType": "PRICE_FILTER",
                "minPrice": _plain(limits["price"]["min"]),
                "maxPrice": _plain(limits["price"]["max"]),
                "tickSize": _plain(precision["price"]),
            },
            {
                "filterType": "LOT_SIZE",
                "minQty": _plain(limits["amount"]["min"]),
                "maxQty": _plain(limits["amount"]["max"]),
                "stepSize": _plain(precision["amount"]),
            },
            {
                "filterType": "MARKET_LOT_SIZE",
                "minQty": "0",
                "maxQty": _plain(limits["market"]["max"]),
                "stepSize": "0",
            },
            {"filterType": "NOTIONAL", "minNotional": _plain(limits["cost"]["min"])},
        ],
        "permissions": ["SPOT"],
        "permissionSets": [["SPOT"]],
    }


def _plain(number: float) -> str:
    return f"{number:.8f}"


def lay_out(job: Job, folder: Path, port: int) -> None:
    """The folder that a child of Sluice gets, for the stock program: only the exchange differs."""
    for path, content in job.files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    for path, source in job.inputs.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(Path(source).resolve())
    config = json.loads(job.files["config.json"])
    config["exchange"] |= _loopback(port)
    (folder / "config.json").write_text(json.dumps(config))


def _loopback(port: int) -> dict[str, Any]:
    host = f"http://127.0.0.1:{port}"
    urls = {"public": f"{host}/api/v3", "private": f"{host}/api/v3", "v1": f"{host}/api/v1"}
    urls |= {name: f"{host}/sapi/{name}" for name in ("sapi", "sapiV2", "sapiV3", "sapiV4")}
    return {
        "ccxt_config": {
            "enableRateLimit": False,
            "options": {"fetchMarkets": {"types": ["spot"]}},
            "urls": {"api": urls},
        }
    }


def backtest(folder: Path, timerange: str, name: str) -> Stock:
    """One cold run of the program in a folder that was laid out; `name` is its own, in there."""
    user_data = folder / f"user_data-{name}"
    user_data.mkdir()
    argv = [
        str(Path(sys.executable).with_name("freqtrade")),
        "backtesting",
        *("--config", "config.json", "--userdir", user_data.name, "--datadir", "candles"),
        *("--timerange", timerange, "--cache", "none", "--export", "trades"),
    ]
    ended = subprocess.run(
        argv, cwd=folder, env=_environment(folder), capture_output=True, text=True, check=False
    )
    # freqtrade's exit code says little: what counts is that it left trades behind.
    exported = sorted((user_data / "backtest_results").glob("*.zip"))
    if not exported:
        raise RuntimeError(f"freqtrade {ended.returncode}: {ended.stdout}{ended.stderr}"[-4000:])
    with ZipFile(exported[-1]) as archive:
        told = json.loads(archive.read(f"{exported[-1].stem}.json"))
    (found,) = told["strategy"].values()
    return Stock(tuple(found["trades"]), float(found["final_balance"]))


def _environment(folder: Path) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH",) if name in os.environ}
    strategies = str(folder / "strategies")
    return kept | {"HOME": str(folder), "LANG": "C.UTF-8", "TZ": "UTC", "PYTHONPATH": strategies}


def differences(stock: Stock, log: TradeLog) -> list[str]:
    """Where our trades of one window are not exactly the stock program's; empty when they are."""
    theirs = [_theirs(trade) for trade in stock.trades]
    ours = [_ours(trade) for trade in log.trades]
    found = [f"{one} is not {two}" for one, two in zip(ours, theirs, strict=False) if one != two]
    if len(ours) != len(theirs):
        found.append(f"{len(ours)} trades, not {len(theirs)}")
    if log.final_balance != stock.final_balance:
        found.append(f"final balance {log.final_balance}, not {stock.final_balance}")
    return found


def _ours(trade: Trade) -> dict[str, object]:
    return {
        "pair": trade.pair,
        "opened": trade.opened,
        "closed": trade.closed,
        "profit": trade.profit,
        "tag": trade.tag,
        "exit_reason": trade.exit_reason,
        "short": trade.short,
        "fee": trade.fee,
        "fills": [(fill.at, fill.price, fill.amount, fill.entry) for fill in trade.fills],
    }


def _theirs(trade: Mapping[str, Any]) -> dict[str, object]:
    return {
        "pair": trade["pair"],
        "opened": trade["open_timestamp"],
        "closed": trade["close_timestamp"],
        "profit": trade["profit_abs"],
        "tag": trade["enter_tag"] or "",
        "exit_reason": trade["exit_reason"],
        "short": trade["is_short"],
        "fee": trade["fee_open"],
        "fills": [
            (o["order_filled_timestamp"], o["safe_price"], o["amount"], o["ft_is_entry"])
            for o in trade["orders"]
            if o["order_filled_timestamp"]
        ],
    }
