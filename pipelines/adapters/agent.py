"""The agent, from outside: what is said on its socket, and who says it.

One request is one line of JSON, and so is its answer. Only the agent writes the ledger; everybody
else asks it to.
"""

import socket
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import AwareDatetime, Field, JsonValue, ValidationError

from pipelines.adapters.health import HealthReason
from pipelines.documents import load_json
from pipelines.domain.document import Document
from pipelines.errors import AgentUnreachable, BadInput, CannotTell, Refused, SluiceError

WHERE = "agent.json"
"""The file in the agent's home that tells where its socket is."""

LARGEST = 24 * 1024 * 1024
"""Bytes of a line, either way: the largest release in base64, and what is signed about it."""

D = TypeVar("D", bound=Document)

_SECONDS = 60.0
_HINT = "start it with 'sluice-agent run', or name its home with --home"
_DANGER = frozenset({"halt", "resume", "flatten"})


class Whereabouts(Document):
    """Where a running agent listens. Paths of sockets are short, so it is not the home itself."""

    socket: str
    pid: int


class Asked(Document):
    """A request. `by` is for whom: only the process that talks with Telegram may say so."""

    v: Literal[1] = 1
    by: Annotated[str, Field(pattern=r"^(telegram:[0-9]+)?$")] = ""
    verb: Annotated[str, Field(pattern=r"^[a-z][a-z-]*$", max_length=40)]
    args: dict[str, JsonValue] = Field(default_factory=dict)


class Answered(Document):
    """An answer: what was asked for, or the error with its exit code."""

    v: Literal[1] = 1
    code: int = 0
    error: str = ""
    hint: str = ""
    data: JsonValue = None


class Deliver(Document):
    """A release and what is signed about it, in base64."""

    tar: str
    dsse: str


class Promote(Document):
    """A release is wanted in an environment. A signed `tag` of the repository may allow it."""

    release: str
    environment: str
    step: Annotated[int, Field(ge=1)] = 1
    tag: str = ""
    reason: str = ""


class About(Document):
    """A strategy in an environment, or `*` for all of them, and why."""

    environment: str
    strategy: str = "*"
    reason: str = ""


class Halting(Document):
    """The same; without an environment every one of the host is meant."""

    environment: str = "*"
    strategy: str = "*"
    reason: str = ""


class Flattening(Document):
    """What became of one bot that was to sell everything. `left` is what could not be closed."""

    environment: str
    strategy: str
    left: tuple[str, ...] = ()


class Explain(Document):
    """What speaks for and against a release in an environment."""

    release: str
    environment: str
    step: Annotated[int, Field(ge=1)] = 1


class Approve(Document):
    """A signed statement of approval: its bytes and its signature, as text."""

    environment: str
    statement: str
    signature: str


class OfOrphan(Document):
    """An orphan by its name, or how that begins, and whose it shall be where that is not sure."""

    orphan: Annotated[str, Field(min_length=4)]
    strategy: str = ""


class History(Document):
    """Entries of the ledger, the newest last; empty names mean all."""

    environment: str = ""
    strategy: str = ""
    limit: Annotated[int, Field(ge=1, le=10_000)] = 100


class TakeOver(Document):
    """A bot of somebody's own becomes one of an environment, with what it traded.

    `database` is its file, on the agent's machine, `dry_run` what its configuration says, `api`
    where it answers while it runs, if anywhere. With `look` nothing is done.

    Trades that are open need a `release` that takes them over. `source` is the file of the strategy
    that opened them, and `adjusts` tells that its configuration let it add to positions.
    """

    environment: str
    strategy: str
    database: str
    dry_run: bool
    api: str = ""
    look: bool = False
    release: str = ""
    source: str = ""
    adjusts: bool = False


class TakenOver(Document):
    """What was taken over, or would be: `database` is where it lies from now on.

    `open` of its `trades` are looked after by a release from then on.
    """

    database: str
    digest: str
    trades: int
    open: int = 0


class Said(Document):
    """One reason for or against something."""

    because: str
    text: str
    hint: str = ""


class Explained(Document):
    """What speaks for and against, and when that was looked at.

    `predecessor` and `sequence` are what an approval that is signed now has to name.
    """

    release: str
    digest: str
    environment: str
    eligible: bool
    reasons: tuple[Said, ...]
    grounds: tuple[Said, ...]
    predecessor: str | None
    sequence: int
    at: AwareDatetime


class StrategyStatus(Document):
    """One strategy in an environment. Releases are ids, money is in the stake currency.

    `handover` tells of bots that have to go and still have trades, empty when there are none. `pid`
    is the process of its bot, null while none lives. `reasons` say why it is not healthy.
    """

    name: str
    desired: str | None
    running: str | None
    verified: bool
    phase: str
    healthy: bool
    open_trades: int | None
    equity: Decimal | None
    since: AwareDatetime | None
    decision: str
    handover: str = ""
    pid: int | None = None
    reasons: tuple[HealthReason, ...] = ()


class EnvironmentStatus(Document):
    """One environment."""

    name: str
    mode: str
    hold: bool
    halted: bool
    strategies: tuple[StrategyStatus, ...]


class Status(Document):
    """Everything that runs here, and what is wanted."""

    environments: tuple[EnvironmentStatus, ...]


def ask(
    home: Path,
    verb: str,
    args: Document | None = None,
    seconds: float = _SECONDS,
    by: str = "",
) -> JsonValue:
    """Ask the agent of this home for something, and wait for its answer.

    :raises AgentUnreachable: when nobody answers.
    :raises SluiceError: what the agent says: `Refused`, `BadInput` or `CannotTell`.
    """
    hint = f"'sluice-agent {verb}' does it without one; or {_HINT}" if verb in _DANGER else _HINT
    given = args.model_dump(mode="json") if args else {}
    line = Asked(verb=verb, args=given, by=by).model_dump_json().encode() + b"\n"
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(seconds)
            connection.connect(_whereabouts(home, hint).socket)
            connection.sendall(line)
            said = _line(connection)
    except OSError as error:
        reason = "no answer in time" if isinstance(error, TimeoutError) else error.strerror
        raise AgentUnreachable(f"the agent does not answer: {reason}", hint) from None
    return _data(said)


def read_args(asked: Asked, model: type[D]) -> D:
    """The arguments of a request, as its verb needs them.

    :raises BadInput: when they are wrong.
    """
    try:
        return model.model_validate(asked.args, strict=False)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        raise BadInput(f"{asked.verb}: {key}: {first['msg'].lower()}") from None


def _whereabouts(home: Path, hint: str) -> Whereabouts:
    path = home / WHERE
    if not path.is_file():
        raise AgentUnreachable(f"{home}: no agent runs with this home", hint)
    try:
        return load_json(path, Whereabouts)
    except BadInput as error:
        raise AgentUnreachable(error.message, "start the agent again: it writes it anew") from None


def _line(connection: socket.socket) -> bytes:
    said = bytearray()
    while not said.endswith(b"\n") and len(said) <= LARGEST:
        more = connection.recv(64 * 1024)
        if not more:
            break
        said += more
    return bytes(said)


def _data(said: bytes) -> JsonValue:
    try:
        answered = Answered.model_validate_json(said)
    except ValidationError:
        hint = "whether it was done is told by 'sluice status' and 'sluice history'"
        raise AgentUnreachable("the agent broke off in the middle of its answer", hint) from None
    if answered.code:
        raise _error(answered)
    return answered.data


def _error(answered: Answered) -> SluiceError:
    kind = next((k for k in (BadInput, Refused) if k.code == answered.code), CannotTell)
    return kind(answered.error, answered.hint)
