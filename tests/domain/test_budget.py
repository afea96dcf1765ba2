"""Whose account is looked at, and that it is never too much."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.domain.budget import LATE, MINUTE, SHARE, Due, Priority, Spent, chosen, is_late

LIMIT = 6000


def due(name: str, priority: Priority = Priority.LIVE, weight: int = 20, last: float = 0) -> Due:
    return Due((name, name), priority, weight, last)


def names(found: tuple[Due, ...]) -> list[str]:
    return [each.key[0] for each in found]


def test_live_comes_before_changed_before_old() -> None:
    every = [due("c", Priority.OLD), due("b", Priority.CHANGED), due("a", Priority.LIVE)]
    assert names(chosen(every, 100, 100, 1)) == ["a", "b", "c"]
    assert names(chosen(every, 40, 40, 1)) == ["a", "b"]
    assert names(chosen(every, 19, 19, 1)) == []


def test_of_equals_the_one_that_was_looked_at_longest_ago_comes_first() -> None:
    new = Due(("new", "new"), Priority.LIVE, 20, None)
    assert names(chosen([due("b", last=5), due("a", last=3), new], 60, 60, 10)) == ["new", "a", "b"]


def test_nobody_goes_ahead_of_one_for_whom_too_little_is_left() -> None:
    assert names(chosen([due("a", weight=90), due("b", weight=20, last=1)], 50, 50, 2)) == []
    assert names(chosen([due("a", weight=90), due("b", weight=20, last=1)], 90, 90, 2)) == ["a"]


def test_who_has_waited_long_comes_before_all_others() -> None:
    every = [due("a", last=LATE), due("c", Priority.OLD, last=LATE / 2 - 1)]
    assert names(chosen(every, 20, 20, LATE)) == ["c"]


@pytest.mark.parametrize(("waited", "first"), [(0, "new"), (60, "new"), (60.5, "old")])
def test_after_a_minute_who_waits_comes_even_before_one_that_was_never_looked_at(
    waited: float, first: str
) -> None:
    every = [due("old", Priority.OLD, last=1000 - waited), replace(due("new"), last=None)]
    assert names(chosen(every, 20, 20, 1000)) == [first]


def test_what_was_seen_comes_even_before_who_waits_longest() -> None:
    urgent = Due(("u", "u"), Priority.OLD, 20, 999, urgent=True)
    assert names(chosen([due("a", last=1), urgent], 20, 20, 1000)) == ["u"]


def test_after_two_minutes_nobody_knows_how_an_account_stands() -> None:
    assert not is_late(1000, 1120)
    assert is_late(1000, 1120.5)


def test_what_was_asked_for_within_a_minute_adds_up() -> None:
    spent = Spent().after(1000, 700).after(1030, 200).after(1059, 100)
    assert [spent.used(at) for at in (1059, 1060, 1090, 1119)] == [1000, 300, 100, 0]
    assert len(spent.after(1061, 1).rows) == 3


def test_a_quarter_is_left_and_what_the_whole_host_used_counts() -> None:
    spent = Spent().after(100, 1000)
    assert spent.left(100, LIMIT, 0) == 500
    assert spent.left(100, LIMIT, 5000) == 400
    assert spent.left(100, LIMIT, 5999) == 0
    assert spent.left(100 + MINUTE, LIMIT, 0) == 1500
    assert spent.after(100 + MINUTE, 0).rows == ()


def test_what_was_seen_goes_first_and_is_not_held_back() -> None:
    urgent = Due(("u", "u"), Priority.OLD, 60, 5, urgent=True)
    every = [due("a"), due("b"), urgent]
    assert names(chosen(every, 100, 0, 10)) == ["u"]
    other = Due(("v", "v"), Priority.OLD, 40, 6, urgent=True)
    assert names(chosen([*every, other], 100, 0, 10)) == ["u", "v"]
    assert names(chosen(every, 100, 80, 10)) == ["u", "a"]
    assert names(chosen(every, 50, 50, 10)) == []


def test_routine_is_spread_over_the_minute_and_one_look_always_fits() -> None:
    assert Spent().routine(0, LIMIT) == 237
    assert Spent().after(0, 100).routine(9.9, LIMIT) == 137
    assert Spent().after(0, 100).routine(10, LIMIT) == 237
    assert Spent().after(0, 100, urgent=True).routine(1, LIMIT) == 237
    spent = Spent().after(1000, 100).after(1005, 100).after(1006, 30)
    assert [spent.routine(at, LIMIT) for at in (1006, 1010, 1015)] == [7, 107, 207]
    assert Spent().after(0, 300).routine(0, LIMIT) == 0
    assert names(chosen([due("a", weight=300), due("b", weight=1)], 500, 225, 1)) == ["a"]
    assert names(chosen([due("a"), due("b", last=1)], 500, 30, 2)) == ["a"]
    assert names(chosen([due("a"), due("b", last=1)], 30, 500, 2)) == ["a"]
    assert names(chosen([due("a", weight=300)], 500, 0, 1)) == []


@given(st.lists(st.tuples(st.floats(0.1, 30), st.integers(200, 1500)), max_size=80))
def test_no_minute_ever_has_more_than_its_share(asked: list[tuple[float, int]]) -> None:
    spent, real, log = Spent(), 0.0, list[tuple[float, int]]()
    for wait, weight in asked:
        real += wait
        for each in chosen([due("a", weight=weight)], spent.left(real, LIMIT, 0), LIMIT, real):
            spent = spent.after(real, each.weight)
            log.append((real, each.weight))
    for begin, _ in log:
        assert sum(w for at, w in log if begin <= at < begin + MINUTE) <= LIMIT * SHARE
