"""May this release enter that environment? One pure answer, with every reason at once."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from pipelines.domain import approving
from pipelines.domain.candidate import Because, Candidate, Place, Reason
from pipelines.domain.promotion import Approval, Approved, PromotionPolicy, Risk, Soak, version_of
from pipelines.domain.record import Record, Track

HOTFIX_SHARE = 10
"""A hotfix soaks for the tenth part. Its trades are proven identical; how it runs is not."""

HOTFIX_SIGNATURES = 2


@dataclass(frozen=True)
class Eligible:
    """It may enter; `grounds` is everything that speaks for it.

    `approvals` are the identities of the approvals that the promotion uses up, `accepts` the risks
    that were signed for.
    """

    grounds: tuple[Reason, ...]
    approvals: tuple[str, ...] = ()
    accepts: tuple[Risk, ...] = ()


@dataclass(frozen=True)
class Refused:
    """It may not, for all of these reasons.

    `grounds` is what speaks for it nevertheless, `accepts` the risks that were signed for.
    """

    reasons: tuple[Reason, ...]
    grounds: tuple[Reason, ...] = ()
    accepts: tuple[Risk, ...] = ()


Eligibility = Eligible | Refused


def eligibility(
    candidate: Candidate,
    place: Place,
    places: Mapping[str, Place],
    record: Record,
    now: datetime,
) -> Eligibility:
    """Whether a release may enter an environment; `places` are all environments by name."""
    case = _Case(candidate, place, places, record, max(now, record.latest or now))
    said = [(against, reason) for rule in _RULES for against, reason in rule(case)]
    reasons = tuple(reason for against, reason in said if against)
    grounds = tuple(reason for against, reason in said if not against)
    accepts = approving.accepted(case.good, place)
    if reasons:
        return Refused(reasons, grounds, accepts)
    used = tuple(sorted({each.identity for each in case.good}))
    return Eligible(grounds, used, accepts)


@dataclass(frozen=True)
class _Case:
    """`now` is never before the record's latest entry: a clock set back makes nothing valid."""

    candidate: Candidate
    place: Place
    places: Mapping[str, Place]
    record: Record
    now: datetime

    @property
    def track(self) -> Track:
        return self.record.track(self.place.name, self.candidate.strategy)

    @property
    def policy(self) -> PromotionPolicy:
        return self.place.policy

    def upstream(self, name: str) -> Track:
        return self.record.track(name, self.candidate.strategy)

    @property
    def is_hotfix(self) -> bool:
        """True when it mends exactly what is wanted here now, and that was verified here."""
        wanted = self.track.current
        return bool(wanted and wanted.verified and wanted.digest == self.candidate.hotfix_of)

    @property
    def needed(self) -> int:
        return approving.needed(self.place)

    @cached_property
    def about(self) -> tuple[tuple[Approved, tuple[str, ...]], ...]:
        """The approvals of this release, each with its faults."""
        given = approving.given(self.track, self.candidate.digest)
        about = (self.candidate, self.place, self.track, self.now)
        return tuple((each, approving.faults(each, *about)) for each in given)

    @property
    def good(self) -> tuple[Approved, ...]:
        return tuple(each for each, faults in self.about if not faults)


_Said = Iterator[tuple[bool, Reason]]


def _demo(case: _Case) -> _Said:
    if case.candidate.demo and not case.place.demo:
        hint = "pack it again on complete evidence from recorded candles"
        yield _against(Because.DEMO, "the release is labelled demo, the environment is not", hint)


def _asked(case: _Case) -> _Said:
    if not case.candidate.automatic:
        return
    hint, wanted = "ask with 'sluice promote'", case.track.current
    if case.policy.approval is not Approval.AUTOMATIC:
        text = f"nobody asked for it, and approval here is {case.policy.approval}"
        yield _against(Because.ASKED, text, hint)
    if wanted and wanted.digest == case.candidate.digest:
        yield _against(Because.ASKED, "it is wanted here already", "")
    elif wanted is None and case.track.promotions:
        yield _against(Because.ASKED, "nothing is wanted here since it was taken away", hint)
    # Only ever forward: so nothing goes to and fro, whatever is held, rolled back and lifted.
    been = [stay.promotion.release for stay in case.track.past if stay.promotion.release]
    newest = max(been, key=version_of, default=None)
    if newest and version_of(case.candidate.release) <= version_of(newest):
        yield _against(Because.ASKED, f"no newer than {newest}, which was here before", hint)


def _hold(case: _Case) -> _Said:
    name, strategy = case.place.name, case.candidate.strategy
    hint = f"lift it with 'sluice unhold {name}'"
    if hold := case.record.hold(name, strategy):
        why = f": {hold.reason}" if hold.reason else ""
        yield _against(Because.HOLD, f"{name} is on hold by {hold.by}{why}", hint)
    undone = case.track.undone
    if not undone or not undone.release:
        return
    if version_of(case.candidate.release) <= version_of(undone.release):
        text = f"{name} is on hold since {undone.release} was taken back"
        yield _against(Because.HOLD, text, f"{hint}, or promote a newer version")
    else:
        yield _for(Because.HOLD, f"newer than {undone.release}, which was taken back")


def _halt(case: _Case) -> _Said:
    if halt := case.record.halt(case.place.name, case.candidate.strategy):
        text = f"{case.place.name} was halted by {halt.by}"
        yield _against(Because.HALT, text, "find out why, then 'sluice resume'")


def _version(case: _Case) -> _Said:
    wanted = case.track.current
    if not wanted or not wanted.promotion.release or wanted.digest == case.candidate.digest:
        return
    mine, other = version_of(case.candidate.release), version_of(wanted.promotion.release)
    if mine < other:
        text = f"older than {wanted.promotion.release}, which is wanted here"
        yield _against(Because.VERSION, text, "only 'sluice rollback' goes back")
    elif mine == other:
        text = f"{wanted.promotion.release} has the same version and another digest"
        yield _against(Because.VERSION, text, "give it a version of its own")
    elif case.is_hotfix:
        text = f"a hotfix of {wanted.promotion.release}: only freqtrade or ccxt is another, "
        yield _for(Because.VERSION, f"{text}every trade of its evidence is the same")


def _upstream(case: _Case) -> _Said:
    name = case.policy.upstream
    if name is None:
        return
    if name not in case.places:
        yield _against(Because.UPSTREAM, f"there is no environment {name}, its upstream", "")
        return
    track = case.upstream(name)
    stay = track.last_stay(case.candidate.digest)
    if track.is_verified(case.candidate.digest):
        yield _for(Because.UPSTREAM, f"verified in {name}")
    elif stay is None:
        hint = f"promote it to {name} first"
        yield _against(Because.UPSTREAM, f"it never was in {name}", hint)
    elif stay.spoilt:
        text = f"verification in {name} was taken away: {stay.spoilt}"
        yield _against(Because.UPSTREAM, text, f"promote it to {name} again, or a newer version")
    else:
        yield _against(Because.UPSTREAM, f"not yet verified in {name}, where it was promoted", "")


def _soak(case: _Case) -> _Said:
    soak, name = case.policy.soak, case.policy.upstream
    if soak is None or name is None:
        return
    time, trades = case.upstream(name).soak(case.candidate.digest)
    asked, shortened, or_else = soak, "", ""
    if case.is_hotfix and approving.signers(case.good) >= max(HOTFIX_SIGNATURES, case.needed):
        asked, shortened = _tenth(soak), ", shortened for a hotfix with two signatures"
    elif case.is_hotfix:
        or_else = ", or two signatures: for a hotfix the tenth part is enough then"
    hours = time.total_seconds() / 3600
    text = f"{hours:.1f} of {asked.hours:.1f} hours verified in {name}{shortened}"
    yield (time < asked.time, Reason(Because.SOAK_TIME, text, f"only time helps{or_else}"))
    text = f"{trades} of {asked.trades} trades closed in {name}{shortened}"
    yield (trades < asked.trades, Reason(Because.SOAK_TRADES, text, f"only trades help{or_else}"))


def _crowded(case: _Case) -> _Said:
    """A busy pipeline must not starve: what soaks here is not displaced without being asked."""
    wanted = case.track.current
    if not case.candidate.automatic or not wanted or not wanted.verified or not wanted.digest:
        return
    time, trades = case.track.soak(wanted.digest)
    for further in case.places.values():
        soak = further.policy.soak
        if further.policy.upstream != case.place.name or soak is None:
            continue
        if time < soak.time or trades < soak.trades:
            text = f"{wanted.promotion.release} soaks here for {further.name}"
            yield _against(Because.CROWDED, text, "wait, or ask with 'sluice promote'")


def _ramp(case: _Case) -> _Said:
    step, ramp = case.candidate.step, case.place.ramp
    if not 1 <= step <= len(ramp):
        text = f"there is no step {step}: the ramp has {len(ramp)}"
        yield _against(Because.RAMP, text, f"see environments/{case.place.name}.yaml")
        return
    wanted = case.track.current
    same = wanted if wanted and wanted.digest == case.candidate.digest else None
    before = same.promotion.step if same else 0
    if step > before + 1:
        text = f"step {step} comes after step {step - 1}, and it is at {before or 'none'}"
        yield _against(Because.RAMP, text, f"promote it to step {before + 1} first")
    elif same and step == before + 1 and not same.verified:
        text = f"not verified at step {before}"
        yield _against(Because.RAMP, text, "wait until it is")
    else:
        yield _for(Because.RAMP, f"step {step} of {len(ramp)}, {ramp[step - 1]} % of the capital")


def _approval(case: _Case) -> _Said:
    signed = approving.signers(case.good)
    if signed >= case.needed:
        if case.good:
            names = ", ".join(sorted({each.by for each in case.good}))
            yield _for(Because.APPROVAL, f"approved by {names}")
        return
    text = f"signed by {signed} of {case.needed} people"
    hint = f"sign with 'sluice approve {case.candidate.release} {case.place.name}'"
    yield _against(Because.APPROVAL, text, hint)
    for each, faults in case.about:
        for fault in faults:
            text = f"the {each.means} by {each.by} does not count: {fault}"
            yield _against(Because.APPROVAL, text, hint)


_RULES = (
    _demo,
    _asked,
    _hold,
    _halt,
    _version,
    _upstream,
    _soak,
    _crowded,
    _ramp,
    _approval,
)


def _tenth(soak: Soak) -> Soak:
    trades = -(-soak.trades // HOTFIX_SHARE)
    return Soak(hours=soak.hours / HOTFIX_SHARE, trades=trades)


def _against(because: Because, text: str, hint: str) -> tuple[bool, Reason]:
    return True, Reason(because, text, hint)


def _for(because: Because, text: str) -> tuple[bool, Reason]:
    return False, Reason(because, text)
