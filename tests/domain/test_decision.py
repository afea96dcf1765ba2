"""Where a rollback leads, and where it leads nowhere."""

from datetime import UTC, datetime

from pipelines.domain.decision import Escalate, RollBack, turn_back
from pipelines.domain.entry import Entry, Unverified, Verified
from pipelines.domain.promotion import Kind, Promotion
from pipelines.domain.record import Line, Record, Track

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ONE, TWO, THREE = ("1" * 64, "2" * 64, "3" * 64)


def promoted(digest: str, kind: Kind = Kind.PROMOTE, step: int = 1, stake: int = 100) -> Promotion:
    return Promotion(
        kind=kind,
        environment="prod",
        strategy="calm",
        release=f"calm@{digest[0]}.0.0+{digest[:8]}",
        digest=digest,
        step=step,
        stake=stake,
        by="ada",
        at=NOW,
    )


def verified(digest: str) -> Verified:
    return Verified(environment="prod", strategy="calm", digest=digest, at=NOW)


def failed(digest: str) -> Unverified:
    return Unverified(environment="prod", strategy="calm", digest=digest, reason="no", at=NOW)


def track(*entries: Entry) -> Track:
    lines = [Line(number, entry) for number, entry in enumerate(entries, 1)]
    return Record.of(lines).track("prod", "calm")


def turned(*entries: Entry) -> RollBack | Escalate:
    return turn_back(track(*entries), "prod", "calm", ("it lost money",))


def target(*entries: Entry) -> str | None:
    back = turned(*entries)
    return back.to.digest if isinstance(back, RollBack) else None


def test_leads_to_the_last_release_that_was_verified_here() -> None:
    steps = (promoted(ONE), verified(ONE), promoted(TWO), verified(TWO), promoted(THREE))
    assert target(*steps) == TWO
    assert target(*steps, verified(THREE)) == TWO


def test_passes_over_what_was_never_verified_here() -> None:
    assert target(promoted(ONE), verified(ONE), promoted(TWO), promoted(THREE)) == ONE


def test_passes_over_what_lost_its_verification() -> None:
    steps = (promoted(ONE), verified(ONE), promoted(TWO), verified(TWO), promoted(THREE))
    assert target(*steps, failed(TWO)) == ONE


def test_an_earlier_step_of_the_same_release_is_no_way_back() -> None:
    assert target(promoted(ONE, stake=50), verified(ONE), promoted(ONE, step=2)) is None


def test_comes_back_at_the_stake_that_the_release_had() -> None:
    back = turned(promoted(ONE, step=2, stake=50), verified(ONE), promoted(TWO))
    assert isinstance(back, RollBack)
    entry = back.promotion("agent", NOW, automatic=True)
    assert (entry.kind, entry.digest, entry.step, entry.stake) == (Kind.ROLLBACK, ONE, 2, 50)
    assert (entry.reason, entry.automatic) == ("it lost money", True)


def test_without_a_way_back_a_human_is_told() -> None:
    assert turned(promoted(ONE)) == Escalate(
        "prod", "calm", ("it lost money", "no other release was ever verified here")
    )


def test_where_nothing_is_wanted_there_is_nothing_to_turn_back_from() -> None:
    assert turned() == Escalate("prod", "calm", ("it lost money", "nothing is wanted here"))


def test_a_rollback_is_never_rolled_back_though_there_were_others_to_go_to() -> None:
    steps = (promoted(ONE), verified(ONE), promoted(TWO), verified(TWO), promoted(THREE))
    back = turned(*steps, promoted(TWO, Kind.ROLLBACK))
    assert isinstance(back, Escalate)
    assert back.reasons[-1] == "what is wanted here came by a rollback already"


def test_after_a_rollback_a_new_release_may_be_rolled_back_again() -> None:
    steps = (promoted(ONE), verified(ONE), promoted(TWO), promoted(ONE, Kind.ROLLBACK))
    assert target(*steps, verified(ONE), promoted(THREE)) == ONE
