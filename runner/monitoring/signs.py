"""What speaks for a bot's health, gathered: from itself, its process, its account, its guard."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pipelines.domain.deployment import Phase
from pipelines.domain.environment import Environment
from pipelines.domain.health import Candles, Life, Private, Signs
from pipelines.domain.orphan import MissingStop
from pipelines.domain.protections import Unknown
from pipelines.errors import CannotTell
from runner.agent.about import Key
from runner.agent.books.looking import Looked, is_of_the_key
from runner.agent.house import House
from runner.agent.muster import Member
from runner.monitoring import machine, pulse
from runner.monitoring.machine import Process
from runner.monitoring.noted import Noted
from runner.monitoring.pulse import Pulse

TURN = timedelta(seconds=30)
"""In so much real time a bot that follows a stepped clock comes to where the clock is."""


@dataclass(frozen=True)
class Body:
    """The process of a bot, and what it last said of itself: none where there is none."""

    life: Life | Unknown
    process: Process | None = None
    pulse: Pulse | None = None


def body(house: House, member: Member, environment: Environment) -> Body:
    """Whether a bot lives, and how."""
    if member.bot.phase in (Phase.FAILED, Phase.ABSENT):
        return Body("dead")
    try:
        holder = house.lock(*member.bot.seat).holder()
    except CannotTell:
        return Body("starts")
    found = machine.process(holder.pid) if holder else None
    if holder is None or found is None or found.is_dead:
        return Body("dead")
    folder = house.home / environment.folder(member.bot.strategy, member.bot.berth)
    said = pulse.read(folder / pulse.FILE)
    if said is not None and said.pid != holder.pid:
        # That was the one before.
        said = None
    if found.is_stopped:
        return Body("stopped", found, said)
    starts = member.bot.phase in (Phase.STARTING, Phase.VERIFYING)
    return Body("starts" if starts else "works", found, said)


@dataclass
class Accounts:
    """What the last good look at each account said, and when that was."""

    _good: dict[Key, tuple[Looked, datetime]] = field(default_factory=dict)
    _last: dict[Key, Looked] = field(default_factory=dict)

    def saw(self, looked: Iterable[Looked], now: datetime) -> None:
        """Remember the looks of a round."""
        self._last = {each.account.key: each for each in looked}
        self._good = {key: good for key, good in self._good.items() if key in self._last}
        self._good |= {key: (e, now) for key, e in self._last.items() if not e.trouble}

    def of(self, member: Member) -> tuple[Looked | None, datetime | None, str]:
        """The last good look at a bot's account, when that was, and what is wrong with it now."""
        for key, last in self._last.items():
            seats = {trader.seat for trader in last.account.traders}
            if key[0] == member.bot.environment and member.bot.seat[1] in seats:
                good, at = self._good.get(key, (None, None))
                wrong = is_of_the_key(last.trouble) or last.late
                return good, at, last.trouble if wrong else ""
        return None, None, ""


def signs(
    member: Member, lives: Body, accounts: Accounts, noted: Noted | None, now: datetime
) -> Signs:
    """All of it. `now` is the time by the bot's own clock."""
    said = lives.pulse
    silent = Unknown("it has said nothing of itself yet")
    live = member.record.placed.live
    return Signs(
        life=lives.life,
        phase=member.bot.phase.value,
        turned=_turned(said, now) if said else silent,
        candles=_candles(said, now) if said else silent,
        private=_private(member, said, accounts, now) if live else None,
        stops=_stops(member, accounts) if live else None,
        blind=Unknown("its limits were not measured in this round") if not noted else noted.blind,
    )


def _turned(said: Pulse, now: datetime) -> float | Unknown:
    if said.turned is None:
        return Unknown("it has not come to the end of a turn yet")
    return (now - said.turned).total_seconds()


def _candles(said: Pulse, now: datetime) -> Candles | Unknown:
    if said.candle is None:
        return Unknown("no candle was analysed yet")
    return Candles((now - said.candle).total_seconds(), said.pair, said.timeframe)


def _private(
    member: Member, said: Pulse | None, accounts: Accounts, now: datetime
) -> Private | Unknown:
    """By its own calls; while nothing is open it makes few, and a look at its account says as much.

    The agent looks with the same key, from the same machine.
    """
    _, looked, trouble = accounts.of(member)
    if said is None:
        return Unknown("it has said nothing of itself yet")
    calls = [] if said.private is None else [said.private]
    error = said.private_error
    if not member.bot.has_trades:
        calls += [] if looked is None else [looked]
        later = looked is not None and said.private_failed is not None
        if later and looked > said.private_failed:  # type: ignore[operator]
            error = ""
    if not calls:
        return Private(Unknown("no private call has succeeded yet"), error or trouble)
    return Private((now - max(calls)).total_seconds(), error or trouble)


def _stops(member: Member, accounts: Accounts) -> tuple[str, ...] | Unknown | None:
    looked, _, trouble = accounts.of(member)
    if member.owner is not None and not member.owner.environment.stoploss_on_exchange:
        return None
    if looked is None or trouble:
        return Unknown(trouble or "its account was not looked at yet")
    mine = member.bot.key
    return tuple(
        str(each)
        for each in looked.sure
        if isinstance(each, MissingStop) and (each.environment, each.strategy) == mine
    )
