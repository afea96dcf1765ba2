"""Lint: the policy first, then style."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

from pipelines.checks import lint
from pipelines.checks.workbench import Subject, Workbench
from pipelines.domain.environment import Door
from pipelines.domain.source import LintMessage
from pipelines.domain.strategy import Manifest, SourceFile, Strategy
from pipelines.domain.verdict import Status, Verdict
from pipelines.errors import CannotTell

MANIFEST = Manifest(
    class_name="A",
    version="1.0.0",
    owner="me",
    summary="text",
    pairs=("BTC/USDT",),
    timeframe="1h",
    handover="drain",
)


@dataclass
class SaidBefore:
    """A linter that says what it was told to say, and remembers what it was asked."""

    messages: tuple[LintMessage, ...] | CannotTell = ()
    asked: list[Mapping[str, bytes]] = field(default_factory=list)

    def run(self, files: Mapping[str, bytes]) -> tuple[LintMessage, ...]:
        self.asked.append(files)
        if isinstance(self.messages, CannotTell):
            raise self.messages
        return self.messages


@dataclass(frozen=True)
class _Bench:
    linter: SaidBefore


def judged(source: bytes, linter: SaidBefore) -> Verdict:
    files = (SourceFile("x/strategy.py", source), SourceFile("x/README.md", b"text"))
    strategy = Strategy("x", MANIFEST, files, (SourceFile("shared/a_v1.py", b"A = 1\n"),))
    subject = Subject(strategy, None, cast("Door", None))
    return lint.run(subject, cast("Workbench", _Bench(linter)))


def test_passes_when_neither_objects() -> None:
    verdict = judged(b"X = 1\n", SaidBefore())
    assert (verdict.check, verdict.status, verdict.final) == ("lint", Status.PASSED, False)


def test_gives_the_linter_every_source_and_nothing_else() -> None:
    linter = SaidBefore()
    judged(b"X = 1\n", linter)
    assert [sorted(files) for files in linter.asked] == [["shared/a_v1.py", "x/strategy.py"]]


def test_what_the_policy_objects_to_is_final_and_style_is_not_asked() -> None:
    linter = SaidBefore()
    verdict = judged(b"import os\n", linter)
    assert (verdict.status, verdict.final) == (Status.FAILED, True)
    assert linter.asked == []


def test_style_alone_is_not_final() -> None:
    said = LintMessage("x/strategy.py", 3, 5, "F401", "`os` imported but unused")
    verdict = judged(b"X = 1\n", SaidBefore((said,)))
    assert (verdict.status, verdict.final) == (Status.FAILED, False)
    (finding,) = verdict.findings
    assert finding.what == "strategies/x/strategy.py:3:5: F401 `os` imported but unused"
    assert finding.hint == "run: ruff check --fix strategies/x"


def test_says_how_to_format() -> None:
    said = LintMessage("shared/a_v1.py", 1, 1, "format", "would be formatted otherwise")
    (finding,) = judged(b"X = 1\n", SaidBefore((said,))).findings
    assert finding.what == "strategies/shared/a_v1.py:1:1: would be formatted otherwise"
    assert finding.hint == "run: ruff format strategies/shared"


def test_a_linter_that_breaks_is_no_pass() -> None:
    verdict = judged(b"X = 1\n", SaidBefore(CannotTell("ruff broke", "install it")))
    assert verdict.status is Status.ERRORED
    assert verdict.findings[0].what == "style: ruff broke"
