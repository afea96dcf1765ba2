"""What is remembered of a bot between two looks at its limits, also by the next agent."""

from datetime import date, datetime
from decimal import Decimal

from pydantic import AwareDatetime, Field

from pipelines.domain.document import Document

PLACES = Decimal("0.00000001")

LIFTS = frozenset({"reference"})
"""Limits whose halt ends by itself: while they are exceeded nothing is wrong with the bot."""


class Watch(Document):
    """The marks of one bot. Money is in the stake currency.

    `promoted` is when its release came, `capital` what was declared then; neither changes while it
    stays. `since` is when somebody last said go on, for the `resumes`th time: from there losses and
    counts begin anew. `peak` is the highest equity since then, `opened` that at the start of the
    day (UTC), `last` the last that was seen. `over` is the worst of each limit that is exceeded,
    `told` what was acted upon since then, and `blind` since when a limit could not be evaluated.
    """

    promoted: AwareDatetime
    since: AwareDatetime
    resumes: int = 0
    capital: Decimal = Field(gt=0)
    day: date
    peak: Decimal | None = None
    opened: Decimal | None = None
    last: Decimal | None = None
    over: dict[str, Decimal] = Field(default_factory=dict)
    told: tuple[str, ...] = ()
    blind: dict[str, AwareDatetime] = Field(default_factory=dict)

    def has_told(self, limit: str) -> bool:
        """Whether it was acted upon since somebody last said go on."""
        return limit in self.told

    def telling(self, limit: str) -> "Watch":
        """It is acted upon now."""
        return self._with(told=(*self.told, limit))

    def exceeding(self, limit: str, worst: Decimal) -> "Watch":
        """It is exceeded, by so much at worst."""
        return self._with(over={**self.over, limit: worst})

    def within(self, limit: str, *, forget: bool) -> "Watch":
        """It is no longer exceeded. What nobody has to lift may be forgotten with it."""
        told = tuple(name for name in self.told if name != limit) if forget else self.told
        return self._with(over={k: v for k, v in self.over.items() if k != limit}, told=told)

    def blinded(self, limit: str, now: datetime) -> "Watch":
        """It could not be evaluated."""
        return self._with(blind={**self.blind, limit: now})

    def seeing(self, limit: str) -> "Watch":
        """It can be evaluated; when it could not be before, that is over."""
        told = tuple(name for name in self.told if name != f"{limit}?")
        return self._with(blind={k: v for k, v in self.blind.items() if k != limit}, told=told)

    def at(self, equity: Decimal, now: datetime) -> "Watch":
        """The same with the equity of a moment."""
        today, day, opened = now.date(), self.day, self.opened
        # A loss that nobody watched, over night or for days, is one of today. A clock that went
        # back begins no new day.
        if today > day:
            day, opened = today, self.last
        return self._with(
            peak=max(self.peak, equity) if self.peak is not None else equity,
            day=day,
            opened=opened if opened is not None else equity,
            last=equity,
        )

    def drawdown(self, equity: Decimal) -> Decimal:
        """The fall from the highest equity, as a fraction of the capital."""
        peak = self.peak if self.peak is not None else equity
        return ((max(peak, equity) - equity) / self.capital).quantize(PLACES)

    def daily_loss(self, equity: Decimal) -> Decimal:
        """What was lost since the day began, as a fraction of the capital; a gain is nothing."""
        opened = self.opened if self.opened is not None else equity
        return (max(opened - equity, Decimal()) / self.capital).quantize(PLACES)

    def _with(self, **changed: object) -> "Watch":
        return self.model_copy(update=changed)


def continued(
    before: Watch | None,
    promoted: datetime,
    resumed: datetime | None,
    capital: Decimal,
    now: datetime,
    resumes: int = 0,
) -> Watch:
    """The watch over a release that came at a moment, and that somebody told to go on since.

    A new release begins with the capital that is declared now. Who says go on begins the losses and
    counts anew, and knows what is exceeded: only what gets worse than that trips again. A halt that
    ends by itself cannot be ended by saying so.
    """
    since = max(promoted, resumed) if resumed else promoted
    if before is None or before.promoted != promoted:
        return Watch(
            promoted=promoted,
            since=since,
            resumes=resumes,
            capital=capital,
            day=now.date(),
            peak=capital if since == promoted else None,
            opened=capital if since == promoted else None,
        )
    # Counted, since a clock may stand still, or go back.
    if (before.since, before.resumes) == (since, resumes):
        return before
    known = {limit: worst for limit, worst in before.over.items() if limit not in LIFTS}
    fresh = {
        "since": since,
        "resumes": resumes,
        "peak": None,
        "opened": None,
        "last": None,
        "told": (),
        "over": known,
    }
    return before.model_copy(update=fresh)
