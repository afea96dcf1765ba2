"""Commands that do something: each makes a button, and only its tap asks the agent."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.adapters.agent import Explained
from pipelines.errors import BadInput
from runner.telegram import tables
from runner.telegram.asking import Asking
from runner.telegram.reading import release_of
from runner.telegram.wording import said


@dataclass(frozen=True)
class Wish:
    """What a button will ask of the agent, and what it says."""

    verb: str
    args: Mapping[str, Any]
    about: str


@dataclass(frozen=True)
class Objection:
    """Why there is no button: the policy asks for more than a tap, or something speaks against."""

    text: str


Danger = Callable[[Asking, Sequence[str]], Wish | Objection]


def _stop(verb: str, does: str) -> Danger:
    def wish(_: Asking, words: Sequence[str]) -> Wish:
        environment, strategy = _about(words, "*", "*")
        where = "everything" if environment == "*" else _where(environment, strategy)
        return Wish(verb, {"environment": environment, "strategy": strategy}, f"{does} {where}")

    return wish


def _within(verb: str, does: str) -> Danger:
    def wish(_: Asking, words: Sequence[str]) -> Wish:
        environment, strategy = _about(words, "", "*")
        if not environment:
            raise BadInput(f"/{verb} needs an environment", f"/{verb} sandbox")
        given = {"environment": environment, "strategy": strategy}
        return Wish(verb, given, f"{does} {_where(environment, strategy)}")

    return wish


def _force_exit(_: Asking, words: Sequence[str]) -> Wish:
    example = "/forceexit sandbox beat 12"
    if len(words) not in (2, 3):
        raise BadInput("/forceexit needs an environment, a strategy and a trade or all", example)
    trade = words[2].lstrip("#") if len(words) == 3 else "all"
    if trade != "all" and not trade.isdecimal():
        raise BadInput(f"{trade}: should be the number of a trade, or all", example)
    number = None if trade == "all" else int(trade)
    what = "all trades" if number is None else f"trade {number}"
    args = {"environment": words[0], "strategy": words[1], "trade": number}
    return Wish("forceexit", args, f"close {what} at the market: {_where(words[0], words[1])}")


def _promote(asking: Asking, words: Sequence[str]) -> Wish | Objection:
    if len(words) != 2:
        raise BadInput("/promote needs a release and an environment", "/promote beat prod")
    told = asking.explain(release_of(asking, *words), words[1])
    return promotion(told)


def promotion(told: Explained) -> Wish | Objection:
    """A button for a release that may enter, else what is missing: a tap is never a signature."""
    if not told.eligible:
        return Objection(f"{tables.explained(told)}{_signing(told)}")
    args = {"release": told.digest, "environment": told.environment}
    return Wish("promote", args, f"promote {told.release} to {told.environment}")


def _signing(told: Explained) -> str:
    if not any(each.because == "approval" for each in told.reasons):
        return ""
    command = f"sluice approve {told.release} {told.environment} --key YOUR_KEY"
    return f"\nA tap is no signature. Who agrees runs:\n<code>{said(command)}</code>"


def _about(words: Sequence[str], *default: str) -> tuple[str, str]:
    environment, strategy = (*words, *default[len(words) :])[:2]
    return environment, strategy


def _where(environment: str, strategy: str) -> str:
    return environment if strategy == "*" else f"{environment} {strategy}"


DANGER: Mapping[str, tuple[Danger, str]] = {
    "halt": (_stop("halt", "open no more trades:"), "no more entries [ENV] [STRATEGY]"),
    "resume": (_stop("resume", "open trades again:"), "entries again [ENV] [STRATEGY]"),
    "flatten": (_within("flatten", "sell everything at the market:"), "sell all ENV [STRATEGY]"),
    "forceexit": (_force_exit, "close ENV STRATEGY TRADE|all"),
    "promote": (_promote, "let in RELEASE ENV"),
    "rollback": (_within("rollback", "go back to the last verified release:"),
                 "go back ENV [STRATEGY]"),
    "restart": (_within("restart", "end bots, so that they start again:"),
                "start bots again ENV [STRATEGY]"),
}  # fmt: skip
"""Every command that makes a button, with what its tap does."""
