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
    assert names(chosen(every, 100, 1)) == ["a", "b", "c"]
    assert names(chosen(every, 40, 1)) == ["a", "b"]
    assert names(chosen(every, 19, 1)) == []


def test_of_equals_the_one_that_was_looked_at_longest_ago_comes_first() -> None:
    new = Due(("new", "new"), Priority.LIVE, 20, None)
    assert names(chosen([due("b", last=5), due("a", last=3), new], 60, 10)) == ["new", "a", "b"]


def test_what_does_not_fit_keeps_nobody_waiting_who_does() -> None:
    assert names(chosen([due("a", weight=90), due("b", weight=20, last=1)], 50, 2)) == ["b"]


def test_who_has_waited_long_comes_before_all_others() -> None:
    every = [due("a", last=LATE), due("c", Priority.OLD, last=LATE / 2 - 1)]
    assert names(chosen(every, 20, LATE)) == ["c"]
    assert not is_late(0, LATE)
    assert is_late(0, LATE + 1)


def test_a_quarter_is_left_and_what_the_whole_host_used_counts() -> None:
    spent = Spent().after(100, 1000)
    assert spent.left(100, LIMIT) == 500
    assert spent.left(100, LIMIT, told=5000) == 400
    assert spent.left(100, LIMIT, told=5999) == 0
    assert spent.left(100 + MINUTE, LIMIT) == 1500
    assert spent.after(100 + MINUTE, 0).rows == ()


@given(st.lists(st.tuples(st.floats(0.1, 30), st.integers(1, 200)), max_size=80))
def test_no_minute_ever_has_more_than_its_share(asked: list[tuple[float, int]]) -> None:
    spent, real, log = Spent(), 0.0, list[tuple[float, int]]()
    for wait, weight in asked:
        real += wait
        for each in chosen([due("a", weight=weight)], spent.left(real, LIMIT), real):
            spent = spent.after(real, each.weight)
            log.append((real, each.weight))
    for begin, _ in log:
        assert sum(w for at, w in log if begin <= at < begin + MINUTE) <= LIMIT * SHARE
