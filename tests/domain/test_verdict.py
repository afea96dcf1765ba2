"""One status for many verdicts: a no outweighs a don't-know, and silence is no pass."""

import itertools

import pytest

from pipelines.domain.verdict import Status, Verdict, overall

P, F, E, S = Status.PASSED, Status.FAILED, Status.ERRORED, Status.SKIPPED


def _verdicts(*statuses: Status) -> tuple[Verdict, ...]:
    return tuple(Verdict(check=f"check {n}", status=status) for n, status in enumerate(statuses))


@pytest.mark.parametrize(
    ("statuses", "whole"),
    [
        ((P,), P),
        ((P, P, P), P),
        ((), E),
        ((S,), E),
        ((P, S), E),
        ((P, E), E),
        ((E, S), E),
        ((F,), F),
        ((P, F), F),
        ((F, S), F),
        ((F, E), F),
        ((P, F, E, S), F),
    ],
)
def test_the_whole_follows_from_its_parts(statuses: tuple[Status, ...], whole: Status) -> None:
    assert overall(_verdicts(*statuses)) is whole


@pytest.mark.parametrize("statuses", list(itertools.product(Status, repeat=3)))
def test_only_passes_make_a_pass_in_any_order(statuses: tuple[Status, ...]) -> None:
    assert (overall(_verdicts(*statuses)) is P) == (set(statuses) == {P})
