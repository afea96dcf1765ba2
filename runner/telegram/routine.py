"""What is told without being asked for: a digest each day, and releases that wait for people."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from pipelines.adapters.agent import Status
from pipelines.adapters.agent_trades import News, ReleaseTrades, Standing, Waiting
from pipelines.adapters.redaction import Redactor
from pipelines.domain.telegram import Telegram
from runner.telegram import tables
from runner.telegram.asking import Asking
from runner.telegram.journal import Journal
from runner.telegram.pictures import curve as curve_of
from runner.telegram.pictures import picture
from runner.telegram.wording import said

_PLACE, _BEGUN = "digest", "wanted"
_PICTURES = 4


@dataclass(frozen=True)
class Routine:
    """Each thing is told once, whoever is killed in between."""

    journal: Journal
    settings: Telegram
    asking: Asking
    hidden: Redactor
    now: Callable[[], datetime]

    async def round(self) -> None:
        """Look once.

        :raises SluiceError: when the agent does not answer.
        """
        told = await asyncio.to_thread(self.asking.ask, "news")
        news = News.model_validate(told, strict=False)
        self._wanted(news.wanted)
        for each in news.waiting:
            state = "asks" if each.missing else "open"
            self._say(waiting(each), f"waiting {each.environment} {each.digest} {state}")
        await self._digest()

    def _wanted(self, wanted: Sequence[Standing]) -> None:
        # What stood there before all of this began is no news.
        chats = self.settings.chats if self.journal.place(_BEGUN) else ()
        for each in wanted:
            since = f"{each.environment} {each.release} {each.at.isoformat()}"
            self._say(promoted(each), f"promotion {since}", chats=chats)
            if each.verified:
                self._say(deployed(each), f"deployment {since}", chats=chats)
        self.journal.keep_place(_BEGUN, 1)

    async def _digest(self) -> None:
        if not (due := self.settings.digest_due(self.now())):
            return
        day = date.fromisoformat(due)
        before = self.journal.place(_PLACE)
        if before is not None and before < day.toordinal():
            trades = await asyncio.to_thread(self.asking.trades)
            status = await asyncio.to_thread(self.asking.status)
            pictures = await asyncio.to_thread(drawn, trades)
            open_alerts = len(self.journal.unacknowledged())
            text = digest(day - timedelta(days=1), status, trades, open_alerts)
            self._say(text, f"digest {due}")
            for number, (caption, png) in enumerate(pictures[:_PICTURES]):
                self._say(caption, f"digest {due} {number}", png)
        # The first one is that of the next day: nobody waits for one when all of this begins.
        self.journal.keep_place(_PLACE, day.toordinal())

    def _say(
        self,
        text: str,
        key: str,
        picture: bytes | None = None,
        chats: Sequence[int] | None = None,
    ) -> None:
        chats = self.settings.chats if chats is None else chats
        now = self.now()
        loud = not self.settings.is_quiet(now)
        text = self.hidden.text(text)
        self.journal.say(chats, text, now, loud=loud, key=key, picture=picture)


def promoted(each: Standing) -> str:
    """That a release is wanted, and who asked for it."""
    reason = f": {said(each.reason)}" if each.reason else ""
    head = f"⚪ <b>{said(each.environment)}</b> · {each.kind}"
    return f"{head}\n{said(each.release)} is wanted, by {said(each.by)}{reason}"


def deployed(each: Standing) -> str:
    """That it runs."""
    head = f"⚪ <b>{said(each.environment)}</b> · deployment"
    return f"{head}\n{said(each.release)} runs, and was read back"


def waiting(each: Waiting) -> str:
    """A release that waits, and what to do about it."""
    head = f"🟦 <b>{said(each.release)}</b> waits for {said(each.environment)}"
    if not each.missing:
        strategy = each.release.partition("@")[0]
        command = f"/promote {strategy} {each.environment}"
        return f"{head}\nnothing speaks against it:\n<code>{said(command)}</code>"
    lines = [f"· {said(text)}" for text in each.missing]
    command = f"sluice approve {each.release} {each.environment} --key YOUR_KEY"
    return "\n".join((head, *lines, f"<code>{said(command)}</code>"))


def digest(day: date, told: Status, trades: Sequence[ReleaseTrades], open_alerts: int) -> str:
    """One day: what is well, and what each release earned."""
    every = [each for environment in told.environments for each in environment.strategies]
    well = sum(each.healthy for each in every)
    lines = [f"{well} of {len(every)} bots well"]
    if open_alerts:
        lines.append(f"{open_alerts} alerts not acknowledged")
    for each in trades:
        on = [one for one in each.days if one.of == day.isoformat()]
        earned = sum((one.profit for one in on), Decimal())
        closed = sum(one.closed for one in on)
        if closed or each.open:
            lines.append(tables.named(each))
            opened = f"{len(each.open):>3} open"
            lines.append(f"  {closed:>3} closed{tables.money(earned, signed=True):>12} {opened}")
    return tables.pre(lines, f"{day:%A, %d %B}")


def drawn(trades: Sequence[ReleaseTrades]) -> list[tuple[str, bytes]]:
    """A picture of every release that has closed trades, money before paper."""
    first = sorted(trades, key=lambda one: one.mode != "live")
    curves = (curve for each in first if (curve := curve_of(each)) is not None)
    return [(said(f"{each.title}: equity and drawdown"), picture(each)) for each in curves]
