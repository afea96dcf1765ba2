"""Of two agents at most one starts bots that trade money."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from pipelines.domain.lease import Lease, Taken, claim, may_start_live

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
MINE = Lease(holder="here", epoch=3, until=NOW + MINUTE)


def test_the_first_who_asks_gets_it() -> None:
    assert claim(None, "here", NOW, MINUTE) == Lease(holder="here", epoch=1, until=NOW + MINUTE)


def test_the_holder_renews_within_its_epoch_also_when_late() -> None:
    later = NOW + 5 * MINUTE
    assert claim(MINE, "here", later, MINUTE) == MINE.model_copy(update={"until": later + MINUTE})


def test_a_clock_that_went_back_does_not_shorten_it() -> None:
    assert claim(MINE, "here", NOW - MINUTE, MINUTE) == MINE


def test_nobody_else_gets_it_while_it_is_renewed_whatever_people_say() -> None:
    for fenced in (False, True):
        answer = claim(MINE, "there", NOW, MINUTE, fenced=fenced)
        assert isinstance(answer, Taken)
        assert "here holds the lease until 2026-01-01 00:01:00 UTC" in answer.reason


def test_that_time_is_over_does_not_show_that_bots_stand_still() -> None:
    answer = claim(MINE, "there", NOW + MINUTE, MINUTE)
    assert isinstance(answer, Taken)
    assert answer.reason == "here held the lease last, and nobody said that it is off"


def test_a_human_who_fenced_the_last_holder_off_opens_a_new_epoch() -> None:
    answer = claim(MINE, "there", NOW + MINUTE, MINUTE, fenced=True)
    assert answer == Lease(holder="there", epoch=4, until=NOW + 2 * MINUTE)


def test_live_bots_start_only_while_the_lease_is_ones_own() -> None:
    assert may_start_live(MINE, "here", NOW)
    assert not may_start_live(MINE, "here", NOW + MINUTE)
    assert not may_start_live(MINE, "there", NOW)
    assert not may_start_live(None, "here", NOW)


@given(
    st.lists(
        st.tuples(st.sampled_from(["here", "there", "elsewhere"]), st.integers(0, 3), st.booleans())
    )
)
def test_at_no_moment_two_may_start(asked: list[tuple[str, int, bool]]) -> None:
    now, lease = NOW, None
    for holder, minutes, fenced in asked:
        now += minutes * MINUTE
        before = lease
        answer = claim(lease, holder, now, MINUTE, fenced=fenced)
        lease = answer if isinstance(answer, Lease) else lease
        names = [n for n in ("here", "there", "elsewhere") if may_start_live(lease, n, now)]
        assert len(names) <= 1
        if before and lease and before.holder != lease.holder:
            assert (lease.epoch, fenced) == (before.epoch + 1, True)
            assert not may_start_live(before, before.holder, now)
