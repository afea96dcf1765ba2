"""Where a repository is hosted, and what GitHub does for it: not every plan enforces everything."""

from dataclasses import dataclass
from typing import Literal

from pipelines.domain.repository.declared import Plan

Known = Plan | Literal["paid"]
"""An owner's plan; `paid` is one that is not free, and nobody says which."""

PI = "the Pi only"
HUB = "GitHub, and the Pi again"
UNKNOWN = "nobody can tell: name the plan in environments/github.yaml"


@dataclass(frozen=True)
class Hosting:
    """A repository as GitHub tells it. `plan` is its owner's, None when nobody says.

    `own_server` is GitHub Enterprise Server, which has everything.
    """

    owner: str
    name: str
    by_organization: bool
    private: bool
    plan: Known | None
    own_server: bool = False

    @property
    def full_name(self) -> str:
        return f"{self.owner}/{self.name}"

    @property
    def environments(self) -> bool | None:
        """Whether environments can be set up; None when nobody can tell."""
        return self._from({"pro", "team", "paid", "enterprise"})

    @property
    def rulesets(self) -> bool | None:
        """Whether branches and tags can be protected."""
        return self._from({"pro", "team", "paid", "enterprise"})

    @property
    def people(self) -> bool | None:
        """Whether an environment can ask for reviewers, and can make jobs wait."""
        return None if self.private and self.plan == "paid" else self._from({"enterprise"})

    def _from(self, plans: set[Known]) -> bool | None:
        if not self.private or self.own_server:
            return True
        return None if self.plan is None else self.plan in plans

    @property
    def told(self) -> str:
        """In words."""
        if self.own_server:
            return f"{self.full_name}: on a server of its own"
        seen = f"private, plan {self.plan or 'not known'}" if self.private else "public"
        return f"{self.full_name}: {seen}"


def enforced(hosting: Hosting) -> tuple[tuple[str, str], ...]:
    """What is enforced, and by whom."""
    says = {True: HUB, False: PI, None: UNKNOWN}
    return (
        ("releases are signed, in order, and have soaked", PI),
        ("money moves only after a signed tag or approval", PI),
        ("jobs reach an environment from main and release tags only", says[hosting.environments]),
        ("a person lets a job into an environment", says[hosting.people]),
        ("main takes reviewed and checked changes only", _here(hosting.rulesets)),
        ("tags cannot be moved or deleted", says[hosting.rulesets]),
        ("secrets are an environment's own", _here(hosting.environments)),
        ("workflows begin with a token that reads only", "GitHub"),
        ("pull requests from forks run nothing by themselves", "GitHub"),
    )


def _here(offered: bool | None) -> str:
    says = {True: "GitHub", False: "nobody: only who may push keeps it", None: UNKNOWN}
    return says[offered]
