"""Who watches the agent from outside: Prometheus, and whoever gets its heartbeat."""

import logging
from collections.abc import Callable
from typing import Any

import click

from pipelines.adapters.redaction import Redactor
from pipelines.domain.secret import Secret
from pipelines.errors import CannotTell
from runner.agent.rounds import told_of_host
from runner.agent.tick import Agent
from runner.monitoring.heart import Heart

logger = logging.getLogger(__name__)


def options(command: Callable[..., Any]) -> Callable[..., Any]:
    """What `run` is told about them."""
    port = click.option(
        "--metrics-port",
        type=click.IntRange(0, 65535),
        envvar="SLUICE_METRICS_PORT",
        help="Where Prometheus may ask, on loopback; 0 is any port that is free.",
    )
    address = click.option(
        "--heartbeat",
        metavar="URL",
        envvar="SLUICE_HEARTBEAT",
        help="Is asked for once a minute while rounds end well. Better said by SLUICE_HEARTBEAT: "
        "everybody here can read arguments.",
    )
    return port(address(command))


def heart(url: str | None, hidden: Redactor) -> Heart | None:
    """What sends the heartbeat, if anybody wants one.

    :raises BadInput: when that is no address.
    """
    if not url:
        return None
    hidden.know([Secret(url)])
    return Heart(url)


def metrics(agent: Agent, port: int | None) -> None:
    """Let Prometheus ask, if anybody wants that. Where it cannot, bots are looked after still."""
    if port is None:
        return
    # Whoever has no Prometheus does not pay for its client.
    from runner.monitoring.metrics import LOOPBACK, serve

    try:
        server, _ = serve(agent.observing, port)
    except CannotTell as error:
        logger.warning("%s", error.message)
        told_of_host(agent.alerts, error.message)
        return
    logger.info("metrics: http://%s:%s/metrics", LOOPBACK, server.server_port)
