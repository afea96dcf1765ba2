"""Whose account is looked at, and that it is never too much."""

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
    assert not is_late(0, LATE)
    assert is_late(0, LATE + 1)


def test_a_quarter_is_left_and_what_the_whole_host_used_counts() -> None:
    spent = Spent().after(100, 1000)
    assert spent.left(100, LIMIT) == 500
    assert spent.left(100, LIMIT, told=5000) == 400
    assert spent.left(100, LIMIT, told=5999) == 0
    assert spent.left(100 + MINUTE, LIMIT) == 1500
    assert spent.after(100 + MINUTE, 0).rows == ()


def test_what_was_seen_goes_first_and_is_not_held_back() -> None:
    urgent = Due(("u", "u"), Priority.OLD, 60, 5, urgent=True)
    every = [due("a"), due("b"), urgent]
    assert names(chosen(every, 100, 0, 10)) == ["u"]
    assert names(chosen(every, 100, 80, 10)) == ["u", "a"]
    assert names(chosen(every, 50, 50, 10)) == []


def test_routine_is_spread_over_the_minute_and_one_look_always_fits() -> None:
    assert Spent().routine(0, LIMIT) == 237
    assert Spent().after(0, 100).routine(9.9, LIMIT) == 137
    assert Spent().after(0, 100).routine(10, LIMIT) == 237
    assert Spent().after(0, 100, urgent=True).routine(1, LIMIT) == 237
    assert names(chosen([due("a", weight=300), due("b")], 500, 225, 1)) == ["a"]
    assert names(chosen([due("a", weight=300)], 500, 0, 1)) == []


@given(st.lists(st.tuples(st.floats(0.1, 30), st.integers(1, 200)), max_size=80))
def test_no_minute_ever_has_more_than_its_share(asked: list[tuple[float, int]]) -> None:
    spent, real, log = Spent(), 0.0, list[tuple[float, int]]()
    for wait, weight in asked:
        real += wait
        for each in chosen([due("a", weight=weight)], spent.left(real, LIMIT), LIMIT, real):
            spent = spent.after(real, each.weight)
            log.append((real, each.weight))
    for begin, _ in log:
        assert sum(w for at, w in log if begin <= at < begin + MINUTE) <= LIMIT * SHARE
