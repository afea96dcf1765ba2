"""Which repository is meant, with whose token, and what it should be and is set to."""

import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pipelines.adapters import git
from pipelines.adapters.github import reading, token
from pipelines.adapters.github.client import opened
from pipelines.adapters.github.reading import Reading
from pipelines.domain.environment import Environment
from pipelines.domain.repository.declared import Declared
from pipelines.domain.repository.hosting import Hosting
from pipelines.domain.repository.parts import CodeOwners, Part
from pipelines.domain.repository.planning import Action, Seen, plan
from pipelines.domain.repository.wanted import Wanted, wanted
from pipelines.errors import BadInput, Problem
from pipelines.workflow.github import owners
from pipelines.workflow.place import TRAINS, Place

_NAME = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*)/([A-Za-z0-9._-]+)")
_ORIGIN = re.compile(r"[/:]([A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+?)(?:\.git)?/?$")


@dataclass(frozen=True)
class Asked:
    """What the command line says; what is empty is found elsewhere."""

    repository: str = ""
    api: str = ""
    token_file: Path | None = None
    patience: float = 120.0
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True)
class Reached:
    """A repository that answers, and everything that is wanted of it."""

    place: Place
    reading: Reading
    wanted: Wanted

    @property
    def hosting(self) -> Hosting:
        return self.reading.hosting

    def seen(self) -> Mapping[str, Seen]:
        """How every part that is wanted is now.

        :raises CannotTell: when GitHub wants to be left alone.
        """
        return {part.what: self._seen(part) for part in self.wanted.parts}

    def planned(self) -> tuple[Action, ...]:
        """What is to be done, by what is there now."""
        return plan(self.wanted, self.seen())

    def _seen(self, part: Part) -> Seen:
        if isinstance(part, CodeOwners):
            return owners.read(self.place.root, part.owners)
        return self.reading.of(part)


@contextmanager
def reached(place: Place, asked: Asked) -> Iterator[Reached]:
    """Ask GitHub whose repository this is, and what the project wants of it.

    :raises BadInput: when the file, the token or the repository's name is missing or wrong.
    :raises CannotTell: when GitHub does not answer, or does not let this token look.
    """
    declared, train = place.github(), place.train(TRAINS[0])
    owner, name = _named(place.root, asked.repository)
    _refuse_strangers(declared, train)
    api, secret = (asked.api or declared.api).rstrip("/"), token.found(asked.token_file)
    with opened(api, secret, patience=asked.patience, sleep=asked.sleep) as github:
        hosting = reading.hosting(github, owner, name, declared.plan)
        yield Reached(place, Reading(github, hosting), _wanted(declared, train, hosting))


def _refuse_strangers(declared: Declared, train: Mapping[str, Environment]) -> None:
    known = {each.name for each in train.values()}
    for name, said in declared.environments.items():
        if name not in known and not said.branches and not said.tags:
            hint = f"the train has {', '.join(sorted(known))}; one of GitHub alone names branches"
            key, told = f"environments.{name}", "is none of the train's, and nothing deploys to it"
            raise Problem("environments/github.yaml", told, key=key, hint=hint)


def _wanted(declared: Declared, train: Mapping[str, Environment], hosting: Hosting) -> Wanted:
    try:
        return wanted(declared, train, hosting)
    except ValueError as error:
        raise Problem("environments", str(error)) from None


def _named(root: Path, given: str) -> tuple[str, str]:
    said = given or os.environ.get("GITHUB_REPOSITORY", "") or _origin(root)
    found = _NAME.fullmatch(said)
    if not found:
        hint = "name it with --repository OWNER/NAME"
        raise BadInput("nothing says which repository at GitHub is meant", hint)
    return found[1], found[2]


def _origin(root: Path) -> str:
    found = _ORIGIN.search(git.origin(root))
    return found[1] if found else ""
