"""Tell people and machines what the agent said."""

import json
import sys
from typing import Any

from pipelines.adapters.agent import Explained, Flattening, Status
from pipelines.domain.promotion import ApprovalStatement
from pipelines.errors import ExitCode
from pipelines.workflow import tell_health

_WIDTH = 100


def delivered(told: Any, *, as_json: bool) -> ExitCode:
    """Say what the agent took, and where it is wanted by that."""
    if as_json:
        return _machine(told)
    print(f"delivered {told['release']}")
    for environment in told["promoted"]:
        print(f"wanted in {environment}: 'sluice status' shows how far it is")
    for environment, reasons in told["refused"].items():
        for reason in reasons:
            print(f"not wanted in {environment}: {reason}")
    return ExitCode.DONE


def promoted(told: Any, *, as_json: bool) -> ExitCode:
    """Say what is wanted now."""
    if as_json:
        return _machine(told)
    stake = "" if told["stake"] == 100 else f" with {told['stake']} % of its stake"
    print(f"{told['release']} is wanted in {told['environment']}{stake}")
    return ExitCode.DONE


def approved(statement: ApprovalStatement) -> ExitCode:
    """Say what was signed."""
    until = f"{statement.expires:%Y-%m-%d %H:%M} UTC"
    print(f"approved {statement.release} for {statement.environment}, until {until}")
    print(f"next: sluice promote {statement.release} {statement.environment}")
    return ExitCode.DONE


def told(verb: str, said: Any, *, as_json: bool) -> ExitCode:
    """Say what was written down."""
    if as_json:
        return _machine(said)
    for entry in said if isinstance(said, list) else [said]:
        where = f"{entry['environment']} {entry['strategy']}"
        release = f": {entry['release']}" if entry.get("release") else ""
        print(f"{verb} {where}{release}")
    return ExitCode.DONE


def flattened(told: tuple[Flattening, ...], *, as_json: bool) -> ExitCode:
    """Say of each bot whether anything is left; the exit code says it of all."""
    code = ExitCode.REFUSED if any(each.left for each in told) else ExitCode.DONE
    if as_json:
        _machine([each.model_dump(mode="json") for each in told])
        return code
    for each in told:
        where = f"{each.environment} {each.strategy}"
        print(f"{where}: could not be closed:" if each.left else f"{where}: nothing is left")
        for left in each.left:
            print(f"  ✗ {left}")
    if not told:
        print("there is no bot, and none ever traded there")
    if code is not ExitCode.DONE:
        print("the agent goes on trying; 'sluice docs stopping' says what can be done by hand")
    return code


def explained(explained: Explained, *, as_json: bool) -> ExitCode:
    """Say everything for and against; the exit code says which it is."""
    may_it = ExitCode.DONE if explained.eligible else ExitCode.REFUSED
    if as_json:
        _machine(explained.model_dump(mode="json"))
        return may_it
    may = "may enter" if explained.eligible else "may not enter"
    print(f"{explained.release} {may} {explained.environment}")
    for each in explained.reasons:
        print(f"  ✗ {each.because}: {each.text}" + (f" — {each.hint}" if each.hint else ""))
    for each in explained.grounds:
        # What becomes of open trades, and how the bot there does, is neither for it nor against.
        mark = "·" if each.because in ("handover", "health") else "✓"
        print(f"  {mark} {each.because}: {each.text}" + (f" — {each.hint}" if each.hint else ""))
    return may_it


def status(status: Status, *, as_json: bool) -> ExitCode:
    """Show each environment as a table."""
    if as_json:
        return _machine(status.model_dump(mode="json"))
    _tables(status)
    return ExitCode.DONE


def history(told: Any, *, as_json: bool) -> ExitCode:
    """One line for each entry."""
    if as_json:
        return _machine(told)
    for entry in told:
        rest = {k: v for k, v in entry.items() if k not in _TOLD_ELSEWHERE and v not in ("", None)}
        where = " ".join(str(entry[key]) for key in ("environment", "strategy") if key in entry)
        more = " ".join(f"{key}={_plain(value)}" for key, value in rest.items())
        print(f"{entry['number']:>6}  {entry['at'][:16]}  {entry['entry']:<10} {where}  {more}")
    return ExitCode.DONE


_TOLD_ELSEWHERE = {"number", "at", "entry", "environment", "strategy", "digest"}


def _short(release: str | None) -> str:
    return release.partition("@")[2] if release else "–"


def _plain(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _machine(tree: Any) -> ExitCode:
    print(json.dumps(tree, separators=(",", ":"), default=str))
    return ExitCode.DONE


def _tables(status: Status) -> None:
    # Machines ask more often than people, and don't wait for what draws.
    from rich.console import Console
    from rich.table import Table

    console = Console(width=_WIDTH if not sys.stdout.isatty() else None, highlight=False)
    for environment in status.environments:
        flags = [word for word in ("hold", "halted") if getattr(environment, word)]
        table = Table(title_justify="left", box=None, padding=(0, 2, 0, 0))
        table.title = " · ".join((environment.name, environment.mode.replace("_", "-"), *flags))
        for column in ("strategy", "wanted", "runs", "phase", "open", "equity", "since"):
            table.add_column(column, justify="right" if column in ("open", "equity") else "left")
        for each in environment.strategies:
            table.add_row(
                each.name,
                _short(each.desired),
                _short(each.running),
                each.phase + ("" if each.verified or not each.running else ", not verified"),
                "?" if each.open_trades is None else str(each.open_trades),
                "" if each.equity is None else f"{each.equity:.2f}",
                f"{each.since:%Y-%m-%d %H:%M}" if each.since else "",
            )
        console.print(table)
        for each in environment.strategies:
            if each.decision:
                console.print(f"  {each.name}: {each.decision}", markup=False)
            if each.handover:
                console.print(f"  {each.name}: {each.handover}", markup=False)
            for line in tell_health.lines(each.reasons):
                console.print(f"  {each.name}: {line}", markup=False)
        console.print()
