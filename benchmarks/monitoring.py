"""What watching bots costs: `python benchmarks/monitoring.py [--json] [--candles FOLDER]`.

scrape_ms, scrape_worst_ms
    Milliseconds of a scrape of a real agent's metrics over HTTP, while it keeps twenty real bots on
    paper: the median of twenty, and the slowest of them.
memory_mb
    What that agent takes of the machine (PSS), metrics and observations with it.
collector_cpu_percent
    Processor of the rounds of observing these bots, as a share of one core at a tick of 10 seconds:
    looking at them, keeping what was seen, rolling it up. Measured in this process, on their home.
year_mb
    The file of observations after a year of twenty bots. Each level is filled as far as it ever is:
    the hours of a year, the minutes of two weeks, and every look of the last day.
month_false_alarms, month_hours
    Alerts of health in a replayed month of a live bot of which nothing is wrong, hour by hour.
"""

import os
import socket
import statistics
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import exchange
from figures import Figure, show
from fleet import Fleet, until
from train import MB, _pss

from pipelines.domain.observation import Observation
from pipelines.domain.worth import Exposure
from pipelines.errors import SluiceError
from runner.agent import declared
from runner.agent.alerts import Alerts
from runner.agent.crew import Crew
from runner.agent.guarding import Guard
from runner.agent.house import House
from runner.agent.kept import Tally
from runner.agent.launcher import Launcher
from runner.agent.reconciling import Reconciling
from runner.monitoring.noted import Noted
from runner.monitoring.observing import Observing
from runner.monitoring.store import Store
from tests.agent.train import laid
from tests.exchange.running import running

ROOT = Path(__file__).resolve().parent.parent
BOTS, SCRAPES, ROUNDS = 20, 20, 60
TICK_SECONDS = 10
YEAR = timedelta(days=365)
DAY, FORTNIGHT = timedelta(days=1, hours=1), timedelta(days=15)
HOURS = 720
ACCOUNT = "--account=sandbox:key:secret:USDT=250:ip=127.0.0.1"


def watching(kept: Fleet, bots: int) -> list[Figure]:
    """A real agent that keeps so many bots, and who watches it."""
    port = _port()
    os.environ["SLUICE_METRICS_PORT"] = str(port)
    with kept.running():
        for number in range(bots):
            release = kept.release(f"bot{number + 1:02}", "2.0.0")
            kept.seconds("deliver", str(release.id))
        del os.environ["SLUICE_METRICS_PORT"]
        kept.round()
        address = f"http://127.0.0.1:{port}/metrics"
        until(lambda: _scraped(address).count("sluice_bot_healthy{") == bots, 0.5)
        took = sorted(_seconds(address) * 1000 for _ in range(SCRAPES))
        assert kept.process is not None
        memory = _pss(kept.process.pid) / MB
        cpu = collecting(kept, bots)
    return [
        Figure("scrape_ms", statistics.median(took), "ms", "< 100"),
        Figure("scrape_worst_ms", took[-1], "ms"),
        Figure("collector_cpu_percent", cpu, "% of a core", "< 5"),
        Figure("memory_mb", memory, "MB", "< 150"),
    ]


def _port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port


def _scraped(address: str) -> str:
    with urllib.request.urlopen(address, timeout=60) as answer:
        return str(answer.read().decode())


def _seconds(address: str) -> float:
    began = time.perf_counter()
    _scraped(address)
    return time.perf_counter() - began


def collecting(kept: Fleet, bots: int) -> float:
    """Percent of a core that observing takes, when the rest of the round is done already."""
    house = House(kept.home)
    crew, alerts = Crew(house, Launcher(bots=kept.home)), Alerts(kept.folder / "alerts.jsonl")
    guard, reconciling = Guard(crew, alerts), Reconciling(house, None, alerts)
    observing = Observing(crew, guard, reconciling, alerts, lambda: datetime.now(UTC))
    observing.store.path = kept.folder / "observations.sqlite"
    known = declared.load(kept.project / "environments" / "demo", "demo")
    now = datetime.now(UTC)
    there = {each.bot.seat: each for each in crew.members(known.environments, now)}
    if len(there) != bots:
        raise RuntimeError(f"{len(there)} bots are there, should be {bots}")
    tally, exposure = Tally(1, 0, 0), Exposure({"BTC": Decimal(100)})
    guard.noted = {seat: Noted(Decimal(1000), exposure, tally) for seat in there}
    observing.look(lambda _: there, known, now, True)
    began = time.process_time()
    for number in range(ROUNDS):
        moment = now + timedelta(seconds=TICK_SECONDS * (number + 1))
        observing.look(lambda _: there, known, moment, True)
    return (time.process_time() - began) / ROUNDS / TICK_SECONDS * 100


def year(path: Path, bots: int = BOTS, span: timedelta = YEAR) -> float:
    """MB of a store in which so many bots were observed for a year."""
    store, begins = Store(path), datetime(2026, 1, 1, tzinfo=UTC)
    for moment in _moments(begins, begins + span):
        store.add(_seen(f"bot{number:02}", moment) for number in range(bots))
    store.close()
    return sum(each.stat().st_size for each in path.parent.glob(f"{path.name}*")) / 1e6


def _moments(begins: datetime, ends: datetime) -> Iterator[datetime]:
    """When is looked: what is rolled up and forgotten anyway is looked at less often."""
    while begins < ends:
        yield begins
        left = ends - begins
        far, near = timedelta(hours=1), timedelta(minutes=1)
        begins += far if left > FORTNIGHT else near if left > DAY else timedelta(seconds=10)


def _seen(strategy: str, moment: datetime) -> Observation:
    number = int(moment.timestamp())
    money = Decimal(number % 99991) / 7
    return Observation(
        environment="prod",
        strategy=strategy,
        release=f"{strategy}@1.0.{number // 2_592_000}+3f9c2a1b",
        at=moment,
        healthy=True,
        equity=1000 + money,
        open_trades=number % 5,
        closed_trades=number % 997,
        profit=money,
        fees=money,
        slippage=Decimal("0.00012345"),
        exposure=money,
        orders=number % 40,
        rejections=0,
        candle_lag=number % 17 / 7,
        calls=number % 31,
        failures=0,
        call_seconds=number % 13 / 11,
        memory=90_000_000 + number % 9_999_991,
        cpu=number % 99_991 / 7,
        uptime=number % 999_983 / 3,
        private_age=number % 11 / 3,
    )


@contextmanager
def _quiet(folder: Path) -> Iterator[None]:
    """Agents and bots keep what a reboot empties here; paths of sockets are short."""
    folder.mkdir()
    os.environ["XDG_RUNTIME_DIR"] = str(folder)
    yield


def month(home: Path, hours: int = HOURS) -> list[Figure]:
    """A healthy bot that trades with money, hour by hour."""
    with running(ROOT, home, "--start", "2022-03-01", ACCOUNT) as market:
        train = laid(ROOT, home / "train", market)
        try:
            train.secret("sandbox")
            train.start()
            release = train.release()
            train.want("sandbox", release)
            train.until_running("sandbox", release)
            for _ in range(hours):
                train.step(1)
            if not train.strategy("sandbox").healthy:
                raise RuntimeError(train.told())
            alarms = [alert for alert in train.alerts() if alert.kind]
        except SluiceError as error:
            raise RuntimeError(error.message) from None
        finally:
            train.close()
    return [
        Figure("month_false_alarms", len(alarms), "alerts", "< 1"),
        Figure("month_hours", hours, "h"),
    ]


def measure(candles: Path | None, home: Path) -> list[Figure]:
    """Every figure. How soon an alert is with a human is measured where it is sent."""
    for name in ("exchange", "month", "fleet"):
        (home / name).mkdir()
    with _quiet(home / "run"):
        size = year(home / "observations.sqlite")
        with exchange.serving(candles, home / "exchange", "--clock", "real"):
            watched = watching(
                Fleet(home / "fleet" / "all", home / "exchange" / "ready.json"), BOTS
            )
        return [*watched, Figure("year_mb", size, "MB", "< 500"), *month(home / "month")]


if __name__ == "__main__":
    show("What watching bots costs", measure)
