"""`environments/github.yaml`: what the repository at GitHub should be set to."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from pipelines.domain.document import Document
from pipelines.domain.secret import Name

Owner = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9](-?[A-Za-z0-9]){0,38}(/[a-z0-9][a-z0-9_-]*)?$")
]
"""A user, or a team as `organization/team`."""

Pattern = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._*?/-]+$", max_length=200)]
"""Which branches or tags, with GitHub's wildcards."""

GitHubName = Annotated[str, StringConstraints(pattern=r"^[A-Z_][A-Z0-9_]*$", max_length=100)]
"""Of a secret at GitHub."""

Plan = Literal["free", "pro", "team", "enterprise"]

ACTIONS_APP = 15368
"""GitHub Actions itself, as github.com numbers its apps."""


class Merging(Document):
    """What a pull request must have before it is merged into the branch that ships.

    `checks` are the names of jobs; they count when the app `checks_by` answered them. `reviews` is
    how many people have to approve; without it one, where there is more than one owner.
    """

    branch: Pattern = "main"
    checks: Annotated[tuple[str, ...], Field(min_length=1)] = ("Passed",)
    checks_by: int | None = ACTIONS_APP
    reviews: Annotated[int, Field(ge=0, le=6)] | None = None


class Gated(Document):
    """An environment at GitHub, where it should differ from what its own file makes of it.

    One that has no file is GitHub's alone, and says which `branches` or `tags` deploy to it.
    """

    reviewers: Annotated[tuple[Owner, ...], Field(max_length=6)] | None = None
    prevents_self_review: bool = False
    wait_minutes: Annotated[int, Field(ge=0, le=43_200)] = 0
    branches: tuple[Pattern, ...] | None = None
    tags: tuple[Pattern, ...] | None = None
    secrets: tuple[GitHubName, ...] = ()


class Labelled(Document):
    """A label of issues and pull requests; `color` is six hexadecimal digits."""

    color: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{6}$")]
    description: Annotated[str, StringConstraints(max_length=100)] = ""


class Declared(Document):
    """The whole file. What it leaves out follows from the train's environments.

    With `sealed_secrets` the secrets of bots travel through GitHub, sealed to their host.
    """

    api: str = "https://api.github.com"
    plan: Plan | None = None
    owners: tuple[Owner, ...] = ()
    merging: Merging = Field(default_factory=Merging)
    tags: Annotated[tuple[Pattern, ...], Field(min_length=1)] = ("v*", "*-v*")
    environments: dict[Name, Gated] = Field(default_factory=dict)
    sealed_secrets: bool = True
    actions: tuple[str, ...] = ()
    labels: dict[Annotated[str, StringConstraints(max_length=50)], Labelled] = Field(
        default_factory=dict
    )

    def gated(self, environment: str) -> Gated:
        """What the file says of an environment."""
        return self.environments.get(environment, Gated())
