"""Tell people and machines what became of a bot that was taken over."""

import json
import sys
from typing import TextIO

from pipelines.errors import ExitCode
from pipelines.freqtrade.moving import Place
from pipelines.workflow.import_bot import Carried, Report

_HEADS = {
    Place.STRATEGY: "has to be written into the strategy",
    Place.NOWHERE: "stays behind",
    Place.SECRETS: "is a secret",
    Place.ENVIRONMENT: "is said by environments/{environment}.yaml",
    Place.MANIFEST: "is said by strategies/{name}/strategy.yaml",
    Place.SLUICE: "is said by Sluice",
}


FIELDS = (
    "environment",
    "strategy",
    "class",
    "planted",
    "guesses",
    "obstacles",
    "settings",
    "secrets",
    "database",
)
"""What the line for machines says, in this order."""


def told(report: Report, *, as_json: bool) -> ExitCode:
    """Say what was taken over, and what is left to do; with `as_json` in one line for machines."""
    if as_json:
        print(json.dumps(_tree(report), separators=(",", ":")))
    _tell(report, sys.stderr if as_json else sys.stdout)
    return ExitCode.DONE


def _tell(report: Report, out: TextIO) -> None:
    name, environment = report.plugin.name, report.environment
    made = "made of" if report.planted else "is there already, as it is, for"
    print(f"strategies/{name} {made} {report.plugin.class_name}", file=out)
    for guess in report.plugin.guesses if report.planted else ():
        print(f"  guessed: {guess}", file=out)
    for obstacle in report.plugin.obstacles if report.planted else ():
        print(f"  the gate will object: {obstacle.what}", file=out)
    for place, head in _HEADS.items():
        rows = [row for row in report.moved if row.place is place]
        if rows:
            print(f"{head.format(environment=environment, name=name)}:", file=out)
        for row in rows:
            to = f" → {row.to}" if row.to else ""
            print(f"  {row.key}{to}: {row.note} ({row.file})", file=out)
    for each in report.secrets:
        print(_secret(each, environment), file=out)
    count = report.database.trades
    print(f"{count} trades of {report.source} → {report.database.database}", file=out)
    print("never start the old bot again: both would trade one account", file=out)
    if report.release:
        print(f"{report.release} looks after the open ones: {report.database.open}", file=out)
        print("next: sluice status, until it runs", file=out)
    else:
        print(f"next: sluice check {name}, then sluice pack {name}", file=out)


def _secret(each: Carried, environment: str) -> str:
    if each.scope is None:
        return f"{each.name}: {environment} needs none, and is not given it"
    if each.kept:
        return f"{each.name}: kept for {each.scope}; take it out of {each.setting.file}"
    return f"run: sluice secrets set {each.scope} {each.name}"


def _tree(report: Report) -> dict[str, object]:
    plugin, database = report.plugin, report.database
    settings = [
        {"key": m.key, "file": m.file, "place": m.place, "to": m.to, "note": m.note}
        for m in report.moved
    ]
    secrets = [
        {"name": s.name, "scope": str(s.scope) if s.scope else None, "kept": s.kept}
        for s in report.secrets
    ]
    traded = {
        "from": str(report.source),
        "to": database.database,
        "digest": database.digest,
        "trades": database.trades,
        "open": database.open,
    }
    guesses, obstacles = list(plugin.guesses), [each.what for each in plugin.obstacles]
    values = (report.environment, plugin.name, plugin.class_name, report.planted)
    return dict(zip(FIELDS, (*values, guesses, obstacles, settings, secrets, traded), strict=True))
