"""May a release enter an environment? What is signed, what the ledger says, and what is here."""

from dataclasses import replace
from datetime import UTC, datetime

from pipelines import documents
from pipelines.adapters import packing
from pipelines.adapters.approvals import TrustedKey
from pipelines.adapters.releases import ReleaseStore, Stored
from pipelines.adapters.verifying import verify
from pipelines.domain import eligibility as rules
from pipelines.domain.candidate import Candidate
from pipelines.domain.couplings.arrangement import Bot
from pipelines.domain.eligibility import Eligibility, Eligible, eligibility
from pipelines.domain.environment import Environment
from pipelines.domain.promotion import Approved
from pipelines.domain.record import Line
from pipelines.domain.strategy import Manifest
from pipelines.domain.trust import Role
from pipelines.errors import CannotTell, Refused
from runner.agent.clearance import Case
from runner.agent.declared import Declared
from runner.agent.tick import Agent


def store(agent: Agent) -> ReleaseStore:
    """The releases that were delivered."""
    return ReleaseStore(agent.crew.house.home)


def stored(agent: Agent, release: str) -> Stored:
    """The release that is called so.

    :raises BadInput: when there is none.
    """
    return store(agent).stored(store(agent).find(release))


def may_enter(
    agent: Agent,
    stored: Stored,
    environment: Environment,
    train: Declared,
    step: int,
    now: datetime,
    approved: tuple[Approved, ...] = (),
) -> Eligibility:
    """What speaks for and against it; `approved` is not in the ledger yet.

    :raises Refused: when what is signed does not hold, with all reasons.
    """
    _refuse_unsigned(agent, stored, environment, train)
    demo = stored.statement.predicate.label is not None
    release, before = stored.release, agent.record
    lines = (Line(number, entry) for number, entry in enumerate(approved, before.count + 1))
    candidate = Candidate(str(release.id), release.digest, demo=demo, step=step)
    answer = eligibility(candidate, environment, train.environments, before.after(lines), now)
    if train.mine(environment.name) is None:
        return answer
    return _here(agent, stored, environment, train, step, answer)


def _here(
    agent: Agent,
    stored: Stored,
    environment: Environment,
    train: Declared,
    step: int,
    answer: Eligibility,
) -> Eligibility:
    """The same, with what this host and the exchange say."""
    name, manifest = stored.release.name, _manifest(stored)
    mode, ramp = manifest.trading_mode, environment.ramp
    percent = ramp[min(step, len(ramp)) - 1]
    arranged, own = agent.arranged(train), (environment.name, name)
    others = (each for each in arranged.bots if (each.environment, each.strategy) != own)
    bot = Bot(environment.name, name, manifest.pairs, mode, percent)
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


def _refuse_unsigned(
    agent: Agent, stored: Stored, environment: Environment, train: Declared
) -> None:
    digest = stored.release.digest
    try:
        content = store(agent).tar(digest).read_bytes()
        statement = store(agent).dsse(digest).read_bytes()
    except OSError as error:
        raise CannotTell(f"{error.filename}: cannot be read: {error.strerror}") from None
    found = verify(content, statement, train.trust, datetime.now(UTC))
    reasons = list(found.reasons)
    opened = {name for signer in found.signers for name in signer.opens}
    if not environment.policy.upstream and _called(environment) not in opened:
        reasons.append(f"no signature under it opens {_called(environment)}")
    if reasons:
        raise Refused("\n".join(reasons), "see 'sluice docs releases'")


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
