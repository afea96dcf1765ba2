"""What is declared for this host: the environments of one train, and whose signatures count."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipelines import documents
from pipelines.domain import telegram
from pipelines.domain.environment import Environment
from pipelines.domain.trust import Trust
from pipelines.errors import BadInput, Problem, Problems

_OTHERS = {"trust.yaml", "github.yaml", telegram.FILE}


@dataclass(frozen=True)
class Declared:
    """The environments by name, also those of other hosts, and the keys that are trusted."""

    environments: Mapping[str, Environment]
    trust: Trust
    host: str

    def environment(self, name: str) -> Environment:
        """An environment.

        :raises BadInput: when there is none of this name.
        """
        if name not in self.environments:
            hint = f"there are {', '.join(self.environments)}"
            raise BadInput(f"{name}: there is no such environment", hint)
        return self.environments[name]

    @property
    def own(self) -> dict[str, Environment]:
        """Every environment that this host serves."""
        return {n: each for n, each in self.environments.items() if each.host == self.host}

    def mine(self, name: str) -> Environment | None:
        """An environment that this host serves; None for another's, or one that is gone."""
        found = self.environments.get(name)
        return found if found and found.host == self.host else None


def load(folder: Path, host: str) -> Declared:
    """Read a train: every environment in `folder`, and its trust.yaml.

    :raises BadInput: when any file is wrong; all problems at once.
    """
    environments: dict[str, Environment] = {}
    problems: list[Problem] = []
    for path in sorted(folder.glob("*.yaml")):
        if path.name in _OTHERS:
            continue
        try:
            found = documents.load(path, Environment, str(path), topic="environment")
            environments[found.name] = found
        except Problems as error:
            problems += error.problems
        except Problem as error:
            problems.append(error)
    if problems:
        raise Problems(tuple(problems))
    if not environments:
        raise BadInput(f"{folder}: there are no environments", "name a train with --train")
    trust = documents.load(folder / "trust.yaml", Trust, str(folder / "trust.yaml"), "releases")
    return Declared(environments, trust, host)
