"""The parts of a repository that are set as code: each is a value, the same read and wanted."""

from dataclasses import dataclass
from typing import Literal

RefKind = Literal["branch", "tag", "protected"]


@dataclass(frozen=True, order=True)
class Ref:
    """Branches or tags; of kind `protected` all branches that are protected."""

    kind: RefKind
    pattern: str

    def __str__(self) -> str:
        return f"{self.kind} {self.pattern}".strip()


@dataclass(frozen=True)
class People:
    """Who lets a job in, and after how long. One of the `reviewers` is enough."""

    reviewers: tuple[str, ...] = ()
    prevents_self_review: bool = False
    wait_minutes: int = 0


@dataclass(frozen=True)
class Gate:
    """An environment: which refs may deploy to it (None: any), and who has to agree.

    `people` is None where GitHub's plan knows no such thing.
    """

    name: str
    refs: tuple[Ref, ...] | None
    people: People | None

    @property
    def what(self) -> str:
        return f"environment {self.name}"


@dataclass(frozen=True)
class Reviews:
    """What a pull request needs of people."""

    approvals: int
    by_code_owners: bool
    stale_ones_lapse: bool
    of_the_last_push: bool
    threads_resolved: bool


@dataclass(frozen=True)
class Check:
    """A check that must have passed; `app` is who has to have said so, None for anybody."""

    name: str
    app: int | None


@dataclass(frozen=True)
class Ruleset:
    """What nobody may do to these refs. `plain` are rules without parameters, sorted."""

    name: str
    target: str
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    enforcement: str
    bypass: tuple[str, ...]
    plain: tuple[str, ...]
    reviews: Reviews | None = None
    checks: tuple[Check, ...] = ()
    checks_are_strict: bool = False

    @property
    def what(self) -> str:
        return f"ruleset {self.name}"


@dataclass(frozen=True)
class ActionsUse:
    """Whether workflows run, whose actions, and whether only by full SHA."""

    enabled: bool
    allowed: str
    only_by_sha: bool

    @property
    def what(self) -> str:
        return "use of actions"


@dataclass(frozen=True)
class AllowedActions:
    """Whose actions may be used."""

    of_github: bool
    of_verified_creators: bool
    patterns: tuple[str, ...]

    @property
    def what(self) -> str:
        return "allowed actions"


@dataclass(frozen=True)
class DefaultToken:
    """What the token of a workflow may do when it asks for nothing."""

    permissions: str
    approves_pull_requests: bool

    @property
    def what(self) -> str:
        return "default token"


@dataclass(frozen=True)
class ForkApproval:
    """Whose pull requests from forks wait for a maintainer before workflows run (public)."""

    policy: str

    @property
    def what(self) -> str:
        return "workflows of forks"


@dataclass(frozen=True)
class PrivateForks:
    """What pull requests from forks of a private repository may run, and with what."""

    runs: bool
    writes: bool
    gets_secrets: bool
    needs_approval: bool

    @property
    def what(self) -> str:
        return "workflows of forks"


@dataclass(frozen=True)
class Label:
    """A label of issues and pull requests."""

    name: str
    color: str
    description: str

    @property
    def what(self) -> str:
        return f"label {self.name}"


@dataclass(frozen=True)
class SecretNames:
    """Which secrets there are; an empty place is the whole repository. Never a value."""

    place: str
    names: tuple[str, ...]

    @property
    def what(self) -> str:
        return f"secrets of {self.place or 'the whole repository'}"


@dataclass(frozen=True)
class CodeOwners:
    """Who has to agree to changes, as `.github/CODEOWNERS` names them."""

    owners: tuple[str, ...]

    @property
    def what(self) -> str:
        return "CODEOWNERS"


Part = (
    ActionsUse
    | AllowedActions
    | DefaultToken
    | ForkApproval
    | PrivateForks
    | Gate
    | Ruleset
    | Label
    | SecretNames
    | CodeOwners
)
