"""How healthy bots are, told to people and machines; the exit code says it of all."""

import json
from datetime import UTC, datetime
from typing import Literal

import pytest

from pipelines.adapters.health import BotHealth, Health, HealthReason
from pipelines.errors import ExitCode
from pipelines.workflow import tell_health

NOW = datetime(2022, 3, 1, 12, tzinfo=UTC)

Capture = pytest.CaptureFixture[str]


def reason(check: str, state: Literal["failed", "unknown"] = "failed") -> HealthReason:
    return HealthReason(check=check, text="why", since=NOW, state=state)


def bot(*reasons: HealthReason) -> BotHealth:
    named = {"environment": "prod", "strategy": "beat", "release": "beat@1.0.0+11111111"}
    return BotHealth(**named, healthy=not reasons, reasons=reasons)


WELL, DEAD, BLIND = bot(), bot(reason("process")), bot(reason("limits", "unknown"))


@pytest.mark.parametrize(
    ("told", "code"),
    [
        (Health(bots=(WELL,)), ExitCode.DONE),
        (Health(bots=(WELL, DEAD, BLIND)), ExitCode.SAID_NO),
        (Health(bots=(WELL, BLIND)), ExitCode.CANNOT_TELL),
        (Health(bots=(WELL,), host=(reason("heat"),)), ExitCode.SAID_NO),
        (Health(bots=()), ExitCode.CANNOT_TELL),
    ],
)
def test_no_is_not_do_not_know_and_nobody_there_is_no_pass(
    told: Health, code: ExitCode, capsys: Capture
) -> None:
    assert tell_health.health(told, as_json=False) is code
    people = capsys.readouterr().out
    assert tell_health.health(told, as_json=True) is code
    (line,) = capsys.readouterr().out.splitlines()
    assert Health.model_validate_json(line) == told
    assert set(json.loads(line)) == {"bots", "host"}
    assert people


def test_people_read_each_reason_with_its_beginning(capsys: Capture) -> None:
    told = Health(bots=(WELL, DEAD, BLIND), host=(reason("disk"),))
    tell_health.health(told, as_json=False)
    assert capsys.readouterr().out.splitlines() == [
        "the host: ✗ disk: why, since 2022-03-01 12:00 UTC",
        "prod beat beat@1.0.0+11111111: healthy",
        "prod beat beat@1.0.0+11111111: not healthy",
        "  ✗ process: why, since 2022-03-01 12:00 UTC",
        "prod beat beat@1.0.0+11111111: not healthy",
        "  ? limits: why, since 2022-03-01 12:00 UTC",
    ]
