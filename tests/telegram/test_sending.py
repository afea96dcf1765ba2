"""Messages on their way over real HTTP, and everything that Telegram may do to them."""

import asyncio
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipelines.adapters.alerts import Alert, Severity
from pipelines.adapters.redaction import Redactor
from pipelines.domain.secret import Secret
from pipelines.domain.telegram import Quiet, Telegram
from runner.agent.alerts import Alerts
from runner.telegram.connecting import connected
from runner.telegram.feed import Feed
from runner.telegram.journal import Journal
from runner.telegram.sender import Sender
from tests.telegram.bot_api import ANN, CHAT, OTHER_CHAT, BotApi

PATIENCE = 20.0
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@dataclass
class Sending:
    """Feed and senders of a home, in this process and in a time of its own."""

    api: BotApi
    home: Path
    chats: tuple[int, ...] = (CHAT,)
    more: dict[str, Any] = field(default_factory=dict)
    now: datetime = NOON
    complaints: list[str] = field(default_factory=list)
    answer_seconds: float = 20.0
    url: str = ""
    begun: bool = True

    def __post_init__(self) -> None:
        self.alerts = Alerts(self.home / "alerts.jsonl")
        self.journal = Journal(self.home / "telegram.sqlite")
        given = {"chats": self.chats, "users": {"ann": ANN}, **self.more}
        self.settings = Telegram(api=self.url or self.api.url, **given)
        if self.begun:
            self.feed.round()

    def raise_(self, text: str, severity: Severity = "warning", **about: str) -> Alert:
        alert = Alert(at=self.now, severity=severity, text=text, **about)  # type: ignore[arg-type]
        self.alerts.raise_(alert)
        return alert

    @property
    def feed(self) -> Feed:
        source, hidden = self.home / "alerts.jsonl", Redactor()
        return Feed(source, self.journal, self.settings, hidden, lambda: self.now)

    def until(self, is_so: Callable[[], Any]) -> None:
        """Feed and send until something is so."""
        asyncio.run(self._until(is_so))

    def settle(self) -> None:
        """Until nothing is on its way and nothing waits."""
        self.until(lambda: not self.journal.unsaid() and not self._waiting())

    def _waiting(self) -> bool:
        return any(self.journal.next(chat) for chat in self.chats)

    async def _until(self, is_so: Callable[[], Any]) -> None:
        bot = connected(self.settings, Secret(self.api.token), self.answer_seconds)
        complain = self.complaints.append
        senders = [
            Sender(bot, self.journal, chat, complain, lambda: None, faster=100.0)
            for chat in self.chats
        ]
        await bot._request[1].initialize()
        until = time.monotonic() + PATIENCE

        async def send(sender: Sender) -> None:
            while True:
                await asyncio.sleep(await sender.once())

        sending = [asyncio.ensure_future(send(each)) for each in senders]
        try:
            self.feed.round()
            while not is_so():
                assert time.monotonic() < until, self.api.said()
                for each in sending:
                    assert not each.done(), each.exception()
                await asyncio.sleep(0.01)
                self.feed.round()
        finally:
            for each in sending:
                each.cancel()
            await asyncio.gather(*sending, return_exceptions=True)
            await asyncio.gather(*(request.shutdown() for request in bot._request))


@pytest.fixture
def sending(api: BotApi, tmp_path: Path) -> Iterator[Sending]:
    there = Sending(api, tmp_path)
    yield there
    there.journal.close()


def numbers(texts: list[str]) -> list[int]:
    """The numbers that messages carry."""
    return [int(found) for text in texts for found in re.findall(r"#m(\d+)", text)]


def test_an_alert_says_what_where_and_when_and_how_bad(sending: Sending) -> None:
    alert = sending.raise_("its stop is <gone> & missing", "money", kind="stop", environment="prod",
                           strategy="trend")  # fmt: skip
    sending.settle()
    (said,) = sending.api.said()
    assert said == (
        "🔴 <b>prod trend</b> · stop\nits stop is &lt;gone&gt; &amp; missing\n"
        f"<i>22 Nov 12:00 · {alert.id}</i>\n#m1"
    )
    assert sending.api.buttons() == [("✓ I know", "ack:1")]


def test_a_flood_becomes_few_messages_and_none_is_lost(sending: Sending) -> None:
    texts = [f"bot {number} does not answer any more, since its exchange is gone"
             for number in range(500)]  # fmt: skip
    for text in texts:
        sending.raise_(text)
    sending.settle()
    said = sending.api.said()
    assert len(said) <= 15
    assert all(len(re.sub("<[^>]*>", "", each)) <= 4096 for each in said)
    lines = [line for each in said for line in each.splitlines()]
    told = [line.rpartition("</b> ")[2] for line in lines if "does not answer" in line]
    assert told == texts, "all of them, in their order"


def test_what_is_raised_while_a_message_is_under_way_comes_together(sending: Sending) -> None:
    for number in range(7):
        sending.raise_(f"number {number}")
        sending.feed.round()
    sending.settle()
    first, rest = sending.api.said()
    assert "number 0" in first
    assert [f"number {number}" in rest for number in range(7)] == [False] + [True] * 6


def test_it_waits_as_long_as_telegram_asks(sending: Sending) -> None:
    sending.api.arm("sendMessage", "429", retry_after=1, times=2)
    sending.raise_("one")
    sending.raise_("two")
    sending.settle()
    assert [call.code for call in sending.api.calls("sendMessage")] == [429, 429, 200, 200]
    assert numbers(sending.api.said()) == [1, 2]
    assert not any("again" in text for text in sending.api.said()), "a 429 was never sent"


@pytest.mark.parametrize("code", [500, 502])
def test_a_server_s_failure_is_tried_again_with_the_same_number(
    sending: Sending, code: int
) -> None:
    sending.api.refuse("sendMessage", code, "Internal Server Error", times=3)
    sending.raise_("one")
    sending.settle()
    (said,) = sending.api.said()
    assert "sent again: it may have arrived before" in said
    assert numbers([said]) == [1]


def test_an_answer_that_was_lost_is_sent_again_with_the_same_number(sending: Sending) -> None:
    sending.api.arm("sendMessage", "lost")
    sending.raise_("one")
    sending.raise_("two")
    sending.settle()
    first, again, last = sending.api.said()
    assert numbers([first, again, last]) == [1, 1, 2], "in order, at least once"
    assert "again" in again
    assert "again" not in first + last


def test_one_that_is_slow_is_not_waited_for_for_ever(api: BotApi, tmp_path: Path) -> None:
    sending = Sending(api, tmp_path, answer_seconds=0.3)
    api.arm("sendMessage", "slow", seconds=0.8)
    sending.raise_("one")
    sending.settle()
    said = api.said()
    assert numbers(said)[-1] == 1
    assert "again" in said[0] or "again" in said[-1]


def test_a_message_that_is_too_long_arrives_in_parts(sending: Sending) -> None:
    sending.journal.say([CHAT], "<b>long</b>\n" + "x & y\n" * 900, NOON, asks=True)
    sending.journal.say([CHAT], "after it", NOON)
    sending.settle()
    *parts, last = sending.api.said()
    assert sum(part.count("x &amp; y") for part in parts) == 900
    assert last.startswith("after it"), "what follows it follows it still"
    assert any("too long" in each for each in sending.complaints)


def test_what_telegram_takes_in_no_form_stops_nothing(sending: Sending) -> None:
    sending.api.refuse("sendMessage", 400, "Bad Request: no", times=2)
    sending.raise_("one")
    sending.raise_("two")
    sending.settle()
    assert [text for text in sending.api.said() if "two" in text] == sending.api.said()[-1:]
    assert any("could not be sent" in each for each in sending.complaints)


def test_a_chat_that_blocks_the_bot_is_told_elsewhere_and_loses_nothing(
    api: BotApi, tmp_path: Path
) -> None:
    sending = Sending(api, tmp_path, chats=(CHAT, OTHER_CHAT))
    api.refuse("sendMessage", 403, "Forbidden: bot was blocked by the user", times=1)
    sending.raise_("one")
    sending.until(lambda: sending.complaints)
    (complaint,) = sending.complaints
    assert "does not let the bot in" in complaint
    sending.settle()
    assert [len(api.said(chat)) for chat in (CHAT, OTHER_CHAT)] == [1, 1]
    assert not any("again" in text for text in api.said(CHAT) + api.said(OTHER_CHAT))


def test_a_chat_that_is_not_there_is_complained_of_and_waits(api: BotApi, tmp_path: Path) -> None:
    sending = Sending(api, tmp_path, chats=(CHAT, OTHER_CHAT))
    api.forget_chat(OTHER_CHAT)
    for number in range(3):
        sending.raise_(f"number {number}")
        sending.until(lambda count=number: len(api.said()) > count and sending.complaints)
    assert any("Chat not found" in each for each in sending.complaints)
    api.forget_chat()
    sending.settle()
    assert len(api.said(OTHER_CHAT)) == 3


def test_an_hour_offline_during_ten_alerts_loses_none(
    api: BotApi, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sending = Sending(api, tmp_path, url="http://127.0.0.1:9")
    texts = [f"alert {number}" for number in range(10)]
    for text in texts:
        sending.now += timedelta(minutes=6)
        sending.raise_(text)
        tries = len(caplog.records)
        sending.until(lambda before=tries: len(caplog.records) > before)
    assert api.said() == []
    sending.journal.close()
    back = Sending(api, tmp_path, now=sending.now)
    back.settle()
    found = [text for each in api.said() for text in re.findall(r"alert \d+", each)]
    assert found == texts
    assert not any("again" in each for each in api.said()), "nobody can have got it"


@pytest.mark.parametrize(
    ("clock", "severity", "silent"),
    [
        ("23:30", "warning", "true"),
        ("06:59", "notice", "true"),
        ("23:30", "money", "false"),
        ("07:00", "warning", "false"),
    ],
)
def test_quiet_hours_silence_all_but_money(
    api: BotApi, tmp_path: Path, clock: str, severity: Severity, silent: str
) -> None:
    hour, minute = map(int, clock.split(":"))
    # Berlin's November is an hour ahead.
    now = NOON.replace(hour=(hour - 1) % 24, minute=minute)
    quiet = {"quiet": Quiet(since="22:00", until="07:00"), "zone": "Europe/Berlin"}
    sending = Sending(api, tmp_path, more=quiet, now=now)
    sending.raise_("one", severity)
    sending.settle()
    (call,) = api.calls("sendMessage")
    assert call.args.get("disable_notification", "false").lower() == silent


def test_money_is_told_again_until_somebody_acknowledges_it(sending: Sending) -> None:
    one = sending.raise_("a stop is missing", "money", environment="prod")
    sending.raise_("only a warning")
    sending.settle()
    for minutes, count in ((14, 0), (2, 1), (14, 1), (2, 2)):
        sending.now += timedelta(minutes=minutes)
        sending.settle()
        repeated = [text for text in sending.api.said() if "still nobody" in text]
        assert len(repeated) == count
    assert "a stop is missing" in repeated[-1]
    assert "only a warning" not in repeated[-1]
    sending.journal.acknowledge([one.id], "ann")
    sending.now += timedelta(hours=2)
    sending.settle()
    assert len([text for text in sending.api.said() if "still nobody" in text]) == 2


def test_a_first_start_tells_the_last_of_what_was_before(api: BotApi, tmp_path: Path) -> None:
    sending = Sending(api, tmp_path, begun=False)
    for number in range(50):
        sending.raise_(f"old {number};")
    sending.settle()
    told = [text for each in sending.api.said() for text in re.findall(r"old \d+;", each)]
    assert told == [f"old {number};" for number in range(30, 50)]


def test_a_journal_that_was_put_in_its_place_is_read_from_its_end(sending: Sending) -> None:
    sending.raise_("a long alert of the old journal " * 9)
    sending.settle()
    sending.alerts.path.unlink()
    sending.alerts = Alerts(sending.alerts.path)
    sending.raise_("new")
    sending.settle()
    assert "new" in sending.api.said()[-1]


def test_a_line_that_a_full_disk_cut_off_swallows_no_other(sending: Sending) -> None:
    with sending.alerts.path.open("a") as file:
        file.write('{"at":"2022')
    sending.raise_("after it")
    sending.settle()
    assert "after it" in sending.api.said()[-1]
