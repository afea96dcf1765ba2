"""Orphans: what lies at the exchange and no bot knows."""

import json
import sys
from typing import Any

from rich.console import Console
from rich.table import Table

from pipelines.adapters import agent
from pipelines.adapters.agent import OfOrphan
from pipelines.errors import ExitCode
from pipelines.workflow.place import Place

_SECONDS = 300.0
"""A bot is stopped and started for it, and freqtrade loaded once more."""

_WIDTH = 120


def listed(place: Place) -> Any:
    """Every orphan that nothing was done about yet."""
    return agent.ask(place.home, "orphans")


def imported(place: Place, orphan: str, strategy: str) -> Any:
    """Give an orphan to a bot.

    :raises Refused: when no bot can look after it.
    """
    given = OfOrphan(orphan=orphan, strategy=strategy)
    return agent.ask(place.home, "orphan-import", given, _SECONDS)


def closed(place: Place, orphan: str) -> Any:
    """Sell it straight at the exchange.

    :raises CannotTell: when the exchange does not confirm that nothing is left.
    """
    return agent.ask(place.home, "orphan-close", OfOrphan(orphan=orphan), _SECONDS)


def tell(told: Any, *, as_json: bool) -> ExitCode:
    """Say which there are."""
    if as_json:
        return _machine(told)
    if not told:
        print("there are no orphans")
        return ExitCode.DONE
    table = Table("orphan", "where", "what", "waiting", "order", "since", box=None, pad_edge=False)
    for each in told:
        where = f"{each['environment']} {each['strategy']} ({each['account']})"
        what = f"{each['amount']} {each['pair']} {each['side']}"
        since = (each["placed"] or each["at"])[:16]
        table.add_row(each["orphan"], where, what, each["waiting"], each["order"] or "-", since)
    Console(file=sys.stdout, width=_WIDTH, highlight=False).print(table)
    print("next: sluice orphan import ID, or sluice orphan close ID")
    return ExitCode.DONE


def tell_settled(told: Any, *, as_json: bool) -> ExitCode:
    """Say what became of one, and what is to be done next."""
    if as_json:
        return _machine(told)
    left = f", {told['left']} is left of it: dust" if told.get("left", "0") not in ("0", "") else ""
    print(f"{told['how']} {told['orphan']}{left}")
    print(f"next: sluice resume {told['environment']} {told['strategy']}".removesuffix(" *"))
    return ExitCode.DONE


def _machine(told: Any) -> ExitCode:
    print(json.dumps(told))
    return ExitCode.DONE
