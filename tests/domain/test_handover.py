"""What an environment may declare about open trades, and what follows from it."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from pipelines.domain.handover import (
    FIRST,
    SECOND,
    Farewell,
    Handover,
    Objection,
    Then,
    Way,
    berthed,
    farewell,
)
from pipelines.domain.promotion import Risk

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LOOSER = Objection(Risk.LOOSER_STOP, "looser")
STRANGE = Objection(Risk.UNKNOWN_TRADE, "strange")
ELSEWHERE = Objection(None, "elsewhere")


def read(**keys: Any) -> Handover:
    return Handover.model_validate_json(json.dumps(keys))


def test_by_default_it_drains_for_as_long_as_it_takes() -> None:
    assert read() == Handover(way=Way.DRAIN, deadline=None, then=Then.KEEP_DRAINING, account=None)


def test_a_deadline_is_written_in_days_or_hours() -> None:
    deadline = read(deadline={"days": 2}).deadline
    assert deadline == read(deadline={"hours": 48}).deadline
    assert deadline is not None
    assert (deadline.hours, deadline.time) == (Decimal(48), timedelta(days=2))


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"way": "hope"}, "'adopt', 'drain' or 'side_by_side'"),
        ({"then": "close_at_market"}, "then: close_at_market needs a deadline"),
        ({"then": "adopt"}, "then: adopt needs a deadline"),
        (
            {"way": "adopt", "then": "adopt", "deadline": {"hours": 1}},
            "then: adopt belongs to way: drain, not to adopt",
        ),
        ({"account": "other"}, "an account belongs to way: side_by_side"),
        ({"deadline": {"hours": 1, "days": 1}}, "either days or hours"),
    ],
)
def test_what_does_not_go_together_is_refused(keys: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        read(**keys)


@pytest.mark.parametrize("declared", Way)
@pytest.mark.parametrize("wish", Way)
def test_environment_and_manifest_have_to_agree_or_it_drains(declared: Way, wish: Way) -> None:
    found = farewell(Handover(way=declared), wish, (), (), NOW)
    assert found.way is (declared if declared is wish else Way.DRAIN)


def test_a_release_that_takes_its_own_place_adopts() -> None:
    assert farewell(Handover(), Way.DRAIN, (), (), NOW, restarts=True).way is Way.ADOPT


def test_the_deadline_counts_from_the_decision_and_never_from_nothing() -> None:
    declared = read(deadline={"hours": 3}, then="close_at_market")
    found = farewell(declared, Way.DRAIN, (), (), NOW)
    hours = [timedelta(hours=hour) for hour in (0, 2, 3, 4)]
    assert [found.closes(NOW + hour) for hour in hours] == [False, False, True, True]
    never = farewell(declared, Way.DRAIN, (), (), None)
    assert (never.until, never.closes(NOW + timedelta(days=999))) == (None, False)


@pytest.mark.parametrize(("wish", "adopts"), [(Way.ADOPT, True), (Way.DRAIN, False)])
def test_at_the_deadline_only_who_says_so_adopts(wish: Way, adopts: bool) -> None:
    declared = read(deadline={"hours": 3}, then="adopt")
    found = farewell(declared, wish, (), (), NOW)
    assert not found.adopts(NOW)
    assert found.adopts(NOW + timedelta(hours=3)) is adopts


def test_only_what_was_signed_for_is_no_objection_any_more() -> None:
    against = (LOOSER, STRANGE, ELSEWHERE)
    found = farewell(Handover(), Way.ADOPT, against, (Risk.LOOSER_STOP,), NOW)
    assert found.objections == (STRANGE, ELSEWHERE)
    assert farewell(Handover(), Way.ADOPT, against, tuple(Risk), NOW).objections == (ELSEWHERE,)


def test_a_farewell_is_told_in_one_line() -> None:
    assert str(Farewell()) == "drain"
    until = Farewell(Way.DRAIN, NOW, Then.CLOSE_AT_MARKET)
    assert str(until) == "drain, until 2026-01-01 00:00 UTC, then close_at_market"


def test_the_first_berth_is_called_as_bots_always_were() -> None:
    assert (berthed("calm", 1), berthed("calm", 2)) == ("calm", "calm.2")
    assert (berthed("calm", FIRST), berthed("calm", SECOND)) == ("calm", "calm.2")


def test_only_side_by_side_has_another_account() -> None:
    assert read(way="side_by_side", account="other").account == "other"


def test_an_objection_says_which_risk_can_be_signed_for() -> None:
    assert str(LOOSER) == "looser (looser-stop)"
    assert str(ELSEWHERE) == "elsewhere (nobody can sign for that)"
