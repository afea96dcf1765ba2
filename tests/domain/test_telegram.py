"""`telegram.yaml`: who, where, and when it is quiet."""

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from pipelines.domain.telegram import Quiet, Telegram


def settings(**keys: Any) -> Telegram:
    return Telegram(**{"chats": (1,), "users": {"ann": 2}, **keys})


@pytest.mark.parametrize(
    ("since", "until", "clock", "quiet"),
    [
        ("22:00", "07:00", "21:59", False),
        ("22:00", "07:00", "22:00", True),
        ("22:00", "07:00", "00:30", True),
        ("22:00", "07:00", "06:59", True),
        ("22:00", "07:00", "07:00", False),
        ("12:00", "14:00", "13:00", True),
        ("12:00", "14:00", "14:00", False),
        ("12:00", "14:00", "03:00", False),
    ],
)
def test_quiet_hours_may_lead_over_midnight(
    since: str, until: str, clock: str, quiet: bool
) -> None:
    hour, minute = map(int, clock.split(":"))
    now = datetime(2026, 11, 22, hour, minute, tzinfo=UTC)
    assert settings(quiet=Quiet(since=since, until=until)).is_quiet(now) is quiet


def test_without_quiet_hours_it_is_never_quiet() -> None:
    assert not settings().is_quiet(datetime(2026, 11, 22, 3, tzinfo=UTC))


@pytest.mark.parametrize(
    ("hour", "due"), [(6, "2026-11-21"), (7, "2026-11-22"), (22, "2026-11-22"), (23, "2026-11-22")]
)
def test_the_digest_is_due_by_the_clock_on_the_wall(hour: int, due: str) -> None:
    berlin = settings(digest="08:00", zone="Europe/Berlin")
    assert berlin.digest_due(datetime(2026, 11, 22, hour, tzinfo=UTC)) == due
    assert settings().digest_due(datetime(2026, 11, 22, hour, tzinfo=UTC)) == ""


@pytest.mark.parametrize(
    "keys",
    [
        {"chats": ()},
        {"users": {}},
        {"users": {"ann": 2, "bob": 2}},
        {"chats": (1, 1)},
        {"zone": "Berlin"},
        {"digest": "8:00"},
        {"quiet": {"since": "25:00", "until": "07:00"}},
        {"api": "http://api.telegram.org"},
        {"api": "http://127.0.0.1.evil.example"},
        {"repeat": 0},
        {"token": "123"},
    ],
)
def test_what_cannot_be_meant_is_refused(keys: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        settings(**keys)


@pytest.mark.parametrize("api", ["https://api.example.org/", "http://127.0.0.1:8081"])
def test_the_api_may_be_another(api: str) -> None:
    assert settings(api=api).api == api.rstrip("/")


def test_a_user_is_known_by_his_number() -> None:
    assert settings().name_of(2) == "ann"
    assert settings().name_of(3) is None
