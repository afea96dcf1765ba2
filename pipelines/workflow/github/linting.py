"""`sluice github lint`: hold workflows against the policy."""

import json
from dataclasses import asdict
from pathlib import Path

from pipelines.adapters import workflows
from pipelines.domain.workflows import violations
from pipelines.domain.workflows.model import Violation
from pipelines.domain.workflows.placing import FOLDER
from pipelines.errors import ExitCode
from pipelines.workflow.github.telling import annotate
from pipelines.workflow.place import Place


def lint(place: Place, folder: Path | None) -> tuple[Violation, ...]:
    """Every violation in a folder of workflows, by default the project's.

    :raises BadInput: when there is none, or one is no YAML.
    """
    return violations(workflows.project(folder or place.root / FOLDER))


def tell(found: tuple[Violation, ...], root: Path, *, as_json: bool) -> ExitCode:
    """Say what was found, to people or to machines, and on the lines where GitHub shows it."""
    told = [{**asdict(each), "file": _shown(each.file, root)} for each in found]
    if as_json:
        print(json.dumps({"violations": told}, separators=(",", ":")))
    for each in told:
        where = ", ".join(f"{kind} {each[kind]!r}" for kind in ("job", "step") if each[kind])
        text = f"{where}: {each['text']}" if where else str(each["text"])
        if not as_json:
            print(f"{each['file']}:{each['line']}: {each['rule']}: {text}")
        annotate(str(each["file"]), int(each["line"]), f"{each['rule']}: {text}", quiet=as_json)
    if not told and not as_json:
        print("the workflows keep to every rule")
    return ExitCode.SAID_NO if told else ExitCode.DONE


def _shown(file: str, root: Path) -> str:
    path = Path(file).resolve()
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else file
