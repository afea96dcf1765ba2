"""`sluice github audit`: whether the repository is still set as it should be."""

from pipelines.domain.repository.planning import ByHand, Create, Unknown, Update
from pipelines.errors import ExitCode
from pipelines.workflow.github import plan
from pipelines.workflow.github.plan import Planned
from pipelines.workflow.github.reaching import Asked
from pipelines.workflow.place import Place


def audit(place: Place, asked: Asked) -> Planned:
    """Everything that is not as it should be, and everything of which nobody can tell.

    :raises BadInput: when the file, the token or the repository's name is missing or wrong.
    :raises CannotTell: when GitHub does not answer.
    """
    return plan.plan(place, asked)


def verdict(planned: Planned) -> ExitCode:
    """1 on drift, 3 when something could not be told and nothing drifted, 0 without either."""
    if any(isinstance(each, Create | Update | ByHand) for each in planned.actions):
        return ExitCode.SAID_NO
    if any(isinstance(each, Unknown) for each in planned.actions):
        return ExitCode.CANNOT_TELL
    return ExitCode.DONE
