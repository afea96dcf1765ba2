"""Commands that only look."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pipelines.errors import BadInput
from runner.telegram import tables
from runner.telegram.asking import Asking

Reading = Callable[[Asking, Sequence[str]], str]
"""From what was written behind a command to an answer, in Telegram's HTML."""


def _status(asking: Asking, _: Sequence[str]) -> str:
    return tables.status(asking.status())


def _board(asking: Asking, _: Sequence[str]) -> str:
    return tables.board(asking.status())


def _health(asking: Asking, _: Sequence[str]) -> str:
    told: Any = asking.health()
    if told is None:
        return tables.health(asking.status())
    lines: list[str] = []
    for bot in told["bots"]:
        lines.append(f"{'ok' if bot['healthy'] else '!!'} {bot['environment']} {bot['strategy']}")
        for reason in bot["reasons"]:
            since = f" since {str(reason['since'])[5:16]}" if reason.get("since") else ""
            lines += tables.wrapped(f"{reason['text']}{since}")
    return tables.pre(lines, "health")


def _explain(asking: Asking, words: Sequence[str]) -> str:
    if len(words) != 2:
        raise BadInput("/explain needs a release and an environment", "/explain beat prod")
    return tables.explained(asking.explain(release_of(asking, *words), words[1]))


def release_of(asking: Asking, named: str, environment: str) -> str:
    """The release that is meant: by its id or digest, or by a strategy that is elsewhere already.

    :raises BadInput: when there is none.
    """
    if "@" in named or len(named) > 20:
        return named
    for there in asking.status().environments:
        for each in there.strategies:
            if each.name == named and each.desired and there.name != environment:
                return each.desired
    hint = "/board shows what there is"
    raise BadInput(f"{named}: no release of it is elsewhere than in {environment}", hint)


def _balance(asking: Asking, _: Sequence[str]) -> str:
    return tables.balance(asking.status(), asking.trades())


def _profit(asking: Asking, words: Sequence[str]) -> str:
    return tables.profit(asking.trades(*words[:2]))


def _daily(asking: Asking, words: Sequence[str]) -> str:
    return tables.daily(asking.trades(*words[:2]))


def _trades(asking: Asking, words: Sequence[str]) -> str:
    return tables.trades(asking.trades(*words[:2]), datetime.now(UTC))


def _performance(asking: Asking, words: Sequence[str]) -> str:
    return tables.performance(asking.trades(*words[:2]))


READING: Mapping[str, tuple[Reading, str]] = {
    "status": (_status, "every bot, what runs and what it has"),
    "board": (_board, "environments × strategies × release"),
    "health": (_health, "which bots are well, and why not"),
    "balance": (_balance, "what each bot has"),
    "profit": (_profit, "closed trades by release [ENV] [STRATEGY]"),
    "daily": (_daily, "the last days by release [ENV] [STRATEGY]"),
    "trades": (_trades, "open and last trades [ENV] [STRATEGY]"),
    "performance": (_performance, "pairs by release [ENV] [STRATEGY]"),
    "explain": (_explain, "what speaks against RELEASE ENV"),
}
"""Every command that looks, with what it tells."""
