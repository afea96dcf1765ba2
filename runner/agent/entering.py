"""May a release enter an environment? What is signed, what the ledger says, and what is here."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pipelines import documents
from pipelines.adapters import packing
from pipelines.adapters.approvals import TrustedKey
from pipelines.adapters.releases import ReleaseStore, Stored
from pipelines.adapters.verifying import Verification
from pipelines.domain import eligibility as rules
from pipelines.domain import hotfix
from pipelines.domain.candidate import Candidate
from pipelines.domain.couplings.arrangement import Bot
from pipelines.domain.eligibility import Eligibility, Eligible, eligibility
from pipelines.domain.environment import Environment
from pipelines.domain.promotion import Approved, Kind, Promotion
from pipelines.domain.record import Line
from pipelines.domain.statement import Packed
from pipelines.domain.strategy import Manifest
from pipelines.domain.trust import Role
from pipelines.errors import CannotTell, Refused
from runner.agent import venvs
from runner.agent.believing import believed
from runner.agent.clearance import Case
from runner.agent.declared import Declared

if TYPE_CHECKING:
    from runner.agent.tick import Agent


def store(agent: "Agent") -> ReleaseStore:
    """The releases that were delivered."""
    return ReleaseStore(agent.crew.house.home)


def stored(agent: "Agent", release: str) -> Stored:
    """The release that is called so.

    :raises BadInput: when there is none.
    """
    return store(agent).stored(store(agent).find(release))


def may_enter(
    agent: "Agent",
    stored: Stored,
    environment: Environment,
    train: Declared,
    step: int,
    now: datetime,
    approved: tuple[Approved, ...] = (),
    *,
    automatic: bool = False,
    kept_in: str | None = None,
) -> Eligibility:
    """What speaks for and against it; `approved` is not in the ledger yet.

    `kept_in` is the file of trades that it shall go on with, when that is not in its place yet.

    :raises Refused: when what is signed does not hold, with all reasons.
    """
    packed = _signed(agent, stored.release.digest, environment, train)
    release, before = stored.release, agent.record
    lines = (Line(number, entry) for number, entry in enumerate(approved, before.count + 1))
    candidate = Candidate(
        str(release.id),
        release.digest,
        demo=packed.label is not None,
        hotfix_of=_mended(agent, packed, environment, train),
        step=step,
        automatic=automatic,
    )
    answer = eligibility(candidate, environment, train.environments, before.after(lines), now)
    elsewhere = train.mine(environment.name) is None
    # Nobody asks an exchange in every round for what waits anyhow.
    if elsewhere or (automatic and not isinstance(answer, Eligible)):
        return answer
    return _here(agent, stored, environment, train, step, answer, kept_in)


def _here(
    agent: "Agent",
    stored: Stored,
    environment: Environment,
    train: Declared,
    step: int,
    answer: Eligibility,
    kept_in: str | None,
) -> Eligibility:
    """The same, with what this host and the exchange say."""
    name, manifest = stored.release.name, _manifest(stored)
    mode, ramp = manifest.trading_mode, environment.ramp
    percent = ramp[min(step, len(ramp)) - 1]
    arranged, own = agent.scales.arranged(train), (environment.name, name)
    others = (each for each in arranged.bots if (each.environment, each.strategy) != own)
    bot = Bot(environment.name, name, manifest.pairs, mode, percent, kept_in)
    bots = replace(arranged, strategies=arranged.strategies | {name}, bots=(*others, bot))
    case = Case(environment, name, str(stored.release.id), mode, answer.accepts)
    looked = agent.clearance.look(case, bots)
    grounds = (*answer.grounds, *looked.grounds)
    if isinstance(answer, Eligible):
        if not looked.reasons:
            return replace(answer, grounds=grounds)
        return rules.Refused(looked.reasons, grounds, answer.accepts)
    return replace(answer, reasons=(*answer.reasons, *looked.reasons), grounds=grounds)


def _manifest(stored: Stored) -> Manifest:
    where = f"{stored.release.name}/strategy.yaml"
    files = packing.read(stored.tar.read_bytes(), str(stored.tar))[1]
    return documents.parse(files[where], Manifest, where)


def promotion_of(
    given: Stored,
    environment: Environment,
    answer: Eligible,
    step: int,
    *,
    by: str,
    reason: str,
    at: datetime,
    automatic: bool = False,
) -> Promotion:
    """The entry that lets a release in."""
    return Promotion(
        kind=Kind.PROMOTE,
        environment=environment.name,
        strategy=given.release.name,
        release=str(given.release.id),
        digest=given.release.digest,
        step=step,
        stake=environment.ramp[step - 1],
        by=by,
        reason=reason,
        automatic=automatic,
        approvals=answer.approvals,
        accepts=answer.accepts,
        at=at,
    )


def _looked_at(agent: "Agent", digest: str, train: Declared) -> Verification:
    try:
        content = store(agent).tar(digest).read_bytes()
        statement = store(agent).dsse(digest).read_bytes()
    except OSError as error:
        raise CannotTell(f"{error.filename}: cannot be read: {error.strerror}") from None
    return believed(content, statement, train.trust, agent.record)


def _signed(agent: "Agent", digest: str, environment: Environment, train: Declared) -> Packed:
    """What is signed about a release, once all of it holds."""
    found = _looked_at(agent, digest, train)
    reasons = list(found.reasons)
    if found.statement and train.mine(environment.name):
        pinned = found.statement.predicate.release.pins
        reasons += venvs.unfit(agent.crew.house.home, pinned)
    opened = {name for signer in found.signers for name in signer.opens}
    if not environment.policy.upstream and _called(environment) not in opened:
        reasons.append(f"no signature under it opens {_called(environment)}")
    if reasons or found.statement is None:
        raise Refused("\n".join(reasons), "see 'sluice docs releases'")
    return found.statement.predicate


def _mended(agent: "Agent", new: Packed, environment: Environment, train: Declared) -> str | None:
    """The digest of what is wanted there now, when this is a hotfix of it by what is signed."""
    wanted = agent.record.track(environment.name, new.release.name).current
    if wanted is None or wanted.digest is None:
        return None
    try:
        old = _looked_at(agent, wanted.digest, train)
    except CannotTell:
        return None
    if old.reasons or old.statement is None:
        return None
    return wanted.digest if hotfix.mends(new, old.statement.predicate) else None


def approvers(train: Declared, environment: Environment) -> tuple[TrustedKey, ...]:
    """The keys of people who may let something into an environment."""
    now, name = datetime.now(UTC), _called(environment)
    return tuple(
        TrustedKey(called, key.key)
        for called, key in train.trust.keys.items()
        if key.role is Role.APPROVER and name in key.environments and not key.objections(now, now)
    )


def _called(environment: Environment) -> str:
    """What trust.yaml calls an environment."""
    return f"demo/{environment.name}" if environment.demo else environment.name
