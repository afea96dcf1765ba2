"""Halts in the record: who lifts what, and that nothing lifts what somebody else has halted."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from pipelines.domain.entry import ALL, Entry, Flattened, Halted, Resumed, Tripped
from pipelines.domain.record import Line, Record

NOON = datetime(2023, 5, 6, 12, tzinfo=UTC)
KEY = ("sandbox", "beat")


def after(*entries: Entry) -> Record:
    return Record.of(Line(number, entry) for number, entry in enumerate(entries, 1))


def halted(limit: str = "", strategy: str = "beat") -> Halted:
    return Halted(environment="sandbox", strategy=strategy, by="ann", at=NOON, limit=limit)


def flattened(strategy: str = "beat") -> Flattened:
    return Flattened(environment="sandbox", strategy=strategy, by="ann", at=NOON)


def resumed(lifts: str = "", strategy: str = "beat", hours: int = 1) -> Resumed:
    at = NOON + timedelta(hours=hours)
    return Resumed(environment="sandbox", strategy=strategy, by="ann", at=at, lifts=lifts)


def test_what_is_to_be_sold_is_halted_until_somebody_resumes() -> None:
    record = after(flattened())
    assert record.halt(*KEY) == record.flat(*KEY) == flattened()
    assert after(flattened(), halted()).flat(*KEY) == flattened()
    assert after(flattened(), halted()).halt(*KEY) == flattened()
    done = after(flattened(), resumed())
    assert (done.halt(*KEY), done.flat(*KEY)) == (None, None)


def test_flattening_an_environment_means_every_strategy_of_it() -> None:
    record = after(flattened(ALL))
    assert record.flat(*KEY) == record.halt(*KEY) == flattened(ALL)
    assert record.flat("prod", "beat") is None


def test_a_protection_lifts_its_own_halt_and_nobody_else_s() -> None:
    assert after(halted("reference"), resumed("reference")).halt(*KEY) is None
    for other in (halted(), halted("max_drawdown"), halted("reference?")):
        assert after(other, resumed("reference")).halt(*KEY) == other
    assert after(flattened(), resumed("reference")).flat(*KEY) == flattened()
    # Somebody halted meanwhile: that is his to lift.
    both = after(halted("reference"), halted(), resumed("reference"))
    assert both.halt(*KEY) == halted()


def test_only_somebody_who_says_go_on_begins_losses_anew() -> None:
    assert after(halted("reference"), resumed("reference")).resumed(*KEY) is None
    assert after(resumed()).resumed(*KEY) == NOON + timedelta(hours=1)
    both = after(resumed(strategy=ALL, hours=3), resumed(hours=2))
    assert both.resumed(*KEY) == NOON + timedelta(hours=3)
    assert both.resumed("sandbox", "other") == NOON + timedelta(hours=3)


def test_a_trip_alone_halts_nothing() -> None:
    trip = Tripped(
        environment="sandbox",
        strategy="beat",
        by="agent",
        at=NOON,
        limit="max_exposure",
        allowed=Decimal(1),
        actual=None,
        then="warn",
    )
    assert after(trip).halt(*KEY) is None


ENTRIES = st.one_of(
    st.builds(halted, st.sampled_from(["", "reference", "max_drawdown"])),
    st.just(flattened()),
    st.builds(resumed, st.sampled_from(["", "reference", "max_drawdown?"])),
)


@given(st.lists(ENTRIES, max_size=12))
def test_what_is_to_be_sold_never_enters(entries: list[Entry]) -> None:
    record = after(*entries)
    if record.flat(*KEY) is not None:
        assert record.halt(*KEY) is not None
    last = max((n for n, e in enumerate(entries) if e == resumed()), default=-1)
    if any(isinstance(e, Flattened) for e in entries[last + 1 :]):
        assert record.flat(*KEY) is not None
