"""`sluice github plan`: what would change."""

from dataclasses import dataclass

from pipelines.domain.document import sha256
from pipelines.domain.repository.hosting import Hosting
from pipelines.domain.repository.planning import Action, Create, Update
from pipelines.workflow.github import reaching
from pipelines.workflow.github.reaching import Asked, Reached
from pipelines.workflow.place import Place


@dataclass(frozen=True)
class Planned:
    """A plan, and where it is for. Two plans with one digest do the same."""

    hosting: Hosting
    actions: tuple[Action, ...]

    @property
    def digest(self) -> str:
        doing = [each for each in self.actions if isinstance(each, Create | Update)]
        return sha256(f"{self.hosting.full_name} {doing!r}".encode())


def plan(place: Place, asked: Asked) -> Planned:
    """What there is to do; nothing is changed.

    :raises BadInput: when the file, the token or the repository's name is missing or wrong.
    :raises CannotTell: when GitHub does not answer.
    """
    with reaching.reached(place, asked) as reached:
        return of(reached)


def of(reached: Reached) -> Planned:
    """What there is to do to a repository that was reached."""
    return Planned(reached.hosting, reached.planned())
