"""What is told without being asked for, and pictures."""

import asyncio
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pipelines.adapters.agent_trades import News, ReleaseTrades, Standing, Sum, Waiting
from pipelines.adapters.redaction import Redactor
from pipelines.domain.telegram import Telegram
from runner.telegram import pictures
from runner.telegram.asking import Asking
from runner.telegram.journal import Journal
from runner.telegram.routine import Routine

CHAT = 7
NOW = datetime(2026, 11, 22, 7, 59, tzinfo=UTC)
RELEASE = "beat@1.4.0+3f9c2a1b"


def traded(*profits: float, release: str | None = RELEASE, capital: int = 1000) -> ReleaseTrades:
    """A release that closed a trade on each day up to yesterday."""
    first = NOW.date() - timedelta(days=len(profits))
    days = tuple(
        Sum(of=(first + timedelta(days=n)).isoformat(), closed=1, won=0, profit=Decimal(str(each)))
        for n, each in enumerate(profits)
    )
    whole = Sum(of="", closed=len(days), won=0, profit=Decimal())
    return ReleaseTrades(
        environment="prod", mode="live", strategy="beat", release=release, currency="USDT",
        capital=Decimal(capital), whole=whole, days=days,
    )  # fmt: skip


@dataclass(frozen=True)
class Told(Asking):
    """An agent that tells what it is told to: what it really tells is tested beside it."""

    news: list[News] = field(default_factory=list)
    releases: tuple[ReleaseTrades, ...] = ()

    def ask(self, verb: str, args: Any = None) -> Any:
        if verb == "news":
            return self.news[-1].model_dump(mode="json")
        if verb == "trades":
            return {"releases": [each.model_dump(mode="json") for each in self.releases]}
        bot = {"name": "beat", "desired": RELEASE, "running": RELEASE, "verified": True,
               "phase": "running", "healthy": True, "open_trades": 0, "equity": "1", "since": None,
               "decision": ""}  # fmt: skip
        prod = {"name": "prod", "mode": "live", "hold": False, "halted": False}
        return {"environments": [{**prod, "strategies": [bot]}]}


@dataclass
class Day:
    """A routine in a time of its own."""

    folder: Path
    told: Told
    now: datetime = NOW

    def __post_init__(self) -> None:
        self.journal = Journal(self.folder / "telegram.sqlite")
        self.settings = Telegram(chats=(CHAT,), users={"ann": 1}, digest="08:00")

    def round(self) -> list[str]:
        """What it puts on its way."""
        routine = Routine(self.journal, self.settings, self.told, Redactor(), lambda: self.now)
        asyncio.run(routine.round())
        said = []
        while (letter := self.journal.next(CHAT)) is not None:
            assert (letter.picture is not None) == ("drawdown" in letter.text)
            said.append(letter.text)
            self.journal.mark(letter, "sent")
        return said


@pytest.fixture
def day(tmp_path: Path) -> Iterator[Day]:
    there = Day(
        tmp_path, Told(tmp_path, news=[News(wanted=(), waiting=())], releases=(traded(5, -3),))
    )
    yield there
    there.journal.close()


def test_each_day_is_summed_up_once_with_pictures(day: Day) -> None:
    assert day.round() == [], "the first one is that of the next time"
    day.now += timedelta(minutes=2)
    text, picture = day.round()
    assert "<b>Saturday, 21 November</b>" in text
    assert "1 of 1 bots well" in text
    assert "-3.00" in text
    assert "equity and drawdown" in picture
    assert day.round() == []
    day.now += timedelta(hours=23)
    assert day.round() == []
    day.now += timedelta(hours=1)
    assert "Sunday, 22 November" in day.round()[0]


def test_what_is_wanted_and_runs_is_told_once_with_who_asked(day: Day) -> None:
    about: dict[str, Any] = {"environment": "prod", "kind": "promote", "reason": "it soaked"}
    one = Standing(release=RELEASE, by="ann", at=NOW, verified=False, **about)
    other = Standing(release="other@1.0.0+00000000", by="bob", at=NOW, verified=True, **about)
    day.told.news.append(News(wanted=(other,), waiting=()))
    assert day.round() == [], "what stood there before is no news"
    day.told.news.append(News(wanted=(other, one), waiting=()))
    (said,) = day.round()
    assert f"{RELEASE} is wanted, by ann: it soaked" in said
    verified = one.model_copy(update={"verified": True})
    day.told.news.append(News(wanted=(other, verified), waiting=()))
    (said,) = day.round()
    assert f"{RELEASE} runs, and was read back" in said
    assert day.round() == []


def test_a_release_that_waits_is_told_once_and_again_when_people_agreed(day: Day) -> None:
    waits = Waiting(environment="prod", release=RELEASE, digest="0" * 64, missing=("2 signatures",))
    day.told.news.append(News(wanted=(), waiting=(waits,)))
    (said,) = day.round()
    assert "2 signatures" in said
    assert f"sluice approve {RELEASE} prod" in said
    assert "/promote" not in said, "a tap never counts as a signature"
    assert day.round() == []
    day.told.news.append(News(wanted=(), waiting=(waits.model_copy(update={"missing": ()}),)))
    (said,) = day.round()
    assert "<code>/promote beat prod</code>" in said


def test_a_picture_is_a_png_for_a_phone() -> None:
    curve = pictures.curve(traded(*range(-20, 30)))
    assert curve is not None
    shown = Image.open(io.BytesIO(pictures.picture(curve)))
    assert (shown.format, shown.size) == ("PNG", (720, 560))
    colours = {colour for _, colour in shown.convert("RGB").getcolors(1 << 20)}
    assert {(10, 127, 90), (194, 55, 46)} <= colours, "both curves are there"
    assert shown.info == {}, "nothing is written beside what is seen"


def test_a_release_that_closed_nothing_has_no_picture() -> None:
    assert pictures.curve(traded()) is None


@given(st.lists(st.integers(-150, 200), min_size=1, max_size=40))
def test_drawdown_is_what_is_lacking_to_the_highest_so_far(profits: list[int]) -> None:
    curve = pictures.curve(traded(*profits, capital=100_000))
    assert curve is not None
    assert curve.equity[-1] == 100_000 + sum(profits)
    assert len(curve.equity) == len(curve.days) == len(profits) + 1
    for n, fall in enumerate(curve.drawdown):
        assert fall == curve.equity[n] / max(curve.equity[: n + 1]) - 1 <= 0
    assert curve.days[0] < curve.days[1] < date(2026, 11, 23)
