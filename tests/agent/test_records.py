"""What the agent knows of its bots, and the journal of alerts."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipelines.domain.deployment import Phase
from pipelines.domain.promotion import Kind, Promotion
from pipelines.errors import CannotTell
from runner.agent import records
from runner.agent.alerts import Alert, Alerts
from runner.agent.records import BotRecord, Placed

NOW = datetime(2022, 3, 1, 12, tzinfo=UTC)
DIGEST = "3f9c2a1b" + "0" * 56

RECORD = BotRecord(
    promotion=Promotion(
        kind=Kind.PROMOTE,
        environment="sandbox",
        strategy="beat",
        release="beat@1.0.0+3f9c2a1b",
        digest=DIGEST,
        by="ann",
        at=NOW,
    ),
    placed=Placed(config_digest=DIGEST, live=True, account="sandbox", shares_account=True),
    launch="0123",
    config=DIGEST,
    key=DIGEST,
    port=8080,
    username="agent",
    password="what opens it",
    phase=Phase.RUNNING,
    since=NOW,
    began=NOW,
)


def test_a_record_is_read_as_it_was_written_by_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "sandbox.beat.json"
    records.save(path, RECORD)

    assert records.load(path) == RECORD
    assert path.stat().st_mode & 0o777 == 0o600


def test_there_is_none_where_none_was_written(tmp_path: Path) -> None:
    assert records.load(tmp_path / "sandbox.beat.json") is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"phase": "running"}'])
def test_a_broken_record_is_as_good_as_none(tmp_path: Path, text: str) -> None:
    """Nobody can reach that bot any more: it is ended and started anew, and others go on."""
    path = tmp_path / "sandbox.beat.json"
    path.write_text(text)

    assert records.load(path) is None


def test_a_record_that_cannot_be_opened_is_unknown(tmp_path: Path) -> None:
    (tmp_path / "sandbox.beat.json").mkdir()

    with pytest.raises(CannotTell, match="cannot be read"):
        records.load(tmp_path / "sandbox.beat.json")


def alert(text: str, strategy: str = "beat") -> Alert:
    return Alert(at=NOW, severity="money", environment="prod", strategy=strategy, text=text)


def told(alerts: Alerts) -> list[str]:
    return [each.text for each in alerts.every()]


def test_an_alert_is_told_once_until_it_is_over(tmp_path: Path) -> None:
    alerts = Alerts(tmp_path / "alerts.jsonl")
    for _ in range(3):
        alerts.raise_(alert("it does not answer"))
        alerts.raise_(alert("it does not answer", "other"))
    assert told(alerts) == ["it does not answer"] * 2

    alerts.over("prod", "beat")
    alerts.raise_(alert("it does not answer"))
    assert told(alerts) == ["it does not answer"] * 3


def test_two_alerts_that_take_turns_are_told_once_each(tmp_path: Path) -> None:
    """Every round raises both: a card on a Pi must not fill up with them."""
    alerts = Alerts(tmp_path / "alerts.jsonl")
    for _ in range(5):
        alerts.raise_(alert("the release is broken"))
        alerts.raise_(alert("it has open trades"))

    assert told(alerts) == ["the release is broken", "it has open trades"]


def test_a_full_disk_loses_an_alert_and_it_is_told_once_there_is_room(tmp_path: Path) -> None:
    path = tmp_path / "alerts.jsonl"
    path.symlink_to("/dev/full")
    alerts = Alerts(path)
    alerts.raise_(alert("the disk is full"))

    path.unlink()
    alerts.raise_(alert("the disk is full"))

    assert told(alerts) == ["the disk is full"]


def test_a_line_that_was_cut_off_is_left_out(tmp_path: Path) -> None:
    alerts = Alerts(tmp_path / "alerts.jsonl")
    assert told(alerts) == []
    alerts.raise_(alert("whole"))
    with alerts.path.open("a") as file:
        file.write('{"at":"2022')

    assert told(alerts) == ["whole"]
