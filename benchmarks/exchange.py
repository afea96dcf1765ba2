"""How fast the rehearsal exchange is: `python benchmarks/exchange.py [--json] [--candles FOLDER]`.

klines_per_second
    Requests for 100 candles each, from anywhere in five pairs' candles of five minutes, over eight
    connections. The exchange is held on one core and what asks it on another. Divided by the
    seconds that the exchange had of its core, which a busy machine bends least: as many as a core
    answers that has nothing else to do.
klines_per_wall_second
    The same by the wall's clock, whatever else the machine is doing.
orders_per_second, orders_per_wall_second
    Signed orders that are filled, each in the journal before it is answered; counted as above.
memory_mb
    The peak of the exchange after all of this, with five pairs and 14 months of five minutes.
scaled_day_missed_candles, scaled_p99_lag_seconds, scaled_worst_lag_seconds
    A replayed day at x300, 4.8 minutes, with a stock `freqtrade trade` (it needs libfaketime) that
    is live on five pairs of five minutes: how many of their candles it never analysed, and how long
    after a candle's close it did, in seconds of the exchange's clock.
"""

import hmac
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import scaled
from busy import Busy, busy, peak, request
from figures import Figure, show

from pipelines.domain.candles import TIMEFRAMES
from runner.exchange import remote
from runner.exchange.messages import Ready

ROOT = Path(__file__).resolve().parent.parent
PAIRS = ("BTC", "ETH", "SOL", "ADA", "LTC")
START = "2023-09-01"
STARTED_SECONDS = 120

KLINES, CANDLES, ORDERS = 4000, 100, 2000
DAY = 288  # candles of five minutes
FIRST = 1_659_312_000_000
"""The first candle of five minutes: 2022-08-01."""


@contextmanager
def serving(
    candles: Path | None,
    home: Path,
    *more: str,
    start: str = START,
    root: Path = ROOT,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Ready]:
    """An exchange with its folder, the journal and the ready file in it."""
    ready_file = home / "ready.json"
    argv = [sys.executable, "-m", "runner.exchange", "serve", "--root", str(root)]
    argv += ["--home", str(home), "--start", start, *more]
    argv += ["--ready-file", str(ready_file), "--journal", str(home / "journal.sqlite")]
    argv += ["--account", "alice:key:secret:USDT=100000000"]
    argv += ["--candles", str(candles)] if candles else []
    process = subprocess.Popen(argv, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + STARTED_SECONDS
        while not ready_file.exists():
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"the exchange does not serve: {process.poll()}")
            time.sleep(0.05)
        yield remote.located(ready_file)
    finally:
        process.terminate()
        process.wait(30)


@contextmanager
def apart(pid: int) -> Iterator[None]:
    """That process on a core of its own; this one on the others."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(pid, cores[:1])
    os.sched_setaffinity(0, cores[1:] or cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def klines(ready: Ready, end: int, count: int) -> Busy:
    """Ask for candles that closed, everywhere in time and among pairs."""
    drawn = random.Random(4)
    step, places = TIMEFRAMES["5m"], (end - FIRST) // TIMEFRAMES["5m"] - CANDLES
    requests = [
        request(
            "GET",
            "/api/v3/klines",
            f"symbol={drawn.choice(PAIRS)}USDT&interval=5m&limit={CANDLES}"
            f"&startTime={FIRST + drawn.randrange(places) * step}",
        )
        for _ in range(count)
    ]
    return busy(ready.pid, ready.api_url, requests, lambda said: said.count(b"],[") == CANDLES - 1)


def orders(ready: Ready, now: int, count: int) -> Busy:
    """Buy for 20 USDT at the market, so many times; every order is filled."""
    query = "symbol=BTCUSDT&side=BUY&type=MARKET&quoteOrderQty=20&recvWindow=60000"
    requests = []
    for number in range(count):
        asked = f"{query}&newClientOrderId=order-{number}&timestamp={now}"
        signature = hmac.new(b"secret", asked.encode(), sha256).hexdigest()
        body = f"{asked}&signature={signature}"
        requests.append(request("POST", "/api/v3/order", body, key="key"))
    return busy(ready.pid, ready.api_url, requests, lambda said: b'"FILLED"' in said)


def speeds(candles: Path | None, home: Path, share: float = 1) -> list[Figure]:
    """How fast it answers, and its memory; with a `share` of the requests."""
    with serving(candles, home, "--clock", "stepped") as ready, apart(ready.pid):
        now = int(remote.ask(ready, "status").now.timestamp() * 1000)
        klines(ready, now, int(KLINES * share) // 10)  # not counted: it has looked at all then
        asked = klines(ready, now, int(KLINES * share))
        placed = orders(ready, now, int(ORDERS * share))
        memory = peak(ready.pid)
    return [
        Figure("klines_per_second", asked.requests / asked.processor, "1/s of a core", ">= 1000"),
        Figure("klines_per_wall_second", asked.requests / asked.seconds, "1/s"),
        Figure("orders_per_second", placed.requests / placed.processor, "1/s of a core"),
        Figure("orders_per_wall_second", placed.requests / placed.seconds, "1/s"),
        Figure("memory_mb", memory, "MB", "< 150"),
    ]


def replayed(candles: Path | None, home: Path, count: int = DAY) -> list[Figure]:
    """How a live bot keeps up on scaled time, with so many candles of each pair."""
    pairs = [f"{base}/USDT" for base in PAIRS]
    with serving(candles, home, "--speed", str(scaled.SPEED)) as ready:
        seen = scaled.day(ready, home / "ready.json", home / "bot", pairs, count)
    return [
        Figure("scaled_day_missed_candles", seen.missed, f"of {seen.candles}", "< 1"),
        Figure("scaled_p99_lag_seconds", seen.p99, "s of the exchange", "< 60"),
        Figure("scaled_worst_lag_seconds", seen.lags[-1], "s of the exchange"),
    ]


def measured(candles: Path | None, home: Path) -> list[Figure]:
    """Every figure."""
    for name in ("speeds", "replayed"):
        (home / name).mkdir()
    return [*speeds(candles, home / "speeds"), *replayed(candles, home / "replayed")]


if __name__ == "__main__":
    show("How fast the rehearsal exchange is", measured)
