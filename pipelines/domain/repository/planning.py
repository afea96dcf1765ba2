"""What there is to do to a repository: a plan is a value, and doing it twice does no harm."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pipelines.domain.repository.parts import CodeOwners, Part, SecretNames
from pipelines.domain.repository.wanted import Wanted


@dataclass(frozen=True)
class Absent:
    """It was looked for, and is not there."""


@dataclass(frozen=True)
class Unread:
    """It could not be read; why not."""

    why: str


Seen = Part | Absent | Unread


@dataclass(frozen=True)
class Create:
    """It is not there, and will be."""

    will: Part

    @property
    def what(self) -> str:
        return self.will.what


@dataclass(frozen=True)
class Update:
    """It is otherwise, and will be as wanted."""

    now: Part
    will: Part

    @property
    def what(self) -> str:
        return self.will.what


@dataclass(frozen=True)
class Keep:
    """It is as wanted."""

    now: Part

    @property
    def what(self) -> str:
        return self.now.what


@dataclass(frozen=True)
class ByHand:
    """It is otherwise, and only a person can mend it."""

    now: Part | None
    will: Part
    how: tuple[str, ...]

    @property
    def what(self) -> str:
        return self.will.what


@dataclass(frozen=True)
class Unknown:
    """Nobody can tell how it is."""

    what: str
    why: str


@dataclass(frozen=True)
class Unoffered:
    """GitHub does not do it here; what holds instead."""

    what: str
    instead: str


Action = Create | Update | Keep | ByHand | Unknown | Unoffered

Doing = Create | Update
"""What `apply` does."""

Drift = Create | Update | ByHand
"""What is not as it should be."""


def plan(wanted: Wanted, seen: Mapping[str, Seen]) -> tuple[Action, ...]:
    """Everything that is to be done, is as wanted, or cannot be told; by part in their order."""
    gaps = [
        Unoffered(gap.what, gap.instead)
        if gap.offered is False
        else Unknown(gap.what, "whether GitHub's plan has it is not known: set 'plan' in the file")
        for gap in wanted.gaps
    ]
    return (*(_action(part, seen) for part in wanted.parts), *gaps)


def _action(part: Part, seen: Mapping[str, Seen]) -> Action:
    now = seen.get(part.what, Unread("nobody looked"))
    if isinstance(now, Unread):
        return Unknown(part.what, now.why)
    if now == part:
        return Keep(part)
    if isinstance(part, SecretNames):
        return ByHand(None if isinstance(now, Absent) else now, part, tuple(_named(part, now)))
    if isinstance(now, Absent):
        return ByHand(None, part, (_NO_FILE,)) if isinstance(part, CodeOwners) else Create(part)
    if isinstance(part, CodeOwners) and not part.owners:
        return ByHand(now, part, (_NO_OWNERS,))
    return Update(now, part)


_NO_FILE = "there is no .github/CODEOWNERS: take it from the project's template"
_NO_OWNERS = "name owners in environments/github.yaml: an organization is nobody"


def _named(part: SecretNames, now: Part | Absent) -> Iterator[str]:
    there = now.names if isinstance(now, SecretNames) else ()
    where = f" --env {part.place}" if part.place else ""
    for name in part.names:
        if name not in there:
            yield f"seal {name} and set it: gh secret set {name}{where}"
    for name in there:
        if name not in part.names:
            yield f"nobody needs {name}: gh secret delete {name}{where}"
