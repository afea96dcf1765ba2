"""Planted bad workflows, each with an innocent twin: every rule catches its own, and only that.

A folder is named after its rule, and behind a dot after how the rule is broken. What lies in
`bad/`, `twin/` or `both/` beside the two files belongs to the project as well.
"""

import shutil
from pathlib import Path

import pytest

from pipelines.adapters import workflows
from pipelines.domain.workflows import RULES, violations
from pipelines.domain.workflows.model import Violation

PLANTED = sorted(Path(__file__).parent.glob("planted/*/bad.yml"))


def found(case: Path, which: str, tmp_path: Path) -> tuple[Violation, ...]:
    github = tmp_path / ".github"
    (github / "workflows").mkdir(parents=True)
    for folder in ("both", which):
        if (case / folder).is_dir():
            shutil.copytree(case / folder, github, dirs_exist_ok=True)
    shutil.copy(case / f"{which}.yml", github / "workflows" / "planted.yml")
    return violations(workflows.project(github / "workflows"))


@pytest.mark.parametrize("bad", PLANTED, ids=lambda path: path.parent.name)
def test_a_planted_workflow_is_caught_for_its_rule_and_its_twin_passes(
    bad: Path, tmp_path: Path
) -> None:
    case = bad.parent
    caught = found(case, "bad", tmp_path / "bad")
    assert {each.rule for each in caught} == {case.name.partition(".")[0]}, caught
    assert [each for each in caught if not (each.line and each.file and each.text)] == []
    assert found(case, "twin", tmp_path / "twin") == ()


def test_every_rule_has_a_workflow_that_it_catches() -> None:
    planted = {path.parent.name.partition(".")[0] for path in PLANTED}
    assert planted == {rule.name for rule in RULES}
    assert len(PLANTED) >= 30
