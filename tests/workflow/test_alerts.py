"""What a human has to know is told whether an agent runs or not."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipelines.adapters.alerts import FILE, Alert
from pipelines.errors import CannotTell, ExitCode
from pipelines.workflow import alerts
from pipelines.workflow.place import Place
from runner.agent.alerts import Alerts

AT = datetime(2022, 3, 1, 12, tzinfo=UTC)

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A home in which an agent raised three alerts, and was then killed in the middle of a line."""
    written = Alerts(tmp_path / FILE)
    for severity, environment, strategy, text in (
        ("warning", "", "", "the lease is another's"),
        ("money", "sandbox", "beat", "orphan 1f\nof nobody"),
        ("notice", "prod", "calm", "drains"),
    ):
        told = {"severity": severity, "environment": environment, "strategy": strategy}
        written.raise_(Alert.model_validate({"at": AT, **told, "text": text}))
    with (tmp_path / FILE).open("a") as file:
        file.write('{"at":')
    return Place(tmp_path, tmp_path)


def test_each_is_one_line_the_newest_last(place: Place, capsys: Capture) -> None:
    told = alerts.alerted(place, "", "", 20)
    assert alerts.tell(told, as_json=False) is ExitCode.DONE
    assert capsys.readouterr().out.splitlines() == [
        "2022-03-01 12:00  warning  host: the lease is another's",
        "2022-03-01 12:00  money    sandbox beat: orphan 1f; of nobody",
        "2022-03-01 12:00  notice   prod calm: drains",
    ]


def test_machines_get_one_line(place: Place, capsys: Capture) -> None:
    alerts.tell(alerts.alerted(place, "", "", 20), as_json=True)
    (line,) = capsys.readouterr().out.splitlines()
    assert [each["severity"] for each in json.loads(line)] == ["warning", "money", "notice"]


@pytest.mark.parametrize(
    ("environment", "strategy", "limit", "told"),
    [
        ("sandbox", "", 20, ["warning", "money"]),
        ("sandbox", "beat", 20, ["warning", "money"]),
        ("sandbox", "other", 20, ["warning"]),
        ("", "", 1, ["notice"]),
        ("mars", "", 20, ["warning"]),
    ],
)
def test_what_is_the_host_s_is_for_whoever_asks(
    place: Place, environment: str, strategy: str, limit: int, told: list[str]
) -> None:
    found = alerts.alerted(place, environment, strategy, limit)
    assert [each.severity for each in found] == told


def test_where_nothing_was_raised_it_says_so(tmp_path: Path, capsys: Capture) -> None:
    alerts.tell(alerts.alerted(Place(tmp_path, tmp_path), "", "", 20), as_json=False)
    assert capsys.readouterr().out == "there are no alerts\n"


def test_a_journal_that_cannot_be_read_is_not_an_empty_one(tmp_path: Path) -> None:
    (tmp_path / FILE).mkdir()
    with pytest.raises(CannotTell, match="cannot be read"):
        alerts.alerted(Place(tmp_path, tmp_path), "", "", 20)
