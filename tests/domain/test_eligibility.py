"""Every reason that keeps a release out, each beside an innocent twin that gets in."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.domain import approving
from pipelines.domain.candidate import Because, Candidate
from pipelines.domain.eligibility import Eligible, Refused, eligibility
from pipelines.domain.entry import (
    Entry,
    Escalated,
    Halted,
    Held,
    Resumed,
    Seen,
    Unheld,
    Unverified,
    Verified,
)
from pipelines.domain.promotion import (
    Approval,
    Approved,
    Kind,
    Promotion,
    PromotionPolicy,
    Risk,
    Soak,
)
from pipelines.domain.record import Line, Record

START = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def digest(version: str) -> str:
    return sha256(version.encode()).hexdigest()


def release(version: str) -> str:
    return f"calm@{version}+{digest(version)[:8]}"


@dataclass(frozen=True)
class Place:
    name: str
    mode: Literal["dry_run", "live"]
    policy: PromotionPolicy
    demo: bool = False
    ramp: tuple[int, ...] = (100,)


def soak(hours: int, trades: int) -> Soak:
    return Soak.model_validate({"hours": hours, "trades": trades})


PLACES = {
    "test": Place("test", "dry_run", PromotionPolicy(approval=Approval.AUTOMATIC)),
    "sandbox": Place(
        "sandbox",
        "live",
        PromotionPolicy(upstream="test", soak=soak(10, 3), approval=Approval.TAG),
    ),
    "prod": Place(
        "prod",
        "live",
        PromotionPolicy(
            upstream="sandbox", soak=soak(20, 5), approval=Approval.SIGNED, signatures=2
        ),
        ramp=(25, 50, 100),
    ),
}


@dataclass
class Story:
    """A record that is told entry by entry, an hour apart."""

    entries: list[Entry] = field(default_factory=list)
    now: datetime = START

    def tell(self, what: Callable[..., Entry], **said: Any) -> None:
        self.now += HOUR
        self.entries.append(what(at=self.now, **said))

    def say(self, what: Callable[..., Entry], env: str, strategy: str = "calm") -> None:
        self.tell(what, environment=env, strategy=strategy, by="ada")

    @property
    def record(self) -> Record:
        return Record.of(Line(n, entry) for n, entry in enumerate(self.entries, 1))

    def promote(self, version: str, env: str, kind: Kind = Kind.PROMOTE, **more: Any) -> None:
        said = {"release": release(version), "digest": digest(version), "reason": "it was asked"}
        about = {"environment": env, "strategy": "calm", "by": "ada", "kind": kind}
        self.tell(Promotion, **said | about | more)

    def verify(self, version: str, env: str) -> None:
        self.tell(Verified, environment=env, strategy="calm", digest=digest(version))

    def fail(self, version: str, env: str) -> None:
        about = {"environment": env, "strategy": "calm", "digest": digest(version)}
        self.tell(Unverified, reason="another digest runs", **about)

    def see(self, version: str, env: str, hours: int, trades: int) -> None:
        """Hour by hour, the trades at the end."""
        for hour in range(1, hours + 1):
            closed = trades if hour == hours else 0
            about = {"environment": env, "strategy": "calm", "digest": digest(version)}
            self.tell(Seen, closed=closed, **about)

    def soak(self, version: str, env: str, hours: int, trades: int) -> None:
        self.promote(version, env)
        self.verify(version, env)
        self.see(version, env, hours, trades)

    def approve(self, version: str, env: str, by: str, **changed: Any) -> None:
        track = self.record.track(env, "calm")
        said: dict[str, Any] = {
            "means": "signature",
            "environment": env,
            "release": release(version),
            "digest": digest(version),
            "step": 1,
            "predecessor": track.current.digest if track.current else None,
            "sequence": track.promotions + 1,
            "expires": self.now + 24 * HOUR,
            "identity": f"{version} {env} {track.promotions}",
            "by": by,
            "key": f"SHA256:{by}",
        }
        self.tell(Approved, **said | changed)

    def ask(self, version: str, env: str, **more: Any) -> Eligible | Refused:
        places = more.pop("places", PLACES)
        later = more.pop("later", timedelta())
        candidate = Candidate(release(version), digest(version), **more)
        return eligibility(candidate, places[env], places, self.record, self.now + later)


def ready() -> Story:
    """1.1.0 has all that it takes to enter prod, where 1.0.0 is at the whole stake."""
    story = Story()
    for step in (1, 2, 3):
        story.promote("1.0.0", "prod", step=step)
        story.verify("1.0.0", "prod")
    story.soak("1.1.0", "test", 10, 3)
    story.soak("1.1.0", "sandbox", 20, 5)
    return story


def approved() -> Story:
    story = ready()
    story.approve("1.1.0", "prod", "ada")
    story.approve("1.1.0", "prod", "bob")
    return story


def about(answer: Eligible | Refused) -> dict[Because, list[str]]:
    told: dict[Because, list[str]] = {}
    for reason in answer.reasons if isinstance(answer, Refused) else ():
        told.setdefault(reason.because, []).append(reason.text)
    return told


def refused_for(answer: Eligible | Refused, because: Because) -> str:
    """The only kind of reason given, in words."""
    told = about(answer)
    assert list(told) == [because], told
    return "; ".join(told[because])


Change = Callable[[Story], Eligible | Refused]


def case(before: Callable[[Story], object], **asked: Any) -> Change:
    def change(story: Story) -> Eligible | Refused:
        before(story)
        given = {"version": "1.1.0", "env": "prod"} | asked
        return story.ask(given.pop("version"), given.pop("env"), **given)

    return change


def nothing(story: Story) -> None:
    """The story as it is."""


def two_sign(version: str = "1.1.0", env: str = "prod", **changed: Any) -> Callable[[Story], None]:
    def sign(story: Story) -> None:
        story.approve(version, env, "ada", **changed)
        story.approve(version, env, "bob", **changed)

    return sign


def then(*steps: Callable[[Story], object]) -> Callable[[Story], None]:
    def run(story: Story) -> None:
        for step in steps:
            step(story)

    return run


def demo(**policy: Any) -> dict[str, Place]:
    return PLACES | {"prod": replace(PLACES["prod"], demo=True)}


def prod(**changed: Any) -> dict[str, Place]:
    policy = PLACES["prod"].policy.model_copy(update=changed)
    return PLACES | {"prod": replace(PLACES["prod"], policy=policy)}


def say(what: Callable[..., Entry], strategy: str = "calm") -> Callable[[Story], None]:
    return lambda story: story.say(what, "prod", strategy)


def fail(story: Story) -> None:
    story.fail("1.1.0", "sandbox")


def verify(story: Story) -> None:
    story.verify("1.1.0", "sandbox")


def watch(story: Story) -> None:
    story.see("1.1.0", "sandbox", 9, 9)


SIGN = two_sign()

ROWS: list[tuple[str, Because, str, Change, Change]] = [
    (
        "a demo release stays in the demo",
        Because.DEMO,
        "labelled demo",
        case(SIGN, demo=True),
        case(SIGN, demo=True, places=demo()),
    ),
    (
        "nobody asked",
        Because.ASKED,
        "approval here is signed",
        case(SIGN, automatic=True),
        case(SIGN, automatic=True, places=prod(approval=Approval.AUTOMATIC)),
    ),
    (
        "an environment on hold",
        Because.HOLD,
        "prod is on hold by ada",
        case(then(SIGN, say(Held))),
        case(then(SIGN, say(Held), say(Unheld))),
    ),
    (
        "every strategy on hold",
        Because.HOLD,
        "prod is on hold by ada",
        case(then(SIGN, say(Held, "*"))),
        case(then(SIGN, say(Held, "wild"))),
    ),
    (
        "halted",
        Because.HALT,
        "prod was halted by ada",
        case(then(SIGN, say(Halted))),
        case(
            then(
                SIGN,
                say(Halted),
                say(Resumed),
            )
        ),
    ),
    (
        "verification was taken away",
        Because.UPSTREAM,
        "verification in sandbox was taken away: another digest runs",
        case(
            then(
                SIGN,
                fail,
                watch,
            ),
            places=prod(soak=None),
        ),
        case(
            then(SIGN, fail, verify),
            places=prod(soak=None),
        ),
    ),
    (
        "verified elsewhere is not verified upstream",
        Because.UPSTREAM,
        "it never was in nursery",
        case(SIGN, places=prod(upstream="nursery", soak=None) | {"nursery": PLACES["test"]}),
        case(SIGN, places=prod(upstream="test", soak=None)),
    ),
    (
        "an upstream that is not there",
        Because.UPSTREAM,
        "there is no environment nursery",
        case(SIGN, places=prod(upstream="nursery", soak=None)),
        case(SIGN, places=prod(upstream="sandbox", soak=None)),
    ),
    (
        "too short a soak",
        Because.SOAK_TIME,
        "20.0 of 21.0 hours verified in sandbox",
        case(SIGN, places=prod(soak=soak(21, 5))),
        case(SIGN, places=prod(soak=soak(20, 5))),
    ),
    (
        "too few trades",
        Because.SOAK_TRADES,
        "5 of 6 trades closed in sandbox",
        case(SIGN, places=prod(soak=soak(20, 6))),
        case(SIGN, places=prod(soak=soak(20, 5))),
    ),
    (
        "a step that is too high",
        Because.RAMP,
        "step 2 comes after step 1",
        case(two_sign(step=2), step=2),
        case(SIGN, step=1),
    ),
    (
        "a step beyond the ramp",
        Because.RAMP,
        "there is no step 4",
        case(two_sign(step=4), step=4),
        case(SIGN, step=1),
    ),
    (
        "nobody signed",
        Because.APPROVAL,
        "signed by 0 of 2 people",
        case(nothing),
        case(SIGN),
    ),
    (
        "one signature of two",
        Because.APPROVAL,
        "signed by 1 of 2 people",
        case(lambda s: s.approve("1.1.0", "prod", "ada")),
        case(lambda s: s.approve("1.1.0", "prod", "ada"), places=prod(signatures=1)),
    ),
    (
        "one person signed twice",
        Because.APPROVAL,
        "signed by 1 of 2 people",
        case(
            then(
                lambda s: s.approve("1.1.0", "prod", "ada"),
                lambda s: s.approve("1.1.0", "prod", "ada", key="another key"),
            )
        ),
        case(SIGN),
    ),
    (
        "one key under two names",
        Because.APPROVAL,
        "signed by 1 of 2 people",
        case(two_sign(key="SHA256:one")),
        case(SIGN),
    ),
    (
        "live without any signature, whatever the policy says",
        Because.APPROVAL,
        "signed by 0 of 1 people",
        case(nothing, places=prod(approval=Approval.MERGE, signatures=0)),
        case(
            nothing,
            places={
                **PLACES,
                "prod": replace(
                    prod(approval=Approval.MERGE, signatures=0)["prod"], mode="dry_run"
                ),
            },
        ),
    ),
    (
        "an approval that expired",
        Because.APPROVAL,
        "it expired at 2026-01-03",
        case(SIGN, later=48 * HOUR),
        case(SIGN, later=20 * HOUR),
    ),
    (
        "an approval from before another promotion",
        Because.APPROVAL,
        "it was for promotion 4, the next is 5; the signature by ada does not count: another",
        case(then(SIGN, lambda s: s.promote("1.0.5", "prod"))),
        case(then(lambda s: s.promote("1.0.5", "prod"), SIGN)),
    ),
    (
        "an approval for a later turn",
        Because.APPROVAL,
        "it is for promotion 9, out of order: next is 4",
        case(two_sign(sequence=9)),
        case(two_sign(sequence=4)),
    ),
    (
        "an approval of another step",
        Because.APPROVAL,
        "it is for step 2",
        case(two_sign(step=2)),
        case(two_sign(step=1)),
    ),
    (
        "an approval of another release",
        Because.APPROVAL,
        "signed by 0 of 2 people",
        case(two_sign("1.2.0")),
        case(two_sign("1.1.0")),
    ),
    (
        "a tag where a signature is needed",
        Because.APPROVAL,
        "a tag is not enough here",
        case(two_sign(means="tag", identity="tag one")),
        case(two_sign(means="tag", identity="tag one"), places=prod(approval=Approval.TAG)),
    ),
]


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_each_reason_keeps_out_and_its_twin_gets_in(
    row: tuple[str, Because, str, Change, Change],
) -> None:
    _, because, text, guilty, innocent = row
    told = refused_for(guilty(ready()), because)
    assert text in told
    answer = innocent(ready())
    assert isinstance(answer, Eligible), answer


HERE = {Because.COUPLINGS, Because.KEY, Because.KEY_OPEN, Because.KEY_UNREAD}
"""What the host and the exchange say, on top of the ledger: tests/agent/test_clearance.py."""


def test_every_kind_of_reason_has_a_row_or_a_test_of_its_own() -> None:
    elsewhere = {Because.VERSION, Because.CROWDED} | HERE
    assert {row[1] for row in ROWS} | elsewhere == set(Because)


def test_all_reasons_come_at_once() -> None:
    story = Story()
    story.promote("2.0.0", "prod")
    story.say(Held, "prod")
    story.say(Halted, "prod")
    answer = story.ask("1.1.0", "prod", demo=True, automatic=True, step=2)
    assert set(about(answer)) == set(Because) - {Because.CROWDED} - HERE


def test_what_is_refused_still_hears_what_speaks_for_it() -> None:
    answer = ready().ask("1.1.0", "prod")
    assert isinstance(answer, Refused)
    assert "verified in sandbox" in [ground.text for ground in answer.grounds]
    assert set(answer.grounds).isdisjoint(answer.reasons)


def test_what_is_newer_than_what_was_taken_back_hears_so() -> None:
    story = Story()
    for version in ("1.0.0", "1.1.0"):
        story.promote(version, "test")
    story.promote("1.0.0", "test", Kind.ROLLBACK)
    answer = story.ask("1.2.0", "test")
    assert isinstance(answer, Eligible)
    text = f"newer than {release('1.1.0')}, which was taken back"
    assert text in [ground.text for ground in answer.grounds]


def test_where_nothing_is_upstream_nothing_soaks() -> None:
    answer = case(SIGN, places=prod(upstream=None))(ready())
    assert isinstance(answer, Eligible)


def test_what_soaks_for_nobody_is_displaced() -> None:
    story = Story()
    story.soak("1.0.0", "test", 1, 0)
    policy = PLACES["sandbox"].policy.model_copy(update={"soak": None})
    places = {**PLACES, "sandbox": replace(PLACES["sandbox"], policy=policy)}
    assert isinstance(story.ask("1.1.0", "test", automatic=True, places=places), Eligible)
    assert list(about(story.ask("1.1.0", "test", automatic=True))) == [Because.CROWDED]


@pytest.mark.parametrize(
    ("hours", "trades", "crowded"), [(10, 3, False), (10, 2, True), (9, 3, True)]
)
def test_what_has_soaked_long_enough_and_often_enough_is_displaced(
    hours: int, trades: int, crowded: bool
) -> None:
    story = Story()
    story.soak("1.0.0", "test", hours, trades)
    answer = story.ask("1.1.0", "test", automatic=True)
    assert (Because.CROWDED in about(answer)) is crowded


def test_a_release_that_is_no_hotfix_is_not_called_one() -> None:
    answer = approved().ask("1.1.0", "prod")
    assert isinstance(answer, Eligible)
    assert Because.VERSION not in {ground.because for ground in answer.grounds}
    short = case(SIGN, places=prod(soak=soak(21, 6)))(ready())
    assert isinstance(short, Refused)
    assert [each.hint for each in short.reasons] == ["only time helps", "only trades help"]


def test_where_nobody_has_to_sign_nobody_has_and_no_risk_is_accepted() -> None:
    answer = Story().ask("1.1.0", "test")
    assert isinstance(answer, Eligible)
    assert Because.APPROVAL not in {ground.because for ground in answer.grounds}
    assert answer.accepts == ()


def test_after_a_retirement_nothing_comes_back_by_itself() -> None:
    story = Story()
    story.promote("1.0.0", "test")
    retired = {"kind": Kind.RETIRE, "environment": "test", "strategy": "calm", "by": "ada"}
    story.tell(Promotion, **retired)
    answer = story.ask("1.1.0", "test", automatic=True)
    assert "since it was taken away" in refused_for(answer, Because.ASKED)
    story.promote("1.0.0", "test", Kind.ROLLBACK)
    assert isinstance(story.ask("1.1.0", "test"), Eligible)


def test_an_approval_ends_with_its_last_moment() -> None:
    story = ready()
    ends = story.now + 9 * HOUR
    two_sign(expires=ends)(story)
    left = ends - story.now
    assert isinstance(story.ask("1.1.0", "prod", later=left - HOUR / 60), Eligible)
    assert "it expired" in refused_for(story.ask("1.1.0", "prod", later=left), Because.APPROVAL)


def test_one_signature_is_enough_for_a_risk_where_one_is_enough() -> None:
    story = ready()
    story.approve("1.1.0", "prod", "ada", accepts=(Risk.LOOSER_STOP,))
    answer = story.ask("1.1.0", "prod", places=prod(signatures=1))
    assert isinstance(answer, Eligible)
    assert answer.accepts == (Risk.LOOSER_STOP,)


def test_each_step_says_what_it_means() -> None:
    answer = approved().ask("1.1.0", "prod")
    assert isinstance(answer, Eligible)
    assert "step 1 of 3, 25 % of the capital" in [ground.text for ground in answer.grounds]
    none = about(approved().ask("1.1.0", "prod", step=0))
    assert none[Because.RAMP] == ["there is no step 0: the ramp has 3"]
    far = approved().ask("1.1.0", "prod", step=3)
    assert isinstance(far, Refused)
    hints = [each.hint for each in far.reasons if each.because is Because.RAMP]
    assert hints == ["promote it to step 1 first"]
    story = approved()
    story.promote("1.1.0", "prod")
    text = "step 3 comes after step 2, and it is at 1"
    assert about(story.ask("1.1.0", "prod", step=3))[Because.RAMP] == [text]


def test_a_hold_says_why() -> None:
    story = approved()
    about = {"environment": "prod", "strategy": "calm", "by": "ada"}
    story.tell(Held, **about, reason="the exchange moves")
    text = refused_for(story.ask("1.1.0", "prod"), Because.HOLD)
    assert text == "prod is on hold by ada: the exchange moves"
    bare = approved()
    bare.tell(Held, **about)
    assert refused_for(bare.ask("1.1.0", "prod"), Because.HOLD) == "prod is on hold by ada"


@pytest.mark.parametrize(
    ("mode", "approval", "signatures", "least"),
    [
        ("dry_run", Approval.AUTOMATIC, 0, 0),
        ("dry_run", Approval.TAG, 0, 1),
        ("dry_run", Approval.SIGNED, 0, 1),
        ("live", Approval.AUTOMATIC, 0, 1),
        ("live", Approval.SIGNED, 2, 2),
    ],
)
def test_how_many_have_to_sign(mode: Any, approval: Approval, signatures: int, least: int) -> None:
    changed = {"approval": approval, "signatures": signatures}
    policy = PLACES["prod"].policy.model_copy(update=changed)
    assert approving.needed(Place("prod", mode, policy)) == least


def test_approvals_are_told_as_they_were_given() -> None:
    story = ready()
    for name in ("bob", "ada"):
        story.approve("1.1.0", "prod", name)
    given_ = approving.given(story.record.track("prod", "calm"), digest("1.1.0"))
    assert [each.by for each in given_] == ["bob", "ada"]


def test_refusals_that_can_be_mended_say_how() -> None:
    answer = ready().ask("1.1.0", "prod")
    assert isinstance(answer, Refused)
    hint = f"sign with 'sluice approve {release('1.1.0')} prod'"
    assert [reason.hint for reason in answer.reasons] == [hint]


# Kargo's words, with its bugs.


def test_the_time_of_another_version_counts_for_nothing() -> None:
    story = Story()
    story.soak("1.0.0", "test", 10, 3)
    story.soak("1.1.0", "test", 4, 1)
    story.approve("1.1.0", "sandbox", "ada")
    assert about(story.ask("1.1.0", "sandbox")) == {
        Because.SOAK_TIME: ["4.0 of 10.0 hours verified in test"],
        Because.SOAK_TRADES: ["1 of 3 trades closed in test"],
    }


def test_sightings_of_another_version_count_for_nothing() -> None:
    story = Story()
    story.soak("1.1.0", "test", 4, 1)
    story.see("1.0.0", "test", 20, 20)
    assert story.record.track("test", "calm").soak(digest("1.1.0")) == (4 * HOUR, 1)


def test_a_busy_pipeline_does_not_starve_what_soaked_before() -> None:
    story = Story()
    story.soak("1.0.0", "test", 10, 3)
    story.promote("1.1.0", "test")
    story.approve("1.0.0", "sandbox", "ada")
    assert isinstance(story.ask("1.0.0", "sandbox"), Eligible)


def test_a_busy_pipeline_does_not_displace_what_soaks_unless_a_human_asks() -> None:
    story = Story()
    story.soak("1.0.0", "test", 4, 3)
    told = refused_for(story.ask("1.1.0", "test", automatic=True), Because.CROWDED)
    assert told == f"{release('1.0.0')} soaks here for sandbox"
    assert isinstance(story.ask("1.1.0", "test"), Eligible)
    story.see("1.0.0", "test", 6, 3)
    assert isinstance(story.ask("1.1.0", "test", automatic=True), Eligible)


def test_what_failed_makes_room_at_once() -> None:
    story = Story()
    story.soak("1.0.0", "test", 4, 3)
    story.fail("1.0.0", "test")
    assert isinstance(story.ask("1.1.0", "test", automatic=True), Eligible)


def test_two_stays_of_one_release_add_up() -> None:
    story = Story()
    story.soak("1.0.0", "test", 6, 2)
    story.promote("1.1.0", "test")
    story.soak("1.0.0", "test", 4, 1)
    assert story.record.track("test", "calm").soak(digest("1.0.0")) == (10 * HOUR, 3)


def test_time_before_verification_does_not_count() -> None:
    story = Story()
    story.promote("1.0.0", "test")
    story.see("1.0.0", "test", 5, 4)
    story.verify("1.0.0", "test")
    story.see("1.0.0", "test", 2, 6)
    assert story.record.track("test", "calm").soak(digest("1.0.0")) == (2 * HOUR, 2)


def test_time_that_nobody_watched_does_not_count() -> None:
    story = Story()
    story.soak("1.0.0", "test", 4, 1)
    story.now += timedelta(days=30)
    story.see("1.0.0", "test", 1, 1)
    assert story.record.track("test", "calm").soak(digest("1.0.0"))[0] == 4 * HOUR


def test_no_hour_counts_twice_when_the_clock_goes_back() -> None:
    story = Story()
    story.soak("1.0.0", "test", 5, 1)
    story.now -= 4 * HOUR
    story.see("1.0.0", "test", 5, 1)
    assert story.record.track("test", "calm").soak(digest("1.0.0"))[0] == 6 * HOUR


def test_a_clock_that_went_back_makes_no_old_approval_valid() -> None:
    story = approved()
    story.now += 48 * HOUR
    story.say(Resumed, "prod")
    told = refused_for(story.ask("1.1.0", "prod", later=-48 * HOUR), Because.APPROVAL)
    assert "it expired" in told


def test_approval_does_not_bypass_a_soak() -> None:
    story = Story()
    story.soak("1.1.0", "test", 10, 3)
    story.soak("1.1.0", "sandbox", 2, 1)
    two_sign()(story)
    assert set(about(story.ask("1.1.0", "prod"))) == {Because.SOAK_TIME, Because.SOAK_TRADES}


def test_a_failed_verification_voids_the_soak_before_it() -> None:
    story = ready()
    story.fail("1.1.0", "sandbox")
    story.verify("1.1.0", "sandbox")
    story.see("1.1.0", "sandbox", 3, 6)
    assert story.record.track("sandbox", "calm").soak(digest("1.1.0")) == (3 * HOUR, 1)


def test_a_failed_verification_of_an_earlier_stay_counts_too() -> None:
    story = Story()
    story.soak("1.0.0", "test", 10, 3)
    story.promote("1.1.0", "test")
    story.fail("1.0.0", "test")
    story.approve("1.0.0", "sandbox", "ada")
    assert Because.UPSTREAM in about(story.ask("1.0.0", "sandbox"))


def test_a_second_promotion_of_the_same_release_is_verified_anew() -> None:
    story = ready()
    story.promote("1.1.0", "sandbox")
    two_sign()(story)
    told = refused_for(story.ask("1.1.0", "prod"), Because.UPSTREAM)
    assert told == "not yet verified in sandbox, where it was promoted"
    story.verify("1.1.0", "sandbox")
    assert isinstance(story.ask("1.1.0", "prod"), Eligible)


def rolled_back() -> Story:
    """1.1.0 reached prod and was taken back there."""
    story = approved()
    story.promote("1.1.0", "prod")
    story.promote("1.0.0", "prod", Kind.ROLLBACK, step=3)
    return story


def test_after_a_rollback_the_same_release_stays_out_until_a_human_lifts_the_hold() -> None:
    story = rolled_back()
    two_sign()(story)
    told = refused_for(story.ask("1.1.0", "prod"), Because.HOLD)
    assert told == f"prod is on hold since {release('1.1.0')} was taken back"
    story.say(Unheld, "prod")
    assert isinstance(story.ask("1.1.0", "prod"), Eligible)


def test_whoever_lifts_for_all_lifts_for_each() -> None:
    """'sluice unhold prod' and 'sluice resume prod' name no strategy."""
    story = approved()
    story.promote("1.1.0", "prod")
    story.verify("1.1.0", "prod")
    story.promote("1.0.0", "prod", Kind.ROLLBACK)
    story.say(Held, "prod")
    story.say(Halted, "prod")
    two_sign()(story)
    assert set(about(story.ask("1.1.0", "prod"))) == {Because.HOLD, Because.HALT}
    story.say(Unheld, "prod", "*")
    story.say(Resumed, "prod", "*")
    assert isinstance(story.ask("1.1.0", "prod"), Eligible)


def test_after_a_rollback_a_newer_release_lifts_the_hold() -> None:
    story = rolled_back()
    story.soak("1.2.0", "sandbox", 20, 5)
    two_sign("1.2.0")(story)
    assert isinstance(story.ask("1.2.0", "prod"), Eligible)
    story.promote("1.2.0", "prod")
    assert story.record.track("prod", "calm").undone is None


def test_after_a_rollback_nothing_older_slips_in() -> None:
    story = rolled_back()
    story.soak("1.0.9", "sandbox", 20, 5)
    two_sign("1.0.9")(story)
    assert "was taken back" in refused_for(story.ask("1.0.9", "prod"), Because.HOLD)


def test_a_hold_by_hand_outlives_a_newer_release() -> None:
    story = rolled_back()
    story.say(Held, "prod")
    story.soak("1.2.0", "sandbox", 20, 5)
    two_sign("1.2.0")(story)
    assert refused_for(story.ask("1.2.0", "prod"), Because.HOLD) == "prod is on hold by ada"


def test_what_was_taken_back_upstream_goes_nowhere_downstream() -> None:
    story = ready()
    story.promote("1.0.0", "sandbox", Kind.ROLLBACK)
    two_sign()(story)
    told = about(story.ask("1.1.0", "prod"))
    assert "taken away: rolled back: it was asked" in told[Because.UPSTREAM][0]


def test_retiring_keeps_the_hold_that_a_rollback_left() -> None:
    story = rolled_back()
    story.promote("1.1.0", "prod", Kind.RETIRE, release=None, digest=None)
    two_sign()(story)
    assert "was taken back" in refused_for(story.ask("1.1.0", "prod"), Because.HOLD)


def test_what_was_given_up_stays_out_like_what_was_rolled_back() -> None:
    story = ready()
    story.promote("1.1.0", "prod")
    gone = {"environment": "prod", "strategy": "calm", "digest": digest("1.1.0")}
    story.tell(Escalated, reason="nothing to go back to", **gone)
    assert story.record.track("prod", "calm").current is None
    two_sign()(story)
    assert "was taken back" in refused_for(story.ask("1.1.0", "prod"), Because.HOLD)


@pytest.mark.parametrize(
    ("version", "text"),
    [
        ("0.9.0", f"older than {release('1.0.0')}, which is wanted here"),
        ("1.0.0", None),
        ("1.0.1", None),
    ],
)
def test_a_downgrade_is_only_by_rollback(version: str, text: str | None) -> None:
    story = Story()
    story.promote("1.0.0", "test")
    told = about(story.ask(version, "test"))
    assert told == ({Because.VERSION: [text]} if text else {})


def test_one_version_has_one_digest() -> None:
    story = Story()
    story.promote("1.0.0", "test")
    other = Candidate("calm@1.0.0+00000000", "0" * 64)
    answer = eligibility(other, PLACES["test"], PLACES, story.record, story.now)
    assert "same version and another digest" in refused_for(answer, Because.VERSION)


def test_the_ramp_is_climbed_step_by_step_each_verified() -> None:
    story = approved()
    story.promote("1.1.0", "prod")
    two_sign(step=2)(story)
    assert refused_for(story.ask("1.1.0", "prod", step=2), Because.RAMP) == "not verified at step 1"
    story.verify("1.1.0", "prod")
    assert isinstance(story.ask("1.1.0", "prod", step=2), Eligible)


def test_a_new_release_begins_at_the_first_step() -> None:
    story = ready()
    two_sign(step=3)(story)
    told = refused_for(story.ask("1.1.0", "prod", step=3), Because.RAMP)
    assert told == "step 3 comes after step 2, and it is at none"


def test_automatic_promotion_does_not_repeat_itself() -> None:
    story = Story()
    story.promote("1.0.0", "test")
    answer = story.ask("1.0.0", "test", automatic=True)
    assert refused_for(answer, Because.ASKED) == "it is wanted here already"


def paper(**policy: Any) -> dict[str, Place]:
    """sandbox on paper: what is verified in test enters by itself."""
    automatic = PromotionPolicy(upstream="test", approval=Approval.AUTOMATIC, **policy)
    sandbox = replace(PLACES["sandbox"], mode="dry_run", policy=automatic)
    return {"test": PLACES["test"], "sandbox": sandbox}


def entered(*versions: str) -> Story:
    """These came into sandbox one after the other; 1.2.0 is verified in test."""
    story = Story()
    for version in versions:
        story.promote(version, "sandbox")
        story.verify(version, "sandbox")
    story.promote("1.2.0", "test")
    story.verify("1.2.0", "test")
    return story


def by_itself(story: Story, version: str = "1.2.0") -> Eligible | Refused:
    return story.ask(version, "sandbox", automatic=True, places=paper())


def test_what_soaked_enters_by_itself_for_the_first_time_and_over_an_older_one() -> None:
    assert isinstance(by_itself(entered()), Eligible)
    assert isinstance(by_itself(entered("1.0.0", "1.1.0")), Eligible)


@pytest.mark.parametrize("kind", [Kind.RETIRE, Kind.ROLLBACK])
def test_what_people_took_away_never_comes_back_by_itself(kind: Kind) -> None:
    story = entered("1.1.0", "1.2.0")
    back = {"release": None, "digest": None} if kind is Kind.RETIRE else {}
    story.promote("1.1.0", "sandbox", kind, **back)
    story.say(Unheld, "sandbox")
    assert "which was here before" in refused_for(by_itself(story), Because.ASKED)
    assert isinstance(story.ask("1.2.0", "sandbox", places=paper()), Eligible), "a human may"


def test_where_a_strategy_was_retired_or_given_up_only_people_begin_anew() -> None:
    retired, given_up = entered("1.0.0"), entered("1.0.0")
    retired.promote("1.0.0", "sandbox", Kind.RETIRE, release=None, digest=None)
    about = {"environment": "sandbox", "strategy": "calm", "digest": digest("1.0.0")}
    given_up.tell(Escalated, reason="it kept dying", **about)
    for story in (retired, given_up):
        text = refused_for(by_itself(story), Because.ASKED)
        assert text == "nothing is wanted here since it was taken away"
        assert isinstance(story.ask("1.2.0", "sandbox", places=paper()), Eligible)


def test_what_was_passed_over_does_not_come_in_once_the_newer_one_is_gone() -> None:
    story = entered("1.0.0", "1.3.0")
    story.promote("1.0.0", "sandbox", Kind.ROLLBACK)
    story.say(Unheld, "sandbox")
    assert "no newer than calm@1.3.0" in refused_for(by_itself(story), Because.ASKED)


def test_after_a_rollback_only_something_newer_comes_in_by_itself() -> None:
    story = entered("1.0.0", "1.1.0")
    story.promote("1.0.0", "sandbox", Kind.ROLLBACK)
    assert isinstance(by_itself(story), Eligible)
    story.say(Held, "sandbox")
    assert "on hold by ada" in refused_for(by_itself(story), Because.HOLD)


def test_money_needs_a_signature_also_where_releases_enter_by_themselves() -> None:
    story = ready()
    places = prod(approval=Approval.AUTOMATIC, signatures=0)
    ask = {"automatic": True, "places": places}
    assert refused_for(story.ask("1.1.0", "prod", **ask), Because.APPROVAL)
    story.approve("1.1.0", "prod", "ada")
    assert isinstance(story.ask("1.1.0", "prod", **ask), Eligible)


def test_a_tag_authorises_once() -> None:
    story = Story()
    story.soak("1.1.0", "test", 10, 3)
    tag = {"means": "tag", "identity": "a tag object", "step": None, "sequence": None}
    story.approve("1.1.0", "sandbox", "ada", **tag)
    answer = story.ask("1.1.0", "sandbox")
    assert isinstance(answer, Eligible)
    assert answer.approvals == ("a tag object",)
    story.promote("1.1.0", "sandbox", approvals=answer.approvals)
    story.approve("1.1.0", "sandbox", "ada", **tag)
    assert "it was used before" in refused_for(story.ask("1.1.0", "sandbox"), Because.APPROVAL)


def test_an_old_approval_beside_enough_good_ones_does_no_harm() -> None:
    story = ready()
    story.approve("1.1.0", "prod", "ada", sequence=1)
    two_sign()(story)
    answer = story.ask("1.1.0", "prod")
    assert isinstance(answer, Eligible)
    assert "approved by ada, bob" in [ground.text for ground in answer.grounds]


@pytest.mark.parametrize(
    ("ada", "bob", "counts"),
    [
        ((Risk.LOOSER_STOP,), (Risk.LOOSER_STOP,), (Risk.LOOSER_STOP,)),
        ((Risk.LOOSER_STOP,), (), ()),
        ((Risk.LOOSER_STOP,), (Risk.STOP_IN_BOT,), ()),
    ],
)
def test_a_risk_counts_when_as_many_signed_for_it_as_for_the_promotion(
    ada: tuple[Risk, ...], bob: tuple[Risk, ...], counts: tuple[Risk, ...]
) -> None:
    story = ready()
    story.approve("1.1.0", "prod", "ada", accepts=ada)
    story.approve("1.1.0", "prod", "bob", accepts=bob)
    answer = story.ask("1.1.0", "prod")
    assert isinstance(answer, Eligible)
    assert answer.accepts == counts


def hotfix(signed_by: tuple[str, ...], hours: int = 2, trades: int = 1) -> Eligible | Refused:
    story = Story()
    story.promote("1.0.0", "prod")
    story.verify("1.0.0", "prod")
    story.soak("1.0.1", "sandbox", hours, trades)
    for name in signed_by:
        story.approve("1.0.1", "prod", name)
    places = prod(signatures=1)
    return story.ask("1.0.1", "prod", places=places, hotfix_of=digest("1.0.0"))


def test_a_hotfix_with_two_signatures_soaks_a_tenth_and_says_so() -> None:
    answer = hotfix(("ada", "bob"))
    assert isinstance(answer, Eligible)
    said = [ground.text for ground in answer.grounds if ground.because is Because.SOAK_TIME]
    assert said == [
        "2.0 of 2.0 hours verified in sandbox, shortened for a hotfix with two signatures"
    ]


def test_a_hotfix_with_one_signature_soaks_as_long_as_any_release() -> None:
    answer = hotfix(("ada",))
    assert set(about(answer)) == {Because.SOAK_TIME, Because.SOAK_TRADES}
    assert isinstance(answer, Refused)
    assert ["two signatures" in reason.hint for reason in answer.reasons] == [True, True]


@pytest.mark.parametrize("signed_by", [(), ("ada",), ("ada", "bob")])
def test_a_hotfix_is_told_as_one_whoever_signed(signed_by: tuple[str, ...]) -> None:
    told = [each.text for each in hotfix(signed_by).grounds if each.because is Because.VERSION]
    assert told == [
        f"a hotfix of {release('1.0.0')}: only freqtrade or ccxt is another, "
        "every trade of its evidence is the same"
    ]


@pytest.mark.parametrize(("hours", "trades"), [(1, 1), (2, 0)])
def test_the_tenth_part_is_not_nothing(hours: int, trades: int) -> None:
    assert isinstance(hotfix(("ada", "bob"), hours, trades), Refused)


def test_a_hotfix_of_what_does_not_run_here_is_none() -> None:
    story = Story()
    story.promote("1.0.0", "prod")
    story.soak("1.0.1", "sandbox", 2, 1)
    two_sign("1.0.1")(story)
    told = about(story.ask("1.0.1", "prod", hotfix_of=digest("0.9.0")))
    assert set(told) == {Because.SOAK_TIME, Because.SOAK_TRADES}
    # 1.0.0 is wanted here, and was never verified here.
    told = about(story.ask("1.0.1", "prod", hotfix_of=digest("1.0.0")))
    assert set(told) == {Because.SOAK_TIME, Because.SOAK_TRADES}


# For all records.


@st.composite
def stories(draw: st.DrawFn) -> Story:
    story = approved() if draw(st.booleans()) else Story()
    tell: list[Callable[[str, str], None]] = [
        story.promote,
        story.verify,
        lambda v, e: story.see(v, e, 8, 3),
        story.fail,
        lambda v, e: story.approve(v, e, "ada"),
        lambda v, e: story.approve(v, e, "bob"),
        lambda v, e: story.promote(v, e, Kind.ROLLBACK),
        lambda _, e: story.say(Held, e),
        lambda _, e: story.say(Unheld, e),
    ]
    steps = st.tuples(
        st.sampled_from(tell),
        st.sampled_from(["1.0.0", "1.1.0", "1.2.0"]),
        st.sampled_from(list(PLACES)),
    )
    for step, version, env in draw(st.lists(steps, max_size=14)):
        step(version, env)
    return story


asked = st.tuples(st.sampled_from(["1.1.0", "1.2.0"]), st.sampled_from(["test", "sandbox", "prod"]))


@given(stories(), asked, st.randoms(use_true_random=False))
def test_reasons_do_not_depend_on_the_order_in_which_records_are_read(
    story: Story, wish: tuple[str, str], dice: Any
) -> None:
    version, env = wish
    lines = [Line(n, entry) for n, entry in enumerate(story.entries, 1)]
    shuffled = dice.sample(lines, len(lines))
    candidate = Candidate(release(version), digest(version))
    told = [
        eligibility(candidate, PLACES[env], PLACES, Record.of(order), story.now)
        for order in (lines, shuffled)
    ]
    assert told[0] == told[1]


@given(stories(), st.integers(0, 40))
def test_a_record_read_in_two_parts_is_the_same_record(story: Story, cut: int) -> None:
    lines = [Line(n, entry) for n, entry in enumerate(story.entries, 1)]
    assert Record.of(lines[:cut]).after(lines[max(0, cut - 3) :]) == Record.of(lines)


@given(stories(), asked, st.integers(0, 30), st.integers(0, 9), st.booleans())
def test_more_time_and_more_trades_never_make_an_eligible_release_ineligible_but_by_expiry(
    story: Story, wish: tuple[str, str], hours: int, trades: int, automatic: bool
) -> None:
    version, env = wish
    if isinstance(story.ask(version, env, automatic=automatic), Refused):
        return
    for name in PLACES:
        track = story.record.track(name, "calm")
        if track.current and track.current.promotion.release:
            running = track.current.promotion.release.split("@")[1].split("+")[0]
            story.see(running, name, hours, trades + track.current.closed)
    answer = story.ask(version, env, automatic=automatic)
    told = [text for texts in about(answer).values() for text in texts]
    assert [t for t in told if "it expired" not in t and "signed by" not in t] == []
