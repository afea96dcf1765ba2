"""Buttons: once, for one user in one chat, for a while; and what each command would ask for."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipelines.adapters.agent import Explained, Said, Status
from pipelines.errors import BadInput
from runner.telegram.asking import Asking
from runner.telegram.buttons import Button, Buttons
from runner.telegram.danger import DANGER, Objection, Wish
from runner.telegram.journal import Journal
from runner.telegram.reading import READING

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
ANN, CHAT = 5, 7
HALT = Button("", ANN, CHAT, "halt", {"environment": "prod"}, "open no more trades: prod")
RELEASE = "beat@1.4.0+3f9c2a1b"


@pytest.fixture
def buttons(tmp_path: Path) -> Iterator[Buttons]:
    journal = Journal(tmp_path / "telegram.sqlite")
    yield Buttons(journal)
    journal.close()


def reopened(buttons: Buttons, tmp_path: Path) -> Buttons:
    buttons.journal.close()
    return Buttons(Journal(tmp_path / "telegram.sqlite"))


def test_a_button_outlives_the_process_and_works_once(buttons: Buttons, tmp_path: Path) -> None:
    token = buttons.offer(HALT, NOW, MINUTE)
    there = reopened(buttons, tmp_path)
    taken = there.take(token, ANN, CHAT, NOW + MINUTE)
    assert isinstance(taken, Button)
    assert (taken.verb, taken.args, taken.about) == ("halt", HALT.args, HALT.about)
    assert "used already" in str(there.take(token, ANN, CHAT, NOW))
    there.journal.close()


@pytest.mark.parametrize(
    ("user", "chat", "seconds", "why"),
    [
        (ANN + 1, CHAT, 0, "somebody else"),
        (ANN, CHAT + 1, 0, "somebody else"),
        (ANN, CHAT, 61, "has expired"),
    ],
)
def test_a_button_is_refused_and_stays_what_it_was(
    buttons: Buttons, user: int, chat: int, seconds: int, why: str
) -> None:
    token = buttons.offer(HALT, NOW, MINUTE)
    refused = buttons.take(token, user, chat, NOW + timedelta(seconds=seconds))
    assert isinstance(refused, str)
    assert why in refused
    assert isinstance(buttons.take(token, ANN, CHAT, NOW), Button)


def test_what_was_interrupted_is_told_once_and_never_done_again(
    buttons: Buttons, tmp_path: Path
) -> None:
    done, cut = (buttons.offer(HALT, NOW, MINUTE) for _ in range(2))
    for token in (done, cut):
        buttons.take(token, ANN, CHAT, NOW)
    buttons.done(done)
    there = reopened(buttons, tmp_path)
    assert [each.token for each in there.interrupted()] == [cut]
    assert there.interrupted() == ()
    assert "used already" in str(there.take(cut, ANN, CHAT, NOW))
    there.journal.close()


def test_no_token_can_be_guessed(buttons: Buttons) -> None:
    tokens = {buttons.offer(HALT, NOW, MINUTE) for _ in range(100)}
    assert len(tokens) == 100
    assert all(len(token) >= 16 for token in tokens)
    assert all(len(f"do:{token}".encode()) <= 64 for token in tokens), "Telegram takes no more"


@dataclass(frozen=True)
class Told(Asking):
    """An agent that tells how everything stands, and what speaks against a release."""

    against: tuple[Said, ...] = ()
    unwell: bool = True

    def ask(self, verb: str, args: Mapping[str, Any] | None = None) -> Any:
        if verb == "explain":
            return Explained(
                release=RELEASE, digest="3" * 64, environment=(args or {})["environment"],
                eligible=not self.against, reasons=self.against, grounds=(), predecessor=None,
                sequence=1, at=NOW,
            ).model_dump(mode="json")  # fmt: skip
        if verb == "health":
            if not self.unwell:
                raise BadInput("there is no verb 'health'")
            since = "2026-11-22T11:58:00Z"
            reason = {"check": "candles", "text": "candles are 12 minutes old", "since": since}
            bot = {"environment": "prod", "strategy": "beat", "healthy": False}
            return {"bots": [{**bot, "reasons": [reason]}]}
        return Status.model_validate(STATUS, strict=False).model_dump(mode="json")


BOT = {
    "name": "beat", "desired": RELEASE, "running": RELEASE, "verified": True, "phase": "running",
    "healthy": False, "open_trades": 1, "equity": "1", "since": None,
    "decision": "the exchange does not answer, and nobody knows since when",
}  # fmt: skip
SANDBOX = {"name": "sandbox", "mode": "live", "hold": False, "halted": False, "strategies": [BOT]}
STATUS = {"environments": [SANDBOX]}


@pytest.mark.parametrize(
    ("text", "verb", "args"),
    [
        ("halt", "halt", {"environment": "*", "strategy": "*"}),
        ("halt prod", "halt", {"environment": "prod", "strategy": "*"}),
        ("resume prod beat", "resume", {"environment": "prod", "strategy": "beat"}),
        ("flatten prod", "flatten", {"environment": "prod", "strategy": "*"}),
        ("rollback prod beat", "rollback", {"environment": "prod", "strategy": "beat"}),
        ("restart prod", "restart", {"environment": "prod", "strategy": "*"}),
        ("forceexit prod beat #12", "forceexit",
         {"environment": "prod", "strategy": "beat", "trade": 12}),
        ("forceexit prod beat all", "forceexit",
         {"environment": "prod", "strategy": "beat", "trade": None}),
        ("promote beat prod", "promote", {"release": "3" * 64, "environment": "prod"}),
    ],
)  # fmt: skip
def test_what_a_button_would_ask_for(
    tmp_path: Path, text: str, verb: str, args: dict[str, Any]
) -> None:
    command, *words = text.split()
    wish = DANGER[command][0](Told(tmp_path), words)
    assert isinstance(wish, Wish)
    assert (wish.verb, wish.args) == (verb, args)


@pytest.mark.parametrize(
    "text",
    ["flatten", "rollback", "restart", "forceexit prod", "forceexit prod beat x", "promote beat",
     "promote other prod"],
)  # fmt: skip
def test_what_is_not_said_is_not_guessed(tmp_path: Path, text: str) -> None:
    command, *words = text.split()
    with pytest.raises(BadInput):
        DANGER[command][0](Told(tmp_path), words)


def test_where_signatures_are_missing_there_is_no_button(tmp_path: Path) -> None:
    missing = (Said(because="approval", text="signed by 0 of 2 people", hint="sign"),)
    answer = DANGER["promote"][0](Told(tmp_path, against=missing), ["beat", "prod"])
    assert isinstance(answer, Objection)
    assert "A tap is no signature" in answer.text
    assert f"sluice approve {RELEASE} prod" in answer.text
    young = (Said(because="soak time", text="2 of 14 days", hint=""),)
    answer = DANGER["promote"][0](Told(tmp_path, against=young), ["beat", "prod"])
    assert isinstance(answer, Objection)
    assert "signature" not in answer.text


@pytest.mark.parametrize(
    ("richer", "parts"),
    [
        (True, ("!! prod beat", "candles are 12 minutes old", "11-22T11:58")),
        (False, ("!! sandbox beat", "the exchange does not answer,")),
    ],
)
def test_health_tells_what_the_agent_can_tell(
    tmp_path: Path, richer: bool, parts: tuple[str, ...]
) -> None:
    said = READING["health"][0](Told(tmp_path, unwell=richer), [])
    assert all(part in said for part in parts), said
    assert max(map(len, said.partition("<pre>")[2].splitlines())) <= 34 + len("</pre>")
