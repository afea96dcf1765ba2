"""What Prometheus may read of an agent: how bots and host stood at the end of the last round.

Nothing is asked or measured for a scrape, so it keeps no round waiting. What nobody could tell has
no sample: it is absent, never zero.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from threading import Thread
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import start_wsgi_server

from pipelines.domain.health import Check
from pipelines.errors import CannotTell
from runner.monitoring.observing import HOST, Observing, Seen

LOOPBACK = "127.0.0.1"
LABELS = ("environment", "strategy", "release")

Number = float | None


@dataclass(frozen=True)
class Figure:
    """One figure of every bot. `of` tells it, none where nobody knows."""

    name: str
    says: str
    of: Callable[[Seen], object]
    counts: bool = False


FIGURES = (
    Figure(
        "sluice_bot_healthy", "Whether it can manage its orders.", lambda s: s.observation.healthy
    ),
    Figure("sluice_bot_equity_stake", "Equity at the last price.", lambda s: s.observation.equity),
    Figure("sluice_bot_exposure_stake", "What is in trades.", lambda s: s.observation.exposure),
    Figure("sluice_bot_profit_stake", "Profit of closed trades.", lambda s: s.observation.profit),
    Figure("sluice_bot_fees_stake", "Fees of all orders.", lambda s: s.observation.fees),
    Figure(
        "sluice_bot_slippage_ratio",
        "How much worse than the signal candle's close orders were filled.",
        lambda s: s.observation.slippage,
    ),
    Figure("sluice_bot_open_trades", "Open trades.", lambda s: s.observation.open_trades),
    Figure("sluice_bot_closed_trades", "Closed trades.", lambda s: s.observation.closed_trades),
    Figure(
        "sluice_bot_orders_last_hour", "Orders sent in an hour.", lambda s: s.observation.orders
    ),
    Figure(
        "sluice_bot_rejections_last_hour",
        "Orders that the exchange refused in an hour.",
        lambda s: s.observation.rejections,
    ),
    Figure(
        "sluice_bot_candle_lag_seconds",
        "From a candle's close until it was analysed.",
        lambda s: s.observation.candle_lag,
    ),
    Figure(
        "sluice_bot_private_call_age_seconds",
        "Since a private call last succeeded.",
        lambda s: s.observation.private_age,
    ),
    Figure("sluice_bot_resident_memory_bytes", "Its memory.", lambda s: s.observation.memory),
    Figure("sluice_bot_uptime_seconds", "Since it was started.", lambda s: s.observation.uptime),
    Figure("sluice_bot_cpu_seconds", "Processor time.", lambda s: s.observation.cpu, counts=True),
    Figure(
        "sluice_bot_exchange_requests",
        "Requests to the exchange.",
        lambda s: s.body.pulse and s.body.pulse.calls,
        counts=True,
    ),
    Figure(
        "sluice_bot_exchange_request_failures",
        "Requests that the exchange did not answer as it should.",
        lambda s: s.body.pulse and s.body.pulse.failures,
        counts=True,
    ),
    Figure(
        "sluice_bot_exchange_request_duration_seconds",
        "How long all requests took.",
        lambda s: s.body.pulse and s.body.pulse.seconds,
        counts=True,
    ),
)
"""Every figure of a bot. Money is in the stake currency; a counter begins anew with its process."""


@dataclass(frozen=True, eq=False)
class Metrics:
    """Collects for a registry."""

    observing: Observing

    def collect(self) -> Iterator[Metric]:
        """Everything, as of one moment."""
        bots = tuple(self.observing.bots.values())
        for figure in FIGURES:
            yield _of_bots(figure, bots)
        yield self._checks(bots)
        yield from self._of_agent()

    def describe(self) -> Iterable[Metric]:
        """Nothing ahead: names come with the samples."""
        return ()

    def _checks(self, bots: Iterable[Seen]) -> Metric:
        text = "Whether a check of a bot fails (1) or could not be evaluated (0.5)."
        family = GaugeMetricFamily("sluice_bot_check_failing", text, labels=(*LABELS, "check"))
        for seen in bots:
            for check in Check:
                ill = seen.standing.ills.get(check)
                value = 0.0 if ill is None else 1.0 if ill.reason.known else 0.5
                family.add_metric((*_labels(seen), check.value), value)
        return family

    def _of_agent(self) -> Iterator[Metric]:
        observing, host = self.observing, self.observing.host
        standing = observing.standing(HOST)
        yield _gauge("sluice_host_healthy", "The host.", standing and standing.is_healthy)
        yield _gauge("sluice_host_disk_free_bytes", "Free disk of the home.", host.disk)
        yield _gauge("sluice_host_memory_available_bytes", "Free memory.", host.memory)
        yield _gauge("sluice_host_temperature_celsius", "The hottest part.", host.heat)
        skews = GaugeMetricFamily(
            "sluice_host_clock_offset_seconds", "Ahead of an exchange's time.", labels=("exchange",)
        )
        for name, skew in host.skew.items():
            if (number := _number(skew)) is not None:
                skews.add_metric((name,), number)
        yield skews
        rounds = CounterMetricFamily("sluice_agent_rounds", "Rounds of the agent.")
        rounds.add_metric((), observing.rounds)
        failed = CounterMetricFamily("sluice_agent_round_failures", "Rounds that did nothing.")
        failed.add_metric((), observing.failed)
        yield from (rounds, failed)


def serve(observing: Observing, port: int) -> tuple[WSGIServer, Thread]:
    """Let Prometheus ask on loopback, in a thread of its own; port 0 is any that is free.

    :raises CannotTell: when the port is not to be had.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Metrics(observing))
    try:
        return start_wsgi_server(port, LOOPBACK, registry)
    except OSError as error:
        raise CannotTell(f"metrics: port {port} cannot be had: {error.strerror}") from None


def _of_bots(figure: Figure, bots: Iterable[Seen]) -> Metric:
    kind = CounterMetricFamily if figure.counts else GaugeMetricFamily
    family = kind(figure.name, figure.says, labels=LABELS)
    for seen in bots:
        if (number := _number(figure.of(seen))) is not None:
            family.add_metric(_labels(seen), number)
    return family


def _gauge(name: str, says: str, value: object) -> Metric:
    family = GaugeMetricFamily(name, says)
    if (number := _number(value)) is not None:
        family.add_metric((), number)
    return family


def _labels(seen: Seen) -> tuple[str, str, str]:
    return seen.observation.series


def _number(value: object) -> Number:
    """Of what is unknown there is none."""
    return float(value) if hasattr(value, "__float__") else None
