"""Asking the agent: deliver, promote, approve, roll back, hold, halt, and how everything stands."""

from base64 import b64encode
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from pipelines.adapters import agent, approvals
from pipelines.adapters.agent import (
    About,
    Approve,
    Deliver,
    Explain,
    Explained,
    Flattening,
    History,
    Promote,
    Status,
)
from pipelines.adapters.releases import ReleaseStore
from pipelines.domain.promotion import ApprovalStatement, Risk
from pipelines.errors import BadInput, CannotTell, Problem
from pipelines.workflow.place import Place

FLATTEN_SECONDS = 600.0
"""So long the answer to a flatten is waited for: many bots that do not answer take their time."""

LASTS = timedelta(days=7)
"""So long an approval counts, unless something else is asked for."""


def deliver(place: Place, asked: str) -> JsonValue:
    """Hand a release to the agent: a file, or what is packed here under an id or a digest.

    :raises Refused: when the agent does not take it, with all reasons.
    """
    path = Path(asked)
    if path.suffix not in {".tar", ".dsse"}:
        store = ReleaseStore(place.home)
        path = store.tar(store.find(asked))
    given = Deliver(tar=_read(path.with_suffix(".tar")), dsse=_read(path.with_suffix(".dsse")))
    return agent.ask(place.home, "deliver", given)


def _read(path: Path) -> str:
    try:
        return b64encode(path.read_bytes()).decode()
    except FileNotFoundError:
        hint = "'sluice pack' writes a .tar and a .dsse beside it"
        raise Problem(str(path), "there is no such file", hint=hint) from None
    except OSError as error:
        raise CannotTell(f"{path}: cannot be read: {error.strerror}") from None


def promote(
    place: Place, release: str, environment: str, step: int, tag: str, reason: str
) -> JsonValue:
    """Ask for a release in an environment.

    :raises Refused: when it may not enter, with all reasons.
    """
    given = Promote(release=release, environment=environment, step=step, tag=tag, reason=reason)
    return agent.ask(place.home, "promote", given)


def tell(place: Place, verb: str, environment: str, strategy: str, reason: str) -> JsonValue:
    """Roll back, retire, hold, unhold, halt or resume.

    :raises Refused: when it cannot be.
    """
    about = About(environment=environment, strategy=strategy, reason=reason)
    return agent.ask(place.home, verb, about)


def flatten(place: Place, environment: str, strategy: str, reason: str) -> tuple[Flattening, ...]:
    """Halt, and sell everything; what of it could not be closed.

    :raises CannotTell: when it cannot be written down.
    """
    about = About(environment=environment, strategy=strategy, reason=reason)
    told: Any = agent.ask(place.home, "flatten", about, FLATTEN_SECONDS)
    return tuple(Flattening.model_validate(each, strict=False) for each in told or ())


def explain(place: Place, release: str, environment: str, step: int) -> Explained:
    """Everything that speaks for and against a release in an environment."""
    asked = Explain(release=release, environment=environment, step=step)
    return Explained.model_validate(agent.ask(place.home, "explain", asked), strict=False)


def approve(
    place: Place,
    release: str,
    environment: str,
    step: int,
    key: Path,
    lasts: timedelta,
    accepts: tuple[str, ...] = (),
) -> ApprovalStatement:
    """Sign with an SSH key that a release may enter an environment next, and hand that in.

    `accepts` are the risks that are signed for with it.

    :raises BadInput: when there is no such risk.
    :raises CannotTell: when ssh-keygen does not sign.
    :raises Refused: when the agent does not believe it.
    """
    known = _risks(accepts)
    stands = explain(place, release, environment, step)
    statement = ApprovalStatement(
        environment=environment,
        release=stands.release,
        digest=stands.digest,
        step=step,
        predecessor=stands.predecessor,
        sequence=stands.sequence,
        accepts=known,
        expires=stands.at + lasts,
    )
    signature = approvals.sign(statement, key)
    given = Approve(
        environment=environment,
        statement=statement.canonical().decode(),
        signature=signature.decode(),
    )
    agent.ask(place.home, "approve", given)
    return statement


def _risks(named: tuple[str, ...]) -> tuple[Risk, ...]:
    try:
        return tuple(sorted({Risk(name) for name in named}))
    except ValueError as error:
        hint = f"there are {', '.join(Risk)}"
        raise BadInput(f"--accept: {error}", hint) from None


def status(place: Place) -> Status:
    """How everything stands."""
    return Status.model_validate(agent.ask(place.home, "status"), strict=False)


def history(place: Place, environment: str, strategy: str, limit: int) -> JsonValue:
    """What the ledger has, the newest last."""
    given = History(environment=environment, strategy=strategy, limit=limit)
    return agent.ask(place.home, "history", given)
