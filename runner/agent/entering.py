"""May a release enter an environment? First what is signed, then what the ledger says."""

from datetime import UTC, datetime

from pipelines.adapters.approvals import TrustedKey
from pipelines.adapters.releases import ReleaseStore, Stored
from pipelines.adapters.verifying import verify
from pipelines.domain.candidate import Candidate
from pipelines.domain.eligibility import Eligibility, eligibility
from pipelines.domain.environment import Environment
from pipelines.domain.promotion import Approved
from pipelines.domain.record import Line
from pipelines.domain.trust import Role
from pipelines.errors import CannotTell, Refused
from runner.agent import venvs
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
    return eligibility(candidate, environment, train.environments, before.after(lines), now)


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
    if train.mine(environment.name):
        reasons += venvs.unfit(agent.crew.house.home, stored.release.pins)
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
