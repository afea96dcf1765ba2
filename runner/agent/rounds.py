"""The agent's rounds, one after the other: what could not be done is told, and tried again."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime

from pipelines.errors import SluiceError
from runner.agent.alerts import Alert, Alerts
from runner.agent.tick import Agent

logger = logging.getLogger(__name__)

_NOTHING_DONE = "nothing was done in this round: "


def rounded(agent: Agent, beat: Callable[[], None] | None = None) -> bool:
    """One tick; true while a bot is being started. What cannot be told is told and tried again.

    `beat` is called when it ended well.
    """
    try:
        for action in agent.tick():
            logger.info("%s", action)
        busy = agent.is_busy(agent.declared(), agent.clock())
    except (SluiceError, OSError) as error:
        text = error.message if isinstance(error, SluiceError) else str(error)
        logger.warning("%s", text)
        told_of_host(agent.alerts, f"{_NOTHING_DONE}{text}")
        return False
    agent.alerts.over("", "", _NOTHING_DONE)
    if beat is not None:
        beat()
    return busy


def told_of_host(alerts: Alerts, text: str) -> None:
    """For the host as a whole, in the system's time: the agent's own clock may be what is gone."""
    alerts.raise_(Alert(at=datetime.now(UTC), severity="money", kind="host", text=text))
