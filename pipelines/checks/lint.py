"""Lint: the policy on the syntax tree, then style."""

from collections.abc import Iterator

from pipelines.checks import policy
from pipelines.checks.workbench import Subject, Workbench
from pipelines.domain.source import LintMessage
from pipelines.domain.strategy import Strategy
from pipelines.domain.verdict import Finding, Status, Verdict
from pipelines.errors import CannotTell

NAME = "lint"


def run(subject: Subject, bench: Workbench) -> Verdict:
    """What the policy objects to is final: it must not run. Style alone is not."""
    strategy = subject.strategy
    files = (*strategy.files, *strategy.shared)
    if objections := policy.findings(files):
        return Verdict(check=NAME, status=Status.FAILED, findings=objections, final=True)
    sources = {file.path: file.content for file in files if file.path.endswith(".py")}
    try:
        said = bench.linter.run(sources)
    except CannotTell as error:
        finding = Finding(what=f"style: {error.message}", hint=error.hint)
        return Verdict(check=NAME, status=Status.ERRORED, findings=(finding,))
    findings = tuple(_findings(strategy, said))
    return Verdict(
        check=NAME, status=Status.FAILED if findings else Status.PASSED, findings=findings
    )


def _findings(strategy: Strategy, said: tuple[LintMessage, ...]) -> Iterator[Finding]:
    for message in said:
        place = f"strategies/{message.path}:{message.line}:{message.column}"
        folder = message.path.split("/", 1)[0]
        is_format = message.code == "format"
        verb = "format" if is_format else "check --fix"
        yield Finding(
            what=f"{place}: {'' if is_format else message.code + ' '}{message.text}",
            hint=f"run: ruff {verb} strategies/{folder or strategy.name}",
        )
