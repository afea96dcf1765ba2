"""Limits are held against what was measured: table tests, and laws that hold for any measures."""

import inspect
import sys
from contextlib import nullcontext
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pipelines.domain import protections
from pipelines.domain.limits import (
    CountLimit,
    Limit,
    MoneyLimit,
    PartLimit,
    Protections,
    RateLimit,
    Reference,
)
from pipelines.domain.protections import (
    BLIND,
    MEASURES,
    Finding,
    Lifted,
    Measured,
    Unknown,
    findings,
    news,
    standing,
)
from pipelines.domain.watch import Watch, continued

NOW = datetime(2023, 5, 6, 12, tzinfo=UTC)
PROMOTED = NOW - timedelta(days=3)
TICK = timedelta(seconds=10)
CALM = Measured(*(Decimal() for _ in fields(Measured)))

LIMITS = Protections(
    max_drawdown=PartLimit(limit=Decimal("0.2"), then="flatten"),
    max_daily_loss=PartLimit(limit=Decimal("0.1")),
    max_orders_per_hour=RateLimit(limit=60),
    max_cancelled_per_hour=RateLimit(limit=20),
    max_rejected_per_hour=RateLimit(limit=5),
    max_open_trades=CountLimit(limit=3),
    max_asset_exposure=MoneyLimit(limit=Decimal(500), then="warn"),
    max_exposure=MoneyLimit(limit=Decimal(1000)),
    max_host_exposure=MoneyLimit(limit=Decimal(3000)),
    reference=Reference(exchange="kraken", max_divergence=Decimal("0.02")),
)

ROWS: dict[str, tuple[str, str, str, str]] = {
    # limit: (measure, what is just allowed, what is just beyond, what follows)
    "max_drawdown": ("drawdown", "0.2", "0.20000001", "flatten"),
    "max_daily_loss": ("daily_loss", "0.1", "0.10000001", "halt"),
    "max_orders_per_hour": ("orders", "60", "61", "halt"),
    "max_cancelled_per_hour": ("cancelled", "20", "21", "halt"),
    "max_rejected_per_hour": ("rejected", "5", "6", "halt"),
    "max_open_trades": ("open_trades", "3", "4", "halt"),
    "max_asset_exposure": ("asset_exposure", "500", "500.01", "warn"),
    "max_exposure": ("exposure", "1000", "1000.01", "halt"),
    "max_host_exposure": ("host_exposure", "3000", "3000.01", "halt"),
    "reference": ("divergence", "0.02", "0.02000001", "halt"),
}


def watch() -> Watch:
    return continued(None, PROMOTED, None, Decimal(1000), NOW)


def measured(measure: str, value: Decimal | Unknown) -> Measured:
    changed: dict[str, Any] = {measure: value}
    return replace(CALM, **changed)


def test_every_protection_of_the_schema_has_its_measure_and_its_row_here() -> None:
    assert list(Protections.model_fields) == list(MEASURES) == list(ROWS)
    assert sorted(MEASURES.values()) == sorted(field.name for field in fields(Measured))
    assert {limit: MEASURES[limit] for limit in ROWS} == {k: row[0] for k, row in ROWS.items()}


def test_sixteen_safety_tests_silently_never_ran_because_of_a_file_name() -> None:
    """Every limit was evaluated when all of them are exceeded, and none is left out here."""
    beyond = Measured(**{row[0]: Decimal(row[2]) for row in ROWS.values()})
    assert [found.limit for found in findings(LIMITS, beyond)] == list(Protections.model_fields)
    own = inspect.getsource(sys.modules[__name__])
    assert __file__.rpartition("/")[2].startswith("test_")
    assert 'parametrize("limit", ROWS)' in own


@pytest.mark.parametrize("limit", ROWS)
def test_a_limit_is_exceeded_beyond_what_it_allows_and_says_what_follows(limit: str) -> None:
    measure, allowed, beyond, then = ROWS[limit]
    assert findings(LIMITS, measured(measure, Decimal(allowed))) == ()
    (found,) = findings(LIMITS, measured(measure, Decimal(beyond)))
    assert (found.limit, found.actual, found.then) == (limit, Decimal(beyond), then)
    assert found.text == f"{limit}: {beyond}, allowed is {allowed}"
    assert news(LIMITS, measured(measure, Decimal(allowed)), watch(), NOW)[0] == ()


def test_amounts_are_told_without_what_says_nothing() -> None:
    (found,) = findings(LIMITS, measured("exposure", Decimal("1200.50")))
    assert found.text == "max_exposure: 1200.5, allowed is 1000"
    (found,) = findings(LIMITS, measured("exposure", Decimal("1200.00")))
    assert found.text == "max_exposure: 1200, allowed is 1000"


@pytest.mark.parametrize("limit", ROWS)
def test_a_limit_that_could_not_be_evaluated_is_no_pass(limit: str) -> None:
    (found,) = findings(LIMITS, measured(ROWS[limit][0], Unknown("nobody answers")))
    assert (found.limit, found.actual) == (limit, Unknown("nobody answers"))
    assert "could not be evaluated: nobody answers" in found.text


OPTIONAL = [name for name, f in Protections.model_fields.items() if not f.is_required()]


@pytest.mark.parametrize("limit", OPTIONAL)
def test_what_is_not_declared_is_not_judged(limit: str) -> None:
    none = LIMITS.model_copy(update={limit: None})
    assert findings(none, measured(ROWS[limit][0], Unknown("nobody answers"))) == ()
    beyond = Measured(**{row[0]: Decimal(row[2]) for row in ROWS.values()})
    assert {found.limit for found in findings(none, beyond)} == set(ROWS) - {limit}


@pytest.mark.parametrize("limit", ROWS)
def test_a_trip_is_told_once_however_often_it_is_looked_at(limit: str) -> None:
    measure, allowed, beyond, _ = ROWS[limit]
    first, after = news(LIMITS, measured(measure, Decimal(beyond)), watch(), NOW)
    assert [each.limit for each in first] == [limit]
    # Around its limit, and far worse: whoever halted it knows.
    for value in (allowed, beyond, allowed, beyond, str(Decimal(beyond) * 3)):
        again, after = news(LIMITS, measured(measure, Decimal(value)), after, NOW + TICK)
        assert again == ()


def test_ninety_seven_unread_warnings() -> None:
    """What only warns is told once, and again only after it was over."""
    over, told, after = measured("asset_exposure", Decimal(600)), 0, watch()
    for _ in range(97):
        fresh, after = news(LIMITS, over, after, NOW)
        told += len(fresh)
    assert told == 1
    _, after = news(LIMITS, measured("asset_exposure", Decimal(251)), after, NOW)
    assert news(LIMITS, over, after, NOW)[0] == ()
    _, after = news(LIMITS, measured("asset_exposure", Decimal(250)), after, NOW)
    assert len(news(LIMITS, over, after, NOW)[0]) == 1


def test_a_drawdown_trigger_breached_and_unnoticed() -> None:
    """No trade was closed, no day went by: the loss is in open trades alone."""
    marks = watch().at(Decimal(1000), NOW)
    fallen = Decimal(799)
    drawdown = marks.at(fallen, NOW).drawdown(fallen)
    (found,) = findings(LIMITS, measured("drawdown", drawdown))
    assert (found.limit, found.then) == ("max_drawdown", "flatten")


def resumed(before: Watch, at: datetime) -> Watch:
    return continued(before, PROMOTED, at, Decimal(1000), at)


STATES = ["max_open_trades", "max_asset_exposure", "max_exposure", "max_host_exposure"]


@pytest.mark.parametrize("limit", STATES)
def test_after_a_resume_only_what_gets_worse_trips_again(limit: str) -> None:
    measure, allowed, _, _ = ROWS[limit]
    known = Decimal(allowed) * 2
    _, after = news(LIMITS, measured(measure, known), watch(), NOW)
    after = resumed(after, NOW + TICK)
    for value in (known, known - 1, known):
        again, after = news(LIMITS, measured(measure, value), after, NOW + TICK)
        assert again == ()
    again, after = news(LIMITS, measured(measure, known + 1), after, NOW + TICK)
    assert [each.limit for each in again] == [limit]


@pytest.mark.parametrize("limit", STATES)
def test_what_was_over_in_between_trips_again(limit: str) -> None:
    measure, allowed, beyond, _ = ROWS[limit]
    _, after = news(LIMITS, measured(measure, Decimal(allowed) * 2), watch(), NOW)
    after = resumed(after, NOW + TICK)
    _, after = news(LIMITS, measured(measure, Decimal(allowed) / 2), after, NOW + TICK)
    again, _ = news(LIMITS, measured(measure, Decimal(beyond)), after, NOW + TICK)
    assert [each.limit for each in again] == [limit]


def test_prices_that_are_apart_halt_until_they_have_come_together_again() -> None:
    apart, near = measured("divergence", Decimal("0.03")), measured("divergence", Decimal("0.015"))
    (found,), after = news(LIMITS, apart, watch(), NOW)
    assert isinstance(found, Finding)
    assert found.then == "halt"
    fresh, after = news(LIMITS, near, after, NOW + TICK)
    assert fresh == ()
    fresh, after = news(LIMITS, measured("divergence", Decimal("0.01")), after, NOW + TICK)
    assert fresh == (Lifted("reference"),)
    assert [each.limit for each in news(LIMITS, apart, after, NOW + TICK)[0]] == ["reference"]


def test_prices_that_are_apart_cannot_be_resumed_away() -> None:
    apart = measured("divergence", Decimal("0.03"))
    _, after = news(LIMITS, apart, watch(), NOW)
    again, _ = news(LIMITS, apart, resumed(after, NOW + TICK), NOW + TICK)
    assert [each.limit for each in again] == ["reference"]


@pytest.mark.parametrize("limit", [limit for limit in ROWS if limit != "reference"])
def test_a_trip_of_money_or_orders_never_ends_by_itself(limit: str) -> None:
    measure, _, beyond, then = ROWS[limit]
    _, after = news(LIMITS, measured(measure, Decimal(beyond)), watch(), NOW)
    fresh, after = news(LIMITS, CALM, after, NOW + TICK)
    assert fresh == ()
    again, _ = news(LIMITS, measured(measure, Decimal(beyond)), after, NOW + TICK)
    assert bool(again) is (then == "warn")


@pytest.mark.parametrize("limit", ROWS)
def test_not_knowing_warns_at_once_and_halts_after_a_minute(limit: str) -> None:
    measure, _, _, then = ROWS[limit]
    blind = measured(measure, Unknown("nobody answers"))
    (first,), after = news(LIMITS, blind, watch(), NOW)
    assert isinstance(first, Finding)
    assert (first.limit, first.then) == (f"{limit}?", "warn")
    assert news(LIMITS, blind, after, NOW)[0] == ()
    fresh, after = news(LIMITS, blind, after, NOW + BLIND - timedelta(seconds=1))
    assert fresh == ()
    (second,), after = news(LIMITS, blind, after, NOW + timedelta(minutes=1))
    assert isinstance(second, Finding)
    assert (second.limit, second.then) == (f"{limit}?", "warn" if then == "warn" else "halt")
    assert news(LIMITS, blind, after, NOW + BLIND + TICK)[0] == ()
    # Once it can be told again, that is over; what is found then counts as ever.
    fresh, after = news(LIMITS, CALM, after, NOW + BLIND + TICK)
    assert fresh == (Lifted(f"{limit}?"),)
    assert news(LIMITS, CALM, after, NOW + BLIND + TICK)[0] == ()


def test_what_is_over_is_told_from_what_still_halts() -> None:
    both = replace(CALM, drawdown=Unknown("gone"), divergence=Unknown("gone"))
    _, after = news(LIMITS, replace(both, asset_exposure=Unknown("gone")), watch(), NOW)
    _, after = news(LIMITS, replace(both, asset_exposure=Unknown("gone")), after, NOW + BLIND)
    assert standing(LIMITS, after) == ("max_drawdown?", "reference?")
    _, after = news(LIMITS, replace(CALM, divergence=Unknown("gone")), after, NOW + BLIND + TICK)
    assert standing(LIMITS, after) == ("reference?",)
    _, after = news(LIMITS, measured("drawdown", Decimal(1)), after, NOW + BLIND + TICK)
    assert standing(LIMITS, after) == ()


def test_prices_that_are_apart_halt_for_now_and_a_drawdown_for_good() -> None:
    both = replace(CALM, drawdown=Decimal(1), divergence=Decimal(1))
    _, after = news(LIMITS, both, watch(), NOW)
    assert standing(LIMITS, after) == ("reference",)


def test_what_was_told_once_and_then_cannot_be_told_again_only_warns_at_first() -> None:
    blind = measured("drawdown", Unknown("gone"))
    _, after = news(LIMITS, blind, watch(), NOW)
    _, after = news(LIMITS, CALM, after, NOW + TICK)
    (again,), _ = news(LIMITS, blind, after, NOW + timedelta(hours=1))
    assert isinstance(again, Finding)
    assert again.then == "warn"


def test_a_clock_that_went_back_makes_nobody_wait_for_ever() -> None:
    blind = measured("drawdown", Unknown("nobody answers"))
    _, after = news(LIMITS, blind, watch(), NOW)
    fresh, _ = news(LIMITS, blind, after, NOW - timedelta(hours=1))
    assert [each.limit for each in fresh] == ["max_drawdown?"]


def test_a_limit_that_is_exceeded_when_it_can_be_told_again_trips() -> None:
    _, after = news(LIMITS, measured("drawdown", Unknown("gone")), watch(), NOW)
    fresh, _ = news(LIMITS, measured("drawdown", Decimal("0.5")), after, NOW + TICK)
    assert [each.limit for each in fresh] == ["max_drawdown"]


def test_the_measures_are_told_apart() -> None:
    assert protections.blindness("max_drawdown") not in Protections.model_fields


VALUES = st.one_of(
    st.decimals(0, 5000, places=2), st.builds(Unknown, st.sampled_from(["gone", "late"]))
)
MEASUREMENTS = st.builds(Measured, **{field.name: VALUES for field in fields(Measured)})


@given(st.lists(MEASUREMENTS, max_size=12))
def test_nothing_that_halts_is_told_twice_unless_it_was_lifted(looks: list[Measured]) -> None:
    after, standing, now = watch(), set[str](), NOW
    for look in looks:
        now += TICK
        fresh, after = news(LIMITS, look, after, now)
        for each in fresh:
            if isinstance(each, Lifted):
                standing.discard(each.limit)
            elif each.then != "warn":
                assert each.limit not in standing
                standing.add(each.limit)


@given(st.lists(MEASUREMENTS, min_size=1, max_size=8))
def test_whatever_is_exceeded_was_told(looks: list[Measured]) -> None:
    after, now, told = watch(), NOW, set[str]()
    for look in looks:
        now += TICK
        fresh, after = news(LIMITS, look, after, now)
        told |= {each.limit for each in fresh}
        for found in findings(LIMITS, look):
            name = f"{found.limit}?" if isinstance(found.actual, Unknown) else found.limit
            assert name in told


@given(st.lists(MEASUREMENTS, max_size=8))
def test_a_watch_that_was_written_down_goes_on_where_it_was(looks: list[Measured]) -> None:
    one, other, now = watch(), watch(), NOW
    for look in looks:
        now += TICK
        told, one = news(LIMITS, look, one, now)
        same, other = news(LIMITS, look, Watch.model_validate_json(other.canonical()), now)
        assert (told, one) == (same, other)


TAKEN: list[tuple[type[Limit], str, bool]] = [
    (PartLimit, "0", False),
    (PartLimit, "0.5", True),
    (PartLimit, "1", True),
    (PartLimit, "1.01", False),
    (PartLimit, "true", False),
    (PartLimit, '"0.5"', True),
    (PartLimit, '"half"', False),
    (MoneyLimit, "0", False),
    (MoneyLimit, "0.5", True),
    (CountLimit, "0", False),
    (CountLimit, "1", True),
    (RateLimit, "-1", False),
    (RateLimit, "0", True),
    (RateLimit, "2000", True),
    (RateLimit, "2001", False),
]


@pytest.mark.parametrize(("kind", "written", "taken"), TAKEN)
def test_what_a_limit_may_be(kind: type[Limit], written: str, taken: bool) -> None:
    with nullcontext() if taken else pytest.raises(ValidationError):
        kind.model_validate_json(written)


def test_a_bare_number_is_a_limit_that_halts() -> None:
    assert PartLimit.model_validate_json("0.3") == PartLimit(limit=Decimal("0.3"), then="halt")
    assert isinstance(RateLimit.model_validate_json("60"), Limit)
