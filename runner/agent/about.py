"""Which bot something is about: its environment and its strategy."""

from typing import TypedDict

from pipelines.domain.deployment import (
    Action,
    Adopt,
    Close,
    Drain,
    Halt,
    Restart,
    Resume,
    Start,
    Stop,
)

Key = tuple[str, str]


class About(TypedDict):
    """The fields by which an entry of the ledger says what it is about."""

    environment: str
    strategy: str
    digest: str


def about(key: Key, digest: str) -> About:
    """A release of a bot, for an entry."""
    return {"environment": key[0], "strategy": key[1], "digest": digest}


def key_of(action: Action) -> Key:
    """The bot that an action is for."""
    match action:
        case Start(wanted):
            return wanted.key
        case (
            Stop(bot)
            | Restart(bot)
            | Halt(bot)
            | Resume(bot)
            | Drain(bot)
            | Close(bot)
            | Adopt(bot)
        ):
            return bot.key
    return action.environment, action.strategy
