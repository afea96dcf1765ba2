"""`sluice github report`: a report that was written becomes a job's summary and notes on lines."""

import json
import re
from pathlib import Path

from pipelines.errors import BadInput, ExitCode
from pipelines.reports.folder import MARKDOWN, REPORT
from pipelines.workflow.github import telling

_PLACE = re.compile(r"(strategies/[\w./-]+?)(?::(\d+))?(?::\d+)?: ?(.*)", re.DOTALL)
_AGAINST = ("FAILED", "ERRORED")


def report(folder: Path) -> ExitCode:
    """Show what `sluice check --out FOLDER` wrote there.

    :raises BadInput: when there is no report.
    """
    try:
        told = json.loads((folder / REPORT).read_text(encoding="utf-8"))
        page = (folder / MARKDOWN).read_text(encoding="utf-8")
    except (OSError, ValueError):
        hint = "'sluice check --out FOLDER' writes one"
        raise BadInput(f"{folder}: holds no report", hint) from None
    telling.summary(page)
    for strategy in told["strategies"]:
        for verdict in strategy["verdicts"]:
            for finding in verdict["findings"] if verdict["status"] in _AGAINST else ():
                _annotate(strategy["name"], verdict["check"], finding)
    print(f"{folder / MARKDOWN}: shown")
    return ExitCode.DONE


def _annotate(strategy: str, check: str, finding: dict[str, str]) -> None:
    place = _PLACE.match(finding["what"])
    file, line, what = place.groups() if place else (f"strategies/{strategy}", "", finding["what"])
    parts = (what, finding["expected"] and f"expected {finding['expected']}", finding["hint"])
    telling.annotate(file, int(line or 0), f"{check}: {'; '.join(part for part in parts if part)}")
