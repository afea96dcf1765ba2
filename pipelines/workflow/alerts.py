"""`sluice alerts`: what a human has to know, read from the agent's home, whether it runs or not."""

import json

from pipelines.adapters import alerts
from pipelines.adapters.alerts import Alert
from pipelines.errors import ExitCode
from pipelines.workflow.place import Place


def alerted(place: Place, environment: str, strategy: str, limit: int) -> tuple[Alert, ...]:
    """The last ones, the newest last; empty names mean all. What is the host's is everybody's.

    :raises CannotTell: when they cannot be read.
    """
    every = alerts.read(place.home / alerts.FILE)
    meant = [
        each
        for each in every
        if environment in ("", each.environment or environment)
        and strategy in ("", each.strategy or strategy)
    ]
    return tuple(meant[-limit:])


def tell(told: tuple[Alert, ...], *, as_json: bool) -> ExitCode:
    """One line for each."""
    if as_json:
        print(json.dumps([{"id": each.id, **each.model_dump(mode="json")} for each in told]))
        return ExitCode.DONE
    for each in told:
        where = " ".join(part for part in (each.environment, each.strategy) if part) or "host"
        text = "; ".join(each.text.splitlines())
        print(f"{each.at:%Y-%m-%d %H:%M}  {each.severity:<7}  {where}: {text}")
    if not told:
        print("there are no alerts")
    return ExitCode.DONE
