"""What is remembered of a bot: the capital never moves, and no loss gets lost between two looks."""

from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pipelines.domain.watch import Watch, continued

NOON = datetime(2023, 5, 6, 12, tzinfo=UTC)
DAY = timedelta(days=1)
CAPITAL = Decimal(1000)


def fresh(capital: Decimal = CAPITAL) -> Watch:
    return continued(None, NOON, None, capital, NOON)


def test_a_new_release_begins_with_the_declared_capital_as_its_peak() -> None:
    watch = fresh().at(Decimal(900), NOON)
    assert watch.drawdown(Decimal(900)) == Decimal("0.1")
    assert watch.daily_loss(Decimal(900)) == Decimal("0.1")


def test_the_drawdown_is_from_the_peak_as_a_share_of_the_capital() -> None:
    watch = fresh().at(Decimal(2000), NOON).at(Decimal(1700), NOON)
    assert watch.drawdown(Decimal(1700)) == Decimal("0.3")


def test_demoting_one_bot_shrank_the_capital_base_of_the_circuit_breaker() -> None:
    """Whatever is declared later, or put in and taken out: the base of a stay stays."""
    watch = fresh().at(Decimal(1000), NOON)
    for declared in (Decimal(650), Decimal(10), Decimal(5000)):
        after = continued(watch, NOON, None, declared, NOON + DAY)
        assert after.capital == CAPITAL
        assert after.drawdown(Decimal(1000)) == 0
    another = continued(watch, NOON + DAY, None, Decimal(650), NOON + DAY)
    assert (another.capital, another.peak) == (Decimal(650), Decimal(650))


def test_a_day_begins_with_what_was_last_seen_of_the_one_before() -> None:
    watch = fresh().at(Decimal(1000), NOON).at(Decimal(980), NOON + DAY / 4)
    # The agent was away from six in the evening until noon, and the market fell.
    late = watch.at(Decimal(800), NOON + DAY)
    assert late.daily_loss(Decimal(800)) == Decimal("0.18")
    next_one = late.at(Decimal(790), NOON + 2 * DAY)
    assert next_one.daily_loss(Decimal(790)) == Decimal("0.01")


def test_a_clock_that_goes_back_begins_no_new_day() -> None:
    watch = fresh().at(Decimal(900), NOON).at(Decimal(850), NOON - DAY)
    assert watch.daily_loss(Decimal(850)) == Decimal("0.15")
    assert watch.day == NOON.date()


def test_who_resumes_begins_the_losses_anew_and_keeps_the_capital() -> None:
    watch = fresh().at(Decimal(700), NOON).exceeding("max_drawdown", Decimal("0.3"))
    after = continued(watch.telling("max_drawdown"), NOON, NOON + DAY, Decimal(1), NOON + DAY)
    assert (after.capital, after.told) == (CAPITAL, ())
    after = after.at(Decimal(700), NOON + DAY)
    assert (after.drawdown(Decimal(700)), after.daily_loss(Decimal(700))) == (0, 0)
    assert after.at(Decimal(600), NOON + DAY).drawdown(Decimal(600)) == Decimal("0.1")
    assert after.at(Decimal(600), NOON + DAY).daily_loss(Decimal(600)) == Decimal("0.1")
    assert continued(after, NOON, NOON + DAY, CAPITAL, NOON + DAY) == after


@pytest.mark.parametrize("later", [DAY / 4, DAY, 3 * DAY])
def test_nothing_that_was_lost_before_a_resume_is_lost_again_after_it(later: timedelta) -> None:
    before = fresh().at(Decimal(900), NOON)
    after = continued(before, NOON, NOON + later, CAPITAL, NOON + later)
    assert (after.drawdown(Decimal(700)), after.daily_loss(Decimal(700))) == (0, 0)
    after = after.at(Decimal(700), NOON + later)
    assert (after.drawdown(Decimal(700)), after.daily_loss(Decimal(700))) == (0, 0)


def test_a_watch_that_begins_after_a_resume_begins_with_what_it_sees() -> None:
    """Its file was lost: nobody knows how high it once stood, and it is not held against that."""
    late = continued(None, NOON, NOON + DAY, CAPITAL, NOON + DAY).at(Decimal(700), NOON + DAY)
    assert (late.peak, late.opened) == (Decimal(700), Decimal(700))


def test_a_watch_that_nobody_resumed_yet_goes_on() -> None:
    said = {"promoted": NOON, "since": NOON, "capital": CAPITAL, "day": NOON.date()}
    kept = Watch.model_validate(said).at(Decimal(900), NOON)
    assert continued(kept, NOON, None, CAPITAL, NOON, 0) == kept
    assert continued(kept, NOON, None, CAPITAL, NOON) == kept


@pytest.mark.parametrize(("capital", "taken"), [("0.5", True), ("0", False), ("-1", False)])
def test_there_is_no_watch_without_capital(capital: str, taken: bool) -> None:
    said = {"promoted": NOON, "since": NOON, "capital": Decimal(capital), "day": NOON.date()}
    with nullcontext() if taken else pytest.raises(ValidationError):
        Watch.model_validate(said)


def test_limits_are_remembered_apart() -> None:
    both = fresh().exceeding("a", Decimal(1)).exceeding("b", Decimal(2))
    assert both.over == {"a": Decimal(1), "b": Decimal(2)}
    assert both.within("a", forget=False).over == {"b": Decimal(2)}
    told = both.telling("a").telling("b")
    assert told.within("a", forget=True).told == ("b",)
    assert told.within("a", forget=False).told == ("a", "b")
    blind = fresh().blinded("a", NOON).blinded("b", NOON + DAY)
    assert blind.blind == {"a": NOON, "b": NOON + DAY}
    assert blind.telling("a?").telling("b?").seeing("a") == blind.model_copy(
        update={"blind": {"b": NOON + DAY}, "told": ("b?",)}
    )


def test_a_resume_counts_also_when_the_clock_stands_still_or_went_back() -> None:
    tripped = fresh().telling("max_drawdown")
    once = continued(tripped, NOON, NOON + DAY, CAPITAL, NOON + DAY, 1).telling("max_drawdown")
    for moment in (NOON + DAY, NOON - DAY):
        again = continued(once, NOON, moment, CAPITAL, moment, 2)
        assert (again.told, again.resumes) == ((), 2)
        assert continued(again, NOON, moment, CAPITAL, moment, 2) == again


def test_a_resume_before_the_release_came_is_none_of_its_own() -> None:
    watch = continued(None, NOON, NOON - DAY, CAPITAL, NOON)
    assert (watch.since, watch.peak) == (NOON, CAPITAL)


@given(st.lists(st.decimals(1, 5000, places=2), min_size=1, max_size=20))
def test_no_measure_is_negative_and_the_peak_never_falls(course: list[Decimal]) -> None:
    watch, peak = fresh(), CAPITAL
    for number, equity in enumerate(course):
        watch = watch.at(equity, NOON + number * DAY / 5)
        peak = max(peak, equity)
        assert watch.peak == peak
        assert watch.drawdown(equity) == ((peak - equity) / CAPITAL).quantize(Decimal("1e-8"))
        assert watch.daily_loss(equity) >= 0
