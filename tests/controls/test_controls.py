"""Every planted bad strategy is blocked by the named check for the named reason; its twin passes.

README.md says how a control is written, and what "blocked for the named reason" means.
"""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import Field

from pipelines.documents import load
from pipelines.domain.document import Document
from pipelines.domain.verdict import Finding, Status

FOLDER = Path(__file__).parent


class Replacement(Document):
    """One piece of the bad strategy, and what stands there in its twin."""

    bad: str
    good: str


class Block(Document):
    """The check that must block it, as one of `status` says, and a pattern of its reason.

    Every finding must match `reason`, or `besides` where the fault shows itself in other ways too.
    `limits` are tighter than usual, for what would take long to be stopped.
    """

    check: str
    reason: str
    besides: str = ""
    status: tuple[Literal["FAILED", "ERRORED"], ...] = ("FAILED",)
    limits: dict[str, float] = Field(default_factory=dict)


class Control(Document):
    """`control.yaml` beside the bad `strategy.py`."""

    plants: str
    blocked: tuple[Block, ...]
    twin: tuple[Replacement, ...]
    informative: tuple[str, ...] = ()
    admission: dict[str, dict[str, float]] = Field(default_factory=dict)

    def twin_of(self, text: str) -> str:
        for each in self.twin:
            assert text.count(each.bad) == 1, f"{each.bad!r} is not there exactly once"
            text = text.replace(each.bad, each.good)
        return text


CONTROLS = {path.parent.name: path for path in sorted(FOLDER.glob("*/control.yaml"))}

NAMED_BY_THE_ISSUE = (
    "look-ahead by shift(-1)",
    "look-ahead by a centred window",
    "look-ahead by a whole-frame normalisation",
    "look-ahead by an unshifted higher timeframe",
    "no trades",
    "one lucky trade",
    "never closes losers",
    "martingale by position adjustment with a hidden drawdown",
    "wins in one window only",
    "needs more start-up candles than it says",
    "raises",
    "loops for ever",
    "sleeps",
    "eats memory",
    "forks",
    "fills the disk",
    "floods output",
    "opens a socket",
    "reads a secret file",
    "reads the environment",
    "reads another process",
    "writes a fake result",
    "changes freqtrade's classes to forge profit",
    "detects that it is being checked and behaves",
)


def test_no_control_was_dropped() -> None:
    planted = {load(path, Control).plants for path in CONTROLS.values()}
    assert set(NAMED_BY_THE_ISSUE) - planted == set()


def cases() -> list[Any]:
    return [
        pytest.param(name, block, id=f"{name}-{block.check}")
        for name, path in CONTROLS.items()
        for block in load(path, Control).blocked
    ]


def said(finding: Finding) -> str:
    return f"{finding.what}: expected {finding.expected}; actual {finding.actual}"


@pytest.mark.freqtrade
@pytest.mark.parametrize(("name", "block"), cases())
def test_is_blocked_for_its_reason_and_its_twin_passes(
    name: str, block: Block, examine: Callable[..., Any], bait: Any, plugin: Callable[..., Any]
) -> None:
    control = load(CONTROLS[name], Control)
    text = (CONTROLS[name].parent / "strategy.py").read_text()

    def run(source: str) -> Any:
        strategy = plugin(bait.planted_in(source), control.informative)
        return examine(block.check, strategy, control.admission, block.limits)

    with ThreadPoolExecutor(2) as both:
        bad, good = both.map(run, (text, control.twin_of(text)))

    findings = [said(finding) for finding in bad.verdict.findings]
    assert bait.touched(bad.told + good.told) == []
    assert bait.children_left() == []
    assert bad.verdict.status in [Status[each] for each in block.status], findings
    reasons = [each for each in findings if re.search(block.reason, each)]
    assert reasons, findings
    others = [each for each in findings if each not in reasons]
    assert [each for each in others if not (block.besides and re.search(block.besides, each))] == []
    assert good.verdict.status is Status.PASSED, good.verdict.findings
