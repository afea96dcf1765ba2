"""The whole train as a model: whatever is asked and whatever breaks, what must hold does hold.

The agent of this model decides and plans with the product's functions; bots are values. It is
killed between any two of its acts, for an act is carried out only as long as `acts` allows.
"""

from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Literal

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from pipelines.domain.candidate import Candidate
from pipelines.domain.decision import Escalate, RollBack, turn_back
from pipelines.domain.deployment import (
    Action,
    Adopt,
    Bot,
    Close,
    Drain,
    Halt,
    Phase,
    Refuse,
    Restart,
    Resume,
    Settings,
    Start,
    Stop,
    Verify,
    desired,
)
from pipelines.domain.eligibility import Eligible, eligibility
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
from pipelines.domain.handover import Farewell, Objection, Way
from pipelines.domain.planning import plan
from pipelines.domain.promotion import Approval, Approved, Kind, Promotion, PromotionPolicy, Soak
from pipelines.domain.record import Line, Record

HOUR = timedelta(hours=1)
VERSIONS = ["1.0.0", "1.1.0", "1.2.0"]
STRATEGIES = ["calm", "wild"]


@dataclass(frozen=True)
class Place:
    name: str
    mode: Literal["dry_run", "live"]
    policy: PromotionPolicy
    demo: bool = False
    ramp: tuple[int, ...] = (100,)


def soaked() -> Soak:
    return Soak.model_validate({"hours": 2, "trades": 1})


PLACES = {
    "test": Place("test", "dry_run", PromotionPolicy(approval=Approval.AUTOMATIC)),
    "sandbox": Place(
        "sandbox", "live", PromotionPolicy(upstream="test", soak=soaked(), approval=Approval.TAG)
    ),
    "prod": Place(
        "prod",
        "live",
        PromotionPolicy(upstream="sandbox", soak=soaked(), approval=Approval.SIGNED),
        ramp=(50, 100),
    ),
}
UPSTREAM = {"sandbox": "test", "prod": "sandbox"}


def digest(strategy: str, version: str) -> str:
    return sha256(f"{strategy} {version}".encode()).hexdigest()


def release(strategy: str, version: str) -> str:
    return f"{strategy}@{version}+{digest(strategy, version)[:8]}"


def made_of(promotion: Promotion) -> tuple[Settings, None]:
    """Both strategies of a live environment have one account, which they may not share."""
    live = promotion.environment != "test"
    account = f"money-{promotion.environment}" if live else None
    return Settings(config_digest=str(promotion.stake), live=live, account=account), None


Key = tuple[str, str]
Word = type[Held] | type[Unheld] | type[Halted] | type[Resumed]
environments = st.sampled_from(list(PLACES))
versions = st.sampled_from(VERSIONS)
strategies = st.sampled_from(STRATEGIES)


class Train(RuleBasedStateMachine):
    """People, an agent, bots, and a clock."""

    def __init__(self) -> None:
        super().__init__()
        self.entries: list[Entry] = []
        self.record = Record()
        self.bots: dict[Key, Bot] = {}
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self.bad: set[str] = set()
        self.has_lease = True
        self.farewell = Farewell()
        self.counts: Counter[Key] = Counter()

    def write(self, entry: Entry) -> None:
        self.entries.append(entry)
        self.record = self.record.after([Line(len(self.entries), entry)])

    # What people do.

    @initialize(strategy=strategies)
    def something_soaked(self, strategy: str) -> None:
        """Without a start half of the runs would never reach prod."""
        for name in ("test", "sandbox"):
            self.approve("1.0.0", strategy, name)
            self.ask("1.0.0", strategy, name, 1, automatic=False)
            self.tick(99)
            for _ in range(2):
                self.close_a_trade(name, strategy)
                self.time_passes(1)

    @rule(
        version=versions,
        strategy=strategies,
        env=environments,
        step=st.integers(1, 2),
        automatic=st.booleans(),
    )
    def ask(self, version: str, strategy: str, env: str, step: int, automatic: bool) -> None:
        candidate = Candidate(
            release(strategy, version), digest(strategy, version), step=step, automatic=automatic
        )
        answer = eligibility(candidate, PLACES[env], PLACES, self.record, self.now)
        if not isinstance(answer, Eligible):
            return
        self.write(
            Promotion(
                kind=Kind.PROMOTE,
                environment=env,
                strategy=strategy,
                release=candidate.release,
                digest=candidate.digest,
                step=step,
                stake=PLACES[env].ramp[step - 1],
                by="ada",
                automatic=automatic,
                approvals=answer.approvals,
                at=self.now,
            )
        )

    @rule(version=versions, strategy=strategies, env=environments, step=st.integers(1, 2))
    def approve(self, version: str, strategy: str, env: str, step: int = 1) -> None:
        track = self.record.track(env, strategy)
        self.write(
            Approved(
                means="signature",
                environment=env,
                release=release(strategy, version),
                digest=digest(strategy, version),
                step=step,
                predecessor=track.current.digest if track.current else None,
                sequence=track.promotions + 1,
                expires=self.now + 9 * HOUR,
                identity=f"{len(self.entries)}",
                by="ada",
                key="SHA256:ada",
                at=self.now,
            )
        )

    @rule(
        env=environments,
        strategy=st.sampled_from([*STRATEGIES, "*"]),
        kind=st.sampled_from([Held, Unheld, Halted, Resumed]),
    )
    def say(
        self,
        env: str,
        strategy: str,
        kind: type[Held] | type[Unheld] | type[Halted] | type[Resumed],
    ) -> None:
        self.write(kind(environment=env, strategy=strategy, by="ada", at=self.now))

    @rule(env=environments, strategy=strategies)
    def roll_back(self, env: str, strategy: str) -> None:
        back = turn_back(self.record.track(env, strategy), env, strategy, ("it lost money",))
        if isinstance(back, RollBack):
            self.write(back.promotion("ada", self.now, automatic=False))

    @rule(env=environments, strategy=strategies)
    def retire(self, env: str, strategy: str) -> None:
        about = {"environment": env, "strategy": strategy}
        self.write(Promotion(kind=Kind.RETIRE, by="ada", at=self.now, **about))

    # What happens.

    @rule(hours=st.integers(1, 4))
    def time_passes(self, hours: int) -> None:
        self.now += hours * HOUR
        for key, bot in self.bots.items():
            if bot.phase is Phase.RUNNING:
                closed = self.counts[key]
                about = {"environment": key[0], "strategy": key[1], "digest": bot.digest}
                self.write(Seen(closed=closed, at=self.now, **about))

    @rule(env=environments, strategy=strategies)
    def close_a_trade(self, env: str, strategy: str) -> None:
        self.counts[env, strategy] += 1
        self.open_trades(env, strategy, 0)

    @rule(env=environments, strategy=strategies, count=st.sampled_from([0, 1, None]))
    def open_trades(self, env: str, strategy: str, count: int | None) -> None:
        bot = self.bots.get((env, strategy))
        if bot and bot.phase is not Phase.STARTING:
            self.bots[bot.key] = replace(bot, open_trades=count)

    @rule(env=environments, strategy=strategies)
    def crash(self, env: str, strategy: str) -> None:
        if bot := self.bots.get((env, strategy)):
            failures = bot.failures + 1
            gone = replace(bot, phase=Phase.FAILED, since=self.now, failures=failures)
            self.bots[bot.key] = gone

    @rule(version=versions, strategy=strategies)
    def turn_bad(self, version: str, strategy: str) -> None:
        """From now on what runs will not be what the release says."""
        self.bad ^= {digest(strategy, version)}

    @rule(has=st.booleans())
    def lease(self, has: bool) -> None:
        self.has_lease = has

    @rule(way=st.sampled_from(Way), objected=st.booleans())
    def declare(self, way: Way, objected: bool) -> None:
        """What becomes of open trades from now on."""
        found = (Objection(None, "somebody objects"),) if objected else ()
        self.farewell = Farewell(way, objections=found)

    @rule(env=environments, strategy=strategies)
    def verify_again(self, env: str, strategy: str) -> None:
        if (env, strategy) in self.bots and self.bots[env, strategy].phase is Phase.RUNNING:
            self.carry_out(Verify(env, strategy, halted=False))

    # What the agent does.

    @rule(acts=st.integers(0, 6))
    def tick(self, acts: int) -> None:
        """Observe, plan, act; and be killed after so many acts."""
        for action in self.plan()[:acts]:
            self.carry_out(action)

    @rule()
    def settle(self) -> None:
        """Left alone, the agent comes to rest with exactly what is wanted."""
        for _ in range(6):
            self.now += HOUR
            for action in self.plan():
                self.carry_out(action)
        rest = self.plan()
        assert [action for action in rest if not isinstance(action, Refuse)] == []
        refused = {(each.environment, each.strategy) for each in rest if isinstance(each, Refuse)}
        wanted = {each.key: each for each in desired(self.record, made_of)}
        for key in {*wanted, *self.bots} - refused:
            assert self.bots[key].is_of(wanted[key])
            assert self.bots[key].phase in (Phase.RUNNING, Phase.HALTED)

    def plan(self) -> tuple[Action, ...]:
        wanted = desired(self.record, made_of)
        bots = [replace(bot, farewell=self.farewell) for bot in self.bots.values()]
        return plan(wanted, bots, self.now, has_lease=self.has_lease)

    def carry_out(self, action: Action) -> None:
        match action:
            case Start(wanted):
                assert wanted.key not in self.bots
                assert self.has_lease or not wanted.settings.live
                named = str(wanted.promotion.digest)
                bot = Bot(*wanted.key, named, wanted.settings, Phase.STARTING, self.now)
                self.bots[wanted.key] = bot
                self.counts[wanted.key] = 0
            case Stop(bot):
                assert self.bots[bot.key].open_trades == 0
                del self.bots[bot.key]
            case Adopt(bot, wanted):
                # What is taken over was paused before, and nobody objected.
                assert self.bots[bot.key].phase not in (Phase.RUNNING, Phase.STARTING)
                assert bot.open_trades
                assert not bot.farewell.objections
                named = str(wanted.promotion.digest)
                new = Bot(*wanted.key, named, wanted.settings, Phase.STARTING, self.now)
                self.bots[wanted.key] = replace(new, open_trades=bot.open_trades)
            case Drain(bot, _):
                self.bots[bot.key] = replace(bot, phase=Phase.DRAINING)
            case Close(bot):
                raise AssertionError("nobody declared a deadline")
            case Restart(bot):
                assert self.bots[bot.key].phase is Phase.FAILED
                self.bots[bot.key] = replace(bot, phase=Phase.STARTING, since=self.now)
            case Verify():
                self.verified(action)
            case Halt(bot, _):
                self.bots[bot.key] = replace(bot, phase=Phase.HALTED)
            case Resume(bot):
                self.bots[bot.key] = replace(bot, phase=Phase.RUNNING)
            case RollBack():
                self.write(action.promotion("agent", self.now, automatic=True))
            case Escalate():
                current = self.record.track(action.environment, action.strategy).current
                assert current is not None
                named = str(current.digest)
                about = {"environment": action.environment, "strategy": action.strategy}
                self.write(Escalated(digest=named, reason="no way", at=self.now, **about))
            case Refuse():
                pass

    def verified(self, action: Verify) -> None:
        key = (action.environment, action.strategy)
        bot = self.bots[key]
        about = {"environment": key[0], "strategy": key[1], "digest": bot.digest, "at": self.now}
        if bot.digest in self.bad:
            self.write(Unverified(reason="another digest runs", **about))
            self.bots[key] = replace(bot, phase=Phase.VERIFYING, mismatch="another digest runs")
            return
        if action.drains:
            self.bots[key] = replace(bot, phase=Phase.DRAINING)
            return
        self.write(Verified(**about))
        phase = Phase.HALTED if action.halted else Phase.RUNNING
        self.bots[key] = replace(bot, phase=phase, failures=0)

    # What must hold at every moment.

    @invariant()
    def nothing_came_that_was_not_verified_upstream(self) -> None:
        for number, entry in enumerate(self.entries):
            if not isinstance(entry, Promotion) or entry.kind is not Kind.PROMOTE:
                continue
            if (upstream := UPSTREAM.get(entry.environment)) is None:
                continue
            said = [
                type(e)
                for e in self.entries[:number]
                if isinstance(e, (Verified, Unverified))
                and (e.environment, e.digest) == (upstream, entry.digest)
            ]
            assert said, "never verified upstream"
            assert said[-1] is Verified, "verification was taken away"

    @invariant()
    def never_two_bots_on_one_account(self) -> None:
        used = [bot.settings.account for bot in self.bots.values() if bot.settings.account]
        assert len(used) == len(set(used))

    @invariant()
    def nothing_trades_that_was_not_verified_since_it_was_put_there(self) -> None:
        for key, bot in self.bots.items():
            if bot.phase is Phase.RUNNING:
                said = [
                    type(e)
                    for e in self.entries
                    if isinstance(e, (Verified, Unverified))
                    and (e.environment, e.strategy, e.digest) == (*key, bot.digest)
                ]
                assert said[-1] is Verified

    @invariant()
    def a_rollback_leads_to_what_was_verified_there_and_is_never_rolled_back(self) -> None:
        last: dict[Key, Kind] = {}
        for number, entry in enumerate(self.entries):
            if not isinstance(entry, Promotion):
                continue
            key = (entry.environment, entry.strategy)
            if entry.kind is Kind.ROLLBACK:
                assert last[key] is Kind.PROMOTE
                assert any(
                    isinstance(e, Verified)
                    and (e.environment, e.strategy, e.digest) == (*key, entry.digest)
                    for e in self.entries[:number]
                )
            last[key] = entry.kind

    @invariant()
    def every_live_promotion_used_up_an_approval_that_no_other_used(self) -> None:
        used = [
            identity
            for entry in self.entries
            if isinstance(entry, Promotion)
            for identity in entry.approvals
        ]
        assert len(used) == len(set(used))
        for entry in self.entries:
            if isinstance(entry, Promotion) and entry.kind is Kind.PROMOTE:
                assert entry.approvals or entry.environment == "test"


Train.TestCase.settings = settings(max_examples=120, stateful_step_count=30, deadline=None)
TestTrain = Train.TestCase
