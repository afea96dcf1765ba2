"""Where a project and its state lie."""

import os
from dataclasses import dataclass
from pathlib import Path

from pipelines import documents
from pipelines.domain import telegram
from pipelines.domain.candles import DataLock
from pipelines.domain.couplings.retired import RETIRED
from pipelines.domain.environment import Door, Environment
from pipelines.domain.repository.declared import Declared
from pipelines.domain.trust import Trust
from pipelines.errors import BadInput, Problem, Problems

TRAINS = ("environments", "environments/demo")
"""Folders, each with a train of its own. The first is the one that leads to money."""

DOOR = "test.yaml"
"""In each of them the environment whose admission a strategy must meet."""

_OTHERS = {"trust.yaml", "github.yaml", telegram.FILE}


@dataclass(frozen=True)
class Place:
    """A project: the folder with `strategies/` and `environments/`, and where its state is kept.

    `folder` is the one of the `TRAINS` that is meant.
    """

    root: Path
    home: Path
    folder: str = TRAINS[0]

    @property
    def candles(self) -> Path:
        """What is remembered of candle files, and the embedded market once it is made."""
        return self.home / "candles"

    def environment(self, name: str) -> Environment:
        """An environment of the train that is meant.

        :raises BadInput: when it is missing or wrong.
        """
        where = f"{self.folder}/{name}.yaml"
        return documents.load(self.root / where, Environment, where, topic="environment")

    def trust(self, other: Path | None = None) -> Trust:
        """The train's trust.yaml, or another file in its place.

        :raises BadInput: when it is missing or wrong.
        """
        where = f"{self.folder}/trust.yaml"
        path = other or self.root / where
        return documents.load(path, Trust, str(other or where), topic="releases")

    def github(self) -> Declared:
        """`environments/github.yaml`: what the repository at GitHub should be set to.

        :raises BadInput: when it is missing or wrong.
        """
        where = f"{TRAINS[0]}/github.yaml"
        return documents.load(self.root / where, Declared, where, topic="github-settings")

    def door(self) -> Door:
        """The environment whose admission a strategy must meet.

        :raises BadInput: when it is missing or wrong.
        """
        where = f"{self.folder}/{DOOR}"
        return documents.load(self.root / where, Door, where, topic="environment")

    def train(self, folder: str) -> dict[str, Environment]:
        """Every environment in one of the `TRAINS`, by file.

        :raises BadInput: when any of them is wrong; all problems at once.
        """
        train, problems = {}, list[Problem]()
        files = {path.name for path in (self.root / folder).glob("*.yaml")} - _OTHERS
        # A project may do without the demo's.
        needed = {DOOR} if folder == TRAINS[0] else set[str]()
        for where in sorted(f"{folder}/{name}" for name in files | needed):
            try:
                train[where] = documents.load(
                    self.root / where, Environment, where, topic="environment"
                )
            except Problems as error:
                problems += error.problems
            except Problem as error:
                problems.append(error)
        if problems:
            raise Problems(tuple(map(_advised, problems)))
        return train

    def data_lock(self) -> DataLock:
        """`environments/data.lock`.

        :raises BadInput: when it is missing or wrong.
        """
        where = "environments/data.lock"
        return documents.load(self.root / where, DataLock, where, topic="data")


def _advised(problem: Problem) -> Problem:
    """A key that was retired, or is freqtrade's, has its own hint."""
    hint = RETIRED.get(problem.key)
    if hint is None:
        return problem
    return Problem(problem.where, problem.bare, key=problem.key, line=problem.line, hint=hint)


def find(root: Path | None, home: Path | None, train: str = TRAINS[0]) -> Place:
    """The project around the current folder, unless `root` or `SLUICE_ROOT` names another.

    :raises BadInput: when there is none.
    """
    named = root or _from_environment("SLUICE_ROOT")
    start = (named or Path.cwd()).resolve()
    candidates = (start,) if named else (start, *start.parents)
    for folder in candidates:
        if (folder / "strategies").is_dir() and (folder / "environments").is_dir():
            kept = (home or _from_environment("SLUICE_HOME") or _state()).resolve()
            return Place(folder, kept, train)
    raise BadInput(
        f"{start}: no project here: strategies/ and environments/ are missing",
        "go to your checkout, or name it with --root",
    )


def _from_environment(name: str) -> Path | None:
    value = os.environ.get(name)
    return Path(value) if value else None


def _state() -> Path:
    base = _from_environment("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return base / "sluice"
