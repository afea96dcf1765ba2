"""What reconciling costs: `python benchmarks/books.py [--json] [--candles FOLDER]`.

Twenty bots are looked at every ten seconds of a stepped exchange, as the agent does it; nobody else
asks anything. Two share an account, with five pairs together.

orphan_detection_ticks
    An entry of nobody is filled on one account after another: how many ticks later it is believed,
    at most.
request_weight_share
    Then one is filled on every account at once, the worst that can happen: the most that was asked
    for in a minute, by the exchange's own count, as a share of what it allows an address.
quiet_weight_share
    The same for five minutes in which nothing is wrong.
spread_detection_ticks, spread_weight_share
    The first two where every bot has an account of its own: twenty are more than a quarter of the
    weight lets be looked at in every tick.
"""

from datetime import timedelta
from pathlib import Path

from figures import Figure, show

from pipelines import documents
from pipelines.domain.budget import Priority
from pipelines.domain.environment import Environment
from runner.agent.books.accounts import Account, Trader
from runner.agent.books.client import Client, client_for
from runner.agent.books.looking import Looked, Looking
from runner.agent.reconciling import TURN_SECONDS
from runner.exchange.settings import freqtrade_settings
from tests.exchange.running import Running, running

ROOT = Path(__file__).resolve().parent.parent
BOTS = 20
PAIRS = ("BTC/USDT", "ETH/USDT", "SOL/USDT", "ADA/USDT", "LTC/USDT")
TICK_SECONDS = 10
MINUTES = 5
PLANTED = 5


class Host:
    """The accounts of a host, and an exchange in whose time they are looked at."""

    def __init__(self, exchange: Running, accounts: int) -> None:
        self._exchange, self._real = exchange, 0.0
        with exchange.then():
            self._apis = [exchange.ccxt(f"key{n}", f"secret{n}") for n in range(accounts)]
            for api in self._apis:
                api.load_markets()
        where = ROOT / "environments" / "demo" / "sandbox.yaml"
        base = documents.load(where, Environment, str(where))
        self.limit, self.most = 0, 0
        self.accounts = tuple(
            Account(
                base.model_copy(update={"name": f"bot{number}", "account": f"bot{number}"}),
                f"bot{number}",
                "spot",
                Priority.LIVE,
                (Trader("beat", "beat", ROOT / "nowhere.sqlite", PAIRS),),
            )
            for number in range(accounts)
        )
        self._looking = Looking(self._client, TURN_SECONDS, enforced=True, real=lambda: self._real)

    def tick(self) -> tuple[Looked, ...]:
        """Ten seconds later: what is known of the accounts."""
        self._exchange.step(seconds=TICK_SECONDS)
        self._real += TICK_SECONDS
        # Who is not on the exchange's time is refused once, and asks twice.
        with self._exchange.then():
            looked = self._looking.look(self.accounts, self._exchange.now)
        self.most = max(self.most, self._looking.told)
        return looked

    def plant(self, number: int) -> None:
        """An entry that nobody knows, filled at once."""
        with self._exchange.then():
            self._apis[number].create_order("ETH/USDT", "market", "buy", 0.1)

    def share(self) -> float:
        """The most that was asked for in a minute since this was asked last."""
        most, self.most = self.most, 0
        return most / 6000

    def _client(self, account: Account) -> Client:
        number = account.name.removeprefix("bot")
        settings = freqtrade_settings(self._exchange.ready.api_url, "", "")["exchange"]
        return client_for(settings, f"key{number}", f"secret{number}")


def measure(candles: Path | None, home: Path) -> list[Figure]:
    """All figures."""
    arguments = ["--start", "2022-03-01", *(["--candles", str(candles)] if candles else [])]
    for number in range(BOTS):
        arguments += ["--account", f"bot{number}:key{number}:secret{number}:USDT=5000"]
    with running(ROOT, home, *arguments) as exchange:
        together = _measured(exchange, BOTS // 2, 0)
        exchange.step(minutes=1)
        apart = _measured(exchange, BOTS, PLANTED)
    return [
        Figure("orphan_detection_ticks", together[0], "ticks", "< 3"),
        Figure("request_weight_share", together[1], "of what is allowed", "< 0.251"),
        Figure("quiet_weight_share", together[2], "of what is allowed", "< 0.251"),
        Figure("spread_detection_ticks", apart[0], "ticks"),
        Figure("spread_weight_share", apart[1], "of what is allowed", "< 0.251"),
    ]


def _measured(exchange: Running, accounts: int, first: int) -> tuple[int, float, float]:
    """Ticks until an orphan is believed, and shares: the worst, and where nothing is wrong."""
    host = Host(exchange, accounts)
    exchange.step(minutes=1)
    _ticks(host, MINUTES)
    quiet = host.share()
    ticks = max(_detection(host, number) for number in range(first, first + PLANTED))
    for number in range(first + PLANTED, accounts):
        host.plant(number)
    _ticks(host, MINUTES)
    return ticks, host.share(), quiet


def _ticks(host: Host, minutes: int) -> None:
    for _ in range(timedelta(minutes=minutes).seconds // TICK_SECONDS):
        host.tick()


def _detection(host: Host, number: int) -> int:
    host.plant(number)
    for count in range(1, 20):
        if host.tick()[number].sure:
            return count
    raise RuntimeError("nobody found it")


if __name__ == "__main__":
    show(__doc__ or "", measure)
