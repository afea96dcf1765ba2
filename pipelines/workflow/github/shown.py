"""Tell people and machines what there is to do to a repository."""

import dataclasses
import json
import sys
from collections.abc import Iterator
from typing import Any, TextIO

from pipelines.domain.repository.hosting import enforced
from pipelines.domain.repository.parts import Part
from pipelines.domain.repository.planning import (
    Action,
    ByHand,
    Create,
    Keep,
    Unknown,
    Unoffered,
    Update,
)
from pipelines.errors import ExitCode
from pipelines.workflow.github import audit
from pipelines.workflow.github.apply import Applied
from pipelines.workflow.github.plan import Planned

WORDS: dict[type[Any], str] = {
    Create: "create",
    Update: "update",
    Keep: "keep",
    ByHand: "by hand",
    Unknown: "unknown",
    Unoffered: "pi only",
}
"""What an action is called."""


def planned(told: Planned, *, as_json: bool) -> ExitCode:
    """Show a plan; exit code 3 when a part of it cannot be told."""
    _tell(told, as_json=as_json)
    unknown = any(isinstance(each, Unknown) for each in told.actions)
    return ExitCode.CANNOT_TELL if unknown else ExitCode.DONE


def audited(told: Planned, *, as_json: bool) -> ExitCode:
    """Show what drifted, and what nobody can tell."""
    _tell(told, as_json=as_json)
    return audit.verdict(told)


def applied(told: Applied, *, as_json: bool) -> ExitCode:
    """Show what is left after it was done."""
    _tell(told.after, as_json=as_json)
    return told.code


def step(word: str, what: str) -> None:
    """Say what became of a step, while others are still to come."""
    print(f"{word:<8} {what}", file=sys.stderr)


def _tell(told: Planned, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(_machine(told)))
    _people(told, sys.stderr if as_json else sys.stdout)


def _people(told: Planned, to: TextIO) -> None:
    print(told.hosting.told, file=to)
    for action in told.actions:
        print(f"  {WORDS[type(action)]:<8} {action.what}{_reason(action)}", file=to)
        for line in _details(action):
            print(f"           {line}", file=to)
    print("who enforces what:", file=to)
    for what, by in enforced(told.hosting):
        print(f"  {what}: {by}", file=to)
    counts = [
        f"{sum(isinstance(each, kind) for each in told.actions)} {word}"
        for kind, word in WORDS.items()
    ]
    print(f"plan {told.digest[:12]}: {', '.join(counts)}", file=to)


def _reason(action: Action) -> str:
    match action:
        case Unknown(why=why):
            return f": {why}"
        case Unoffered(instead=instead):
            return f": {instead}"
        case _:
            return ""


def _details(action: Action) -> Iterator[str]:
    match action:
        case Create(will=will):
            yield from (f"{name}: {value}" for name, value in _fields(will))
        case Update(now=now, will=will):
            before = dict(_fields(now))
            for name, value in _fields(will):
                if before.get(name) != value:
                    yield f"{name}: {before.get(name, 'none')} -> {value}"
        case ByHand(how=how):
            yield from how
        case _:
            return


def _fields(part: Part) -> Iterator[tuple[str, str]]:
    for field in dataclasses.fields(part):
        value = getattr(part, field.name)
        if field.name != "name":
            every = field.name == "refs" and value is None
            yield field.name.replace("_", " "), "any" if every else _shown(value)


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(_shown, value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if dataclasses.is_dataclass(value) and type(value).__str__ is object.__str__:
        inner = dataclasses.fields(value)
        return " ".join(
            f"{f.name.replace('_', ' ')}={_shown(getattr(value, f.name))}" for f in inner
        )
    return "none" if value is None else str(value)


def _machine(told: Planned) -> dict[str, Any]:
    return {
        "repository": told.hosting.full_name,
        "private": told.hosting.private,
        "plan": told.hosting.plan,
        "digest": told.digest,
        "actions": [_action(each) for each in told.actions],
        "enforced": [{"what": what, "by": by} for what, by in enforced(told.hosting)],
    }


def _action(action: Action) -> dict[str, Any]:
    return {"action": WORDS[type(action)], "what": action.what, **dataclasses.asdict(action)}
