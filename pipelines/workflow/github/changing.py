"""`sluice github strategies`: what a pull request changes, for the matrix of a workflow."""

import json

from pipelines.adapters import plugins
from pipelines.errors import ExitCode
from pipelines.workflow.github import telling
from pipelines.workflow.place import Place

MOST = 256
"""So many jobs GitHub makes of one matrix."""


def strategies(place: Place, since: str) -> tuple[str, ...]:
    """Strategies whose content, shared code included, differs from where work left `since`.

    :raises SluiceError: when git cannot tell.
    """
    return plugins.changed_since(place.root, since)


def tell(names: tuple[str, ...]) -> ExitCode:
    """Print them as one line of JSON; for GitHub they are the outputs `strategies` and `any`."""
    line = json.dumps(names, separators=(",", ":"))
    telling.output("strategies", line)
    telling.output("any", "true" if names else "false")
    print(line)
    return ExitCode.DONE
