"""`sluice explain`: retell evidence in words."""

from pathlib import Path

from pipelines import documents
from pipelines.domain.evidence import Evidence
from pipelines.reports.model import Report, StrategyReport


def explain(path: Path) -> Report:
    """The report that a piece of evidence was taken for.

    :raises BadInput: when there is no such file or it is no evidence.
    """
    evidence = documents.load_json(path, Evidence)
    return Report((StrategyReport(evidence.strategy, "", evidence.verdicts, evidence, path),))
