"""Protections from outside: every round each bot is measured, and what it trips is acted upon.

A bot is measured by its own database, by what it wrote down of its orders, and by the market's
prices: none of it needs the bot to be alive. What is remembered lies in the home.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pipelines import documents
from pipelines.domain.deployment import Phase
from pipelines.domain.entry import Entry, Flattened, Halted, Resumed, Tripped
from pipelines.domain.environment import Environment
from pipelines.domain.limits import Protections
from pipelines.domain.protections import (
    Lifted,
    Measure,
    Measured,
    News,
    Unknown,
    ends_by_itself,
    news,
    standing,
)
from pipelines.domain.record import Record
from pipelines.domain.watch import Watch, continued
from pipelines.domain.worth import (
    Exposure,
    Kept,
    Prices,
    divergence,
    equity,
    exposure,
    priced,
    together,
)
from runner.agent.about import Key
from runner.agent.alerts import Alerts, Severity, alert_of
from runner.agent.crew import Crew
from runner.agent.kept import Tally, sheet, tally
from runner.agent.muster import Member
from runner.agent.quotes import (
    Market,
    Quotes,
    market_of,
    reference_of,
    reference_settings,
    settings_of,
)
from runner.agent.stopping import pairs_of
from runner.monitoring.noted import Noted

AT_WORK = (Phase.RUNNING, Phase.HALTED)
BY = "agent"
_HOUR = timedelta(hours=1)
_OWNER_ONLY = 0o600


@dataclass(frozen=True)
class _Seen:
    """One bot at a round: its watch, what it keeps, what it counted, and the pairs that it trades.

    Both count since an hour ago, or since somebody said go on.
    """

    member: Member
    environment: Environment
    watch: Watch
    kept: Kept | Unknown
    tally: Tally | Unknown
    pairs: frozenset[str]

    @property
    def key(self) -> Key:
        return self.member.bot.key

    @property
    def seat(self) -> Key:
        return self.member.bot.seat

    @property
    def futures(self) -> bool:
        return not self.member.record.placed.shares_account

    @property
    def market(self) -> Market:
        return market_of(self.environment, futures=self.futures)

    @property
    def open_trades(self) -> Measure:
        return self.kept if isinstance(self.kept, Unknown) else Decimal(len(self.kept.open))

    def counted(self, kept: str, told: str) -> Measure:
        """What was counted: in its database and by itself, whichever is more."""
        if isinstance(self.tally, Unknown):
            return self.tally
        if isinstance(self.kept, Unknown):
            return self.kept
        of_database = getattr(self.kept, kept) if kept else 0
        return Decimal(max(of_database, getattr(self.tally, told)))


@dataclass
class Guard:
    """Measures bots and says what follows."""

    crew: Crew
    alerts: Alerts
    quotes: Quotes = field(init=False)
    noted: dict[Key, Noted] = field(default_factory=dict)
    _watches: dict[Key, Watch] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.quotes = Quotes(self.crew.rehearsal)

    def look(
        self,
        record: Record,
        members: Mapping[Key, Member],
        environments: Mapping[str, Environment],
        now: datetime,
    ) -> Iterator[tuple[Entry, ...]]:
        """What to write down, what belongs together at once.

        A trip counts as told only when the next is asked for: whoever dies before that tells it
        again.
        """
        seen = [
            self._seen(record, member, environments[key[0]], now)
            for key, member in members.items()
            if key[0] in environments
        ]
        self._ask(seen)
        noted: dict[Key, Noted] = {}
        exposed = {each.seat: exposure(each.kept, self.quotes.of(each.market)) for each in seen}
        for each in seen:
            limits = _limits(each.environment, environments.values())
            measured, watch = self._measured(each, seen, exposed, now)
            fresh, watch = news(limits, measured, watch, now)
            left = standing(limits, watch)
            entries = [e for item in fresh for e in _entries(each.key, item, left, record, now)]
            if entries:
                yield tuple(entries)
            for item in fresh:
                self._tell(each.key, item, now)
            self._keep(each.seat, watch)
            noted[each.seat] = Noted.of(measured, watch, exposed[each.seat], each.tally)
        self.noted = noted

    def _seen(
        self, record: Record, member: Member, environment: Environment, now: datetime
    ) -> _Seen:
        key, promotion = member.bot.key, member.record.promotion
        berth = member.bot.strategy, member.bot.berth
        capital = environment.portfolio.capital * promotion.stake / 100
        resumed = record.resumed(*key), capital, now, record.resumes(*key)
        watch = continued(self._kept(member.bot.seat), promotion.at, *resumed)
        since = max(watch.since, now - _HOUR)
        found = sheet(member.database, watch.promoted, since)
        kept = found if isinstance(found, Unknown) else found.kept
        counted = tally(self.crew.house.home / environment.folder(*berth), since)
        if isinstance(counted, Unknown) and member.bot.phase not in AT_WORK:
            # It has sent nothing before it was let.
            counted = Tally()
        pairs = pairs_of(self.crew.house, member.record.promotion)
        return _Seen(member, environment, watch, kept, counted, pairs)

    def _ask(self, seen: Iterable[_Seen]) -> None:
        """Let every exchange tell the prices that are needed of it."""
        wanted: dict[Market, set[str]] = defaultdict(set)
        settings: dict[Market, Mapping[str, Any]] = {}
        for each in seen:
            reference = each.environment.protections.reference
            kept = Kept() if isinstance(each.kept, Unknown) else each.kept
            settings[each.market] = settings_of(each.environment, self.crew.rehearsal)
            wanted[each.market] |= priced(kept) | (each.pairs if reference else frozenset())
            if reference:
                market = reference_of(reference, futures=each.futures)
                settings[market] = reference_settings(reference)
                wanted[market] |= each.pairs
        self.quotes.ask(wanted, settings)

    def _measured(
        self,
        own: _Seen,
        every: Iterable[_Seen],
        exposed: Mapping[Key, Exposure | Unknown],
        now: datetime,
    ) -> tuple[Measured, Watch]:
        prices, watch = self.quotes.of(own.market), own.watch
        worth = equity(watch.capital, own.kept, prices)
        if not isinstance(worth, Unknown):
            watch = watch.at(worth, now)
        mode = own.environment.mode
        beside = [each for each in every if each.environment.mode == mode]
        here = together(exposed[e.seat] for e in beside if e.key[0] == own.key[0])
        host = together(exposed[each.seat] for each in beside)
        measured = Measured(
            drawdown=worth if isinstance(worth, Unknown) else watch.drawdown(worth),
            daily_loss=worth if isinstance(worth, Unknown) else watch.daily_loss(worth),
            orders=own.counted("orders", "sent"),
            cancelled=own.counted("cancelled", "cancelled"),
            rejected=own.counted("", "rejected"),
            open_trades=own.open_trades,
            asset_exposure=here if isinstance(here, Unknown) else here.largest,
            exposure=here if isinstance(here, Unknown) else here.whole,
            host_exposure=host if isinstance(host, Unknown) else host.whole,
            divergence=self._divergence(own, prices),
        )
        return measured, watch

    def _divergence(self, own: _Seen, prices: Prices) -> Measure:
        reference = own.environment.protections.reference
        if reference is None:
            return Unknown("no reference is named")
        theirs = self.quotes.of(reference_of(reference, futures=own.futures))
        return divergence(own.pairs, prices, theirs)

    def _tell(self, key: Key, item: News, now: datetime) -> None:
        if isinstance(item, Lifted):
            self.alerts.over(*key)
            return
        severity: Severity = "warning" if item.then == "warn" else "money"
        follows = {"warn": "", "halt": ": no more entries", "flatten": ": everything is sold"}
        text = f"{item.text}{follows[item.then]}"
        self.alerts.raise_(alert_of(severity, key, text, now, "protection"))

    def _kept(self, key: Key) -> Watch | None:
        if key not in self._watches and (path := self._path(key)).exists():
            try:
                self._watches[key] = Watch.model_validate_json(path.read_bytes())
            except (OSError, ValidationError):
                # What cannot be read is begun anew, with the declared capital as its peak.
                return None
        return self._watches.get(key)

    def _keep(self, key: Key, watch: Watch) -> None:
        if self._watches.get(key) == watch:
            return
        self._watches[key] = watch
        self._path(key).parent.mkdir(exist_ok=True)
        documents.write(self._path(key), watch.model_dump_json() + "\n", _OWNER_ONLY)

    def _path(self, key: Key) -> Path:
        return self.crew.house.home / "guard" / f"{key[0]}.{key[1]}.json"


def _limits(own: Environment, every: Iterable[Environment]) -> Protections:
    """An environment's limits: of those over the whole host the strictest counts for all."""
    host = [e.protections.max_host_exposure for e in every if e.mode == own.mode]
    declared = [limit for limit in host if limit is not None]
    strictest = min(declared, key=lambda limit: limit.limit, default=None)
    return own.protections.model_copy(update={"max_host_exposure": strictest})


def _entries(
    key: Key, item: News, left: tuple[str, ...], record: Record, now: datetime
) -> Iterator[Entry]:
    """What stands in the ledger of it; a first doubt about a limit is only told.

    `left` is what still halts when something has ended by itself: that goes on in its place.
    """
    halt = record.track(*key).halt
    if isinstance(item, Lifted):
        mine = halt is not None and halt.limit == item.limit
        if mine and left:
            yield Halted(**_by(key, now), reason=f"{left[0]} is not over", limit=left[0])
        elif mine:
            yield Resumed(**_by(key, now), reason=f"{item.limit} is over", lifts=item.limit)
        return
    if item.then == "warn" and ends_by_itself(item.limit):
        return
    actual = None if isinstance(item.actual, Unknown) else item.actual
    told: dict[str, Any] = {"limit": item.limit, "allowed": item.allowed, "actual": actual}
    yield Tripped(**_by(key, now), reason=item.text, then=item.then, **told)
    if item.then == "flatten":
        yield Flattened(**_by(key, now), reason=item.text, limit=item.limit)
    elif item.then == "halt" and (halt is None or not ends_by_itself(item.limit)):
        # What ends by itself never takes the place of a halt that somebody has to end.
        yield Halted(**_by(key, now), reason=item.text, limit=item.limit)


def _by(key: Key, now: datetime) -> dict[str, Any]:
    return {"environment": key[0], "strategy": key[1], "by": BY, "at": now}
