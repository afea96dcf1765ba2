"""`sluice github apply`: do what the plan says, and look whether it is so."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pipelines.adapters.github.client import Limited, NoAnswer
from pipelines.adapters.github.writing import Writing
from pipelines.domain.repository.parts import CodeOwners, Part
from pipelines.domain.repository.planning import Create, Unknown, Update
from pipelines.errors import CannotTell, ExitCode, Refused, SluiceError
from pipelines.workflow.github import owners, plan, reaching
from pipelines.workflow.github.plan import Planned
from pipelines.workflow.github.reaching import Asked, Reached
from pipelines.workflow.place import Place

Say = Callable[[str, str], None]
"""Told as it happens: what became of a step, and which."""


@dataclass(frozen=True)
class Applied:
    """What was planned, what went wrong with which part, and what is left to do after it."""

    planned: Planned
    failures: tuple[tuple[str, SluiceError], ...]
    after: Planned

    @property
    def code(self) -> ExitCode:
        """0 when everything that was to be done is so; what is by hand is told, no failure."""
        if any(isinstance(error, Refused) for _, error in self.failures):
            return ExitCode.REFUSED
        left = [each for each in self.after.actions if isinstance(each, Create | Update | Unknown)]
        return ExitCode.CANNOT_TELL if self.failures or left else ExitCode.DONE


def apply(place: Place, asked: Asked, digest: str, say: Say) -> Applied:
    """Do everything that is to be done, part by part; one that fails keeps no other waiting.

    With a `digest`, only if it is still the plan that was shown. Killed at any moment and done
    again, it ends at the same.

    :raises Refused: when it would be another plan; nothing is done then.
    :raises CannotTell: when GitHub does not answer any more; what was done stays.
    """
    with reaching.reached(place, asked) as reached:
        planned = plan.of(reached)
        if digest and not planned.digest.startswith(digest):
            hint = "look at it again: sluice github plan"
            raise Refused("what there is to do is not what that plan said; nothing was done", hint)
        failures = tuple(_failures(reached, planned, say))
        return Applied(planned, failures, plan.of(reached))


def _failures(reached: Reached, planned: Planned, say: Say) -> Iterator[tuple[str, SluiceError]]:
    for action in planned.actions:
        if not isinstance(action, Create | Update):
            continue
        try:
            _make(reached, action.will)
        except Limited:
            raise
        except SluiceError as error:
            say("failed", f"{action.what}: {error.message}")
            yield action.what, error
        else:
            say("done", action.what)


def _make(reached: Reached, part: Part) -> None:
    if isinstance(part, CodeOwners):
        owners.fill(reached.place.root, part.owners)
        return
    writing = Writing(reached.reading)
    try:
        writing.make(part)
    except NoAnswer:
        # It looks before it acts: what was done without an answer is not done a second time.
        writing.make(part)
    now = reached.reading.of(part)
    if now != part:
        raise CannotTell(f"GitHub took it, and says that it is still {now}")
