"""A plan: from what is wanted and what is there to what is done about the difference."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pipelines.domain.decision import Escalate, RollBack
from pipelines.domain.deployment import (
    MOST_FAILURES,
    Action,
    Adopt,
    Bot,
    Close,
    Drain,
    Halt,
    Obstacle,
    Phase,
    Refuse,
    Restart,
    Resume,
    Settings,
    Start,
    Stop,
    Verify,
    Wanted,
)
from pipelines.domain.handover import FIRST, SECOND, Way

_FIRST_WAIT = timedelta(seconds=10)
_LONGEST_WAIT = timedelta(minutes=10)

_GONE = (Phase.FAILED, Phase.ABSENT)
_UNREAD = (Phase.STARTING, Phase.VERIFYING)
_QUIET = (*_GONE, Phase.DRAINING, Phase.HALTED, Phase.PAUSED)
"""Phases in which a bot opens no trades: it can be ended without losing an entry on its way."""

Key = tuple[str, str]


def plan(
    wanted: Iterable[Wanted], bots: Iterable[Bot], now: datetime, *, has_lease: bool
) -> tuple[Action, ...]:
    """What to do, in this order. Carried out, it leaves nothing but what is refused or waits."""
    by_key = {each.key: each for each in wanted}
    work = _Work(now, has_lease)
    staying: dict[Key, Bot] = {}
    leaving: list[Bot] = []
    # Of two bots of one release the one with trades stays.
    for bot in sorted(bots, key=lambda bot: (bot.key, not bot.has_trades, bot.berth)):
        mine = by_key.get(bot.key)
        if mine and bot.is_of(mine) and bot.key not in staying:
            staying[bot.key] = bot
        else:
            leaving.append(bot)
    for bot in leaving:
        alone = bot.key not in staying and sum(b.key == bot.key for b in _held(leaving)) == 1
        work.leave(bot, by_key.get(bot.key) if alone else None, replaced=bot.key in staying)
    for key, bot in staying.items():
        if bot.phase is not Phase.ABSENT:
            work.keep(by_key[key], bot)
    for key, each in by_key.items():
        there = staying.get(key)
        if there is None:
            work.enter(each, [bot for bot in _held(leaving) if bot.key == key])
        elif there.phase is Phase.ABSENT:
            work.start(each, there.berth)
    return tuple(work.actions)


def _held(bots: Iterable[Bot]) -> list[Bot]:
    return [bot for bot in bots if bot.has_trades]


@dataclass
class _Work:
    """A plan in the making. `adopted` are bots whose place is taken, trades and all."""

    now: datetime
    has_lease: bool
    actions: list[Action] = field(default_factory=list)
    adopted: set[Key] = field(default_factory=set)
    accounts: list[Settings] = field(default_factory=list)

    def leave(self, bot: Bot, successor: Wanted | None, *, replaced: bool) -> None:
        """One that has to go. `successor` could have its trades, `replaced` it is already."""
        if not bot.has_trades:
            self.actions.append(Stop(bot))
            return
        if successor and self._adopt(bot, successor):
            return
        self.accounts.append(bot.settings)
        self._drain(bot, "another release takes its place" if successor else "it is not wanted")
        waits_beside = successor and _beside(bot, successor)
        if not replaced and not waits_beside:
            self._refuse_over_trades(bot, adopts=successor is not None)

    def keep(self, wanted: Wanted, bot: Bot) -> None:
        self.accounts.append(bot.settings)
        halted = wanted.halted or (wanted.settings.live and not self.has_lease)
        worn = bot.phase is Phase.FAILED and bot.failures > MOST_FAILURES
        # One that never was verified is no good; one that was may only miss its exchange.
        if bot.mismatch or (worn and not (bot.has_trades and wanted.verified)):
            self._give_up(wanted, bot)
        elif bot.phase is Phase.FAILED:
            self._restart(bot, halted=halted)
        elif bot.phase in (*_UNREAD, Phase.PAUSED, Phase.DRAINING) or not wanted.verified:
            self.actions.append(Verify(*bot.key, halted, bot.berth))
        elif halted and bot.phase is Phase.RUNNING:
            reason = "it was asked" if wanted.halted else Obstacle.NO_LEASE.value
            self.actions.append(Halt(bot, reason))
        elif not halted and bot.phase is Phase.HALTED:
            self.actions.append(Resume(bot))

    def enter(self, wanted: Wanted, held: list[Bot]) -> None:
        """One that is not there; `held` are others of its key that have trades."""
        if not held:
            self.start(wanted, FIRST)
        elif len(held) == 1 and held[0].seat not in self.adopted and _beside(held[0], wanted):
            self.start(wanted, _other(held[0].berth))

    def start(self, wanted: Wanted, berth: int) -> None:
        mine = wanted.at(berth)
        assert mine is not None
        if mine.live and not self.has_lease:
            self._refuse(wanted.key, Obstacle.NO_LEASE)
        elif any(_collide(mine, other) for other in self.accounts):
            self._refuse(wanted.key, Obstacle.ACCOUNT_TAKEN)
        else:
            self.accounts.append(mine)
            verify = Verify(*wanted.key, wanted.halted, berth)
            self.actions += [Start(wanted, berth), verify]

    def _adopt(self, bot: Bot, wanted: Wanted) -> bool:
        mine = wanted.at(bot.berth)
        meant = bot.farewell.adopts(self.now) or not _can_drain(bot)
        if not meant or mine is None or bot.open_trades is None or bot.farewell.objections:
            return False
        if (mine.live and not self.has_lease) or bot.phase not in _QUIET:
            return False
        self.adopted.add(bot.seat)
        self.accounts.append(mine)
        self.actions += [Adopt(bot, wanted), Verify(*wanted.key, wanted.halted, bot.berth)]
        return True

    def _drain(self, bot: Bot, reason: str) -> None:
        if bot.phase in _GONE:
            # Somebody has to look after its trades. The same release again is no deployment.
            if bot.digest:
                self._restart(bot, halted=False, drains=True)
        elif bot.phase in _UNREAD and not bot.mismatch:
            self.actions.append(Verify(*bot.key, False, bot.berth, drains=True))
        else:
            if bot.phase is not Phase.DRAINING:
                self.actions.append(Drain(bot, reason))
            if bot.open_trades and bot.farewell.closes(self.now):
                self.actions.append(Close(bot))

    def _give_up(self, wanted: Wanted, bot: Bot) -> None:
        reason = bot.mismatch or f"it ended by itself {bot.failures} times"
        back = wanted.way_back
        reasons = (reason, *back.reasons)
        # Written down first: killed in between, the agent goes on from the decision.
        if isinstance(back, RollBack):
            self.actions.append(RollBack(back.environment, back.strategy, back.to, reasons))
        else:
            self.actions.append(Escalate(back.environment, back.strategy, reasons))
        if bot.has_trades:
            self._drain(bot, reason)
        else:
            self.actions.append(Stop(bot))

    def _restart(self, bot: Bot, *, halted: bool, drains: bool = False) -> None:
        waited = self.now - bot.since
        # A clock that went back makes nobody wait for ever.
        if bot.phase is Phase.FAILED and timedelta() <= waited < back_off(bot.failures):
            return
        if bot.settings.live and not self.has_lease:
            self._refuse(bot.key, Obstacle.NO_LEASE)
        else:
            verify = Verify(*bot.key, halted, bot.berth, drains)
            self.actions += [Restart(bot, drains), verify]

    def _refuse_over_trades(self, bot: Bot, *, adopts: bool) -> None:
        against = tuple(str(each) for each in bot.farewell.objections)
        if bot.open_trades is None:
            self._refuse(bot.key, Obstacle.UNKNOWN_TRADES)
        elif not _can_drain(bot):
            self._refuse(bot.key, Obstacle.LEFT_ALONE, against)
        elif adopts and against and bot.farewell.adopts(self.now):
            self._refuse(bot.key, Obstacle.OBJECTIONS, against)
        else:
            late = ("its time to drain is over",) if bot.farewell.is_over(self.now) else ()
            self._refuse(bot.key, Obstacle.OPEN_TRADES, late)

    def _refuse(self, key: Key, obstacle: Obstacle, reasons: tuple[str, ...] = ()) -> None:
        self.actions.append(Refuse(*key, obstacle, reasons))


def back_off(failures: int) -> timedelta:
    """How long to wait before a bot that ended so often in a row is started again."""
    doubled = _FIRST_WAIT * (1 << min(max(failures - 1, 0), 16))
    return min(doubled, _LONGEST_WAIT)


def _can_drain(bot: Bot) -> bool:
    """False when nobody knows which release it is, or that one does not stay alive."""
    return bool(bot.digest) and not (bot.phase is Phase.FAILED and bot.failures > MOST_FAILURES)


def _beside(bot: Bot, wanted: Wanted) -> bool:
    """True when the next release starts while this bot still drains."""
    means = bot.farewell.way is Way.SIDE_BY_SIDE and bot.open_trades is not None
    return means and wanted.at(_other(bot.berth)) is not None


def _other(berth: int) -> int:
    return SECOND if berth == FIRST else FIRST


def _collide(one: Settings, other: Settings) -> bool:
    shared = one.shares_account and other.shares_account
    return one.account is not None and one.account == other.account and not shared
