"""How figures are written, and the table of windows that every renderer shows."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from enum import Enum, auto

from pipelines.domain.thresholds import WindowThresholds
from pipelines.domain.verdict import Finding, Status, Verdict
from pipelines.reports.model import StrategyReport
from pipelines.reports.plain import counted, plain

BACKTEST = "backtest"
"""The check whose measurements are a table of windows."""

INCUMBENT = "incumbent"
"""Stands like a window in the measurements: the strategy before the change, on the whole span."""

UNKNOWN = "–"


class Kind(Enum):
    """How a figure is written: a count, a fraction as percent, a plain number."""

    COUNT = auto()
    RATIO = auto()
    NUMBER = auto()


@dataclass(frozen=True)
class Figure:
    """A figure of a window: its name in measurements, and how it is called and written."""

    name: str
    label: str
    kind: Kind


FIGURES: tuple[Figure, ...] = (
    Figure("trades", "trades", Kind.COUNT),
    Figure("profit", "profit", Kind.RATIO),
    Figure("drawdown", "drawdown", Kind.RATIO),
    Figure("sharpe", "Sharpe", Kind.NUMBER),
    Figure("sortino", "Sortino", Kind.NUMBER),
    Figure("calmar", "Calmar", Kind.NUMBER),
    Figure("profit_factor", "profit factor", Kind.NUMBER),
    Figure("expectancy", "profit a trade", Kind.NUMBER),
    Figure("expectancy_ratio", "expectancy ratio", Kind.NUMBER),
    Figure("win_rate", "win rate", Kind.RATIO),
    Figure("exposure", "exposure", Kind.RATIO),
    Figure("forced_exit_share", "forced exits", Kind.RATIO),
    Figure("buy_and_hold", "holding profit", Kind.RATIO),
    Figure("buy_and_hold_drawdown", "holding drawdown", Kind.RATIO),
    Figure("profit_over_buy_and_hold", "profit over holding", Kind.RATIO),
    Figure("calmar_over_buy_and_hold", "Calmar over holding", Kind.NUMBER),
)
"""In the order of the tables."""

_BY_NAME = {figure.name: figure for figure in FIGURES}
_LONGEST_FIRST = sorted(_BY_NAME, key=len, reverse=True)
_NUMBER = r"-?\d+(?:\.\d+)?"
_BOUND = re.compile(rf"(at least|at most) ({_NUMBER})( of the profit)?")


@dataclass(frozen=True)
class Cell:
    """One figure of one window as text. `asked` is empty where nothing was asked."""

    value: str
    asked: str
    missed: bool


@dataclass(frozen=True)
class WindowRow:
    """One window of a backtest: cells by the figure's name, all of `FIGURES`."""

    window: str
    cells: dict[str, Cell]

    @property
    def label(self) -> str:
        return label(self.window)

    @property
    def missed(self) -> bool:
        return any(cell.missed for cell in self.cells.values())


@dataclass(frozen=True)
class Told:
    """A finding as it is shown: figures readable, nothing in it that steers."""

    what: str
    actual: str
    asked: str
    hint: str
    measured: bool

    @property
    def fact(self) -> str:
        """What was found, against what was asked, without the hint."""
        if self.measured:
            return f"{self.what} {self.actual}, {self.asked}"
        expected = f"expected {self.asked}" if self.asked else ""
        got = f"got {self.actual}" if self.actual else ""
        said = ", ".join(part for part in (expected, got) if part)
        return f"{self.what}: {said}" if said else self.what

    @property
    def sentence(self) -> str:
        return f"{self.fact} — {self.hint}" if self.hint else self.fact


def label(window: str) -> str:
    """A window as people read it: `out of sample`."""
    return plain(window.replace("_", " "), 24)


def written(name: str, value: Decimal, places: int | None = None) -> str:
    """A figure as people read it: ratios in percent, the rest with two places."""
    kind = _BY_NAME[name].kind if name in _BY_NAME else Kind.NUMBER
    if kind is Kind.COUNT:
        return _placed(value, 0)
    if kind is Kind.RATIO:
        return f"{_placed(value * 100, 1 if places is None else places)} %"
    return _placed(value, 2 if places is None else places)


def _placed(value: Decimal, places: int) -> str:
    # Formatting would round as the context says, and ccxt changes that for the whole program.
    return f"{value.quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN):,f}"


def bound(name: str, value: Decimal) -> str:
    """A threshold as people read it: as exact as it was set, without trailing zeros."""
    text = written(name, value, 6).removesuffix(" %")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return f"{text} %" if written(name, value).endswith("%") else text


def backtest(report: StrategyReport) -> Verdict | None:
    """The verdict with the windows, when the backtest got that far."""
    return next((v for v in report.verdicts if v.check == BACKTEST), None)


def windows(report: StrategyReport) -> tuple[WindowRow, ...]:
    """One row per window; empty when nothing was measured in any of them."""
    verdict = backtest(report)
    if verdict is None or not any(_split(name) for name in verdict.measurements):
        return ()
    measured = dict.fromkeys(found[0] for name in verdict.measurements if (found := _split(name)))
    names = dict.fromkeys([*report.thresholds, *measured])
    names = {n: None for n in names if n != INCUMBENT} | {n: None for n in names if n == INCUMBENT}
    return tuple(_row(name, verdict, report.thresholds.get(name)) for name in names)


def further(verdict: Verdict) -> tuple[tuple[str, str], ...]:
    """Measurements that are not in the table of windows: name and value."""
    return tuple(
        (plain(name.replace("_", " "), 80), bound("", value))
        for name, value in verdict.measurements.items()
        if verdict.check != BACKTEST or not _split(name)
    )


@dataclass(frozen=True)
class Missed:
    """A threshold of a window that was missed. `value` is None where nothing was measured."""

    window: str
    figure: Figure
    at_least: bool
    bound: Decimal
    value: Decimal | None

    @property
    def short(self) -> str:
        """`profit -1.0 % (asked ≥ 2 %)`"""
        name = self.figure.name
        value = "not measured" if self.value is None else _apart(name, self.value, self.bound)
        sign = "≥" if self.at_least else "≤"
        return f"{self.figure.label} {value} (asked {sign} {bound(name, self.bound)})"


def missed(finding: Finding, check: str = BACKTEST) -> Missed | None:
    """The threshold that a finding is about; None for every other finding."""
    window, _, words = finding.what.partition(": ")
    figure = _BY_NAME.get(words.replace(" ", "_"))
    match = _BOUND.fullmatch(finding.expected)
    if check != BACKTEST or figure is None or match is None or match[3]:
        return None
    value = Decimal(finding.actual) if re.fullmatch(_NUMBER, finding.actual) else None
    return Missed(window, figure, match[1] == "at least", Decimal(match[2]), value)


def told(finding: Finding, check: str = BACKTEST) -> Told:
    """A finding as it is shown. Figures of the backtest become percent where they are ratios."""
    asked, actual = plain(finding.expected), plain(finding.actual)
    name = _figure_of(finding.what) if check == BACKTEST else ""
    match = _BOUND.fullmatch(asked)
    if name and match:
        value = Decimal(match[2])
        asked = f"{match[1]} {bound(name, value)}{match[3] or ''}"
        if re.fullmatch(_NUMBER, actual):
            actual = _apart(name, Decimal(actual), value)
    return Told(plain(finding.what), actual, asked, plain(finding.hint), match is not None)


def gist(verdict: Verdict) -> str:
    """What a verdict says in half a line."""
    if len(verdict.findings) == 1:
        return told(verdict.findings[0], verdict.check).fact
    if verdict.findings:
        first = told(verdict.findings[0], verdict.check).fact
        return f"{counted(len(verdict.findings), 'finding')}, first: {first}"
    if verdict.status is Status.SKIPPED:
        return "did not run"
    figures = [
        f"{_BY_NAME[name].label} {written(name, verdict.measurements[f'whole.{name}'])}"
        for name in ("trades", "profit", "drawdown", "sharpe")
        if verdict.check == BACKTEST and f"whole.{name}" in verdict.measurements
    ]
    return "whole: " + ", ".join(figures) if figures else ""


def summary(report: StrategyReport) -> str:
    """Why a strategy has the status that it has, in one line."""
    reasons = [
        f"{', '.join(plain(v.check, 40) for v in chosen)} {word}"
        for status, word in (
            (Status.FAILED, "said no"),
            (Status.ERRORED, "could not tell"),
            (Status.SKIPPED, "did not run"),
        )
        if (chosen := [v for v in report.verdicts if v.status is status])
    ]
    said = "; ".join(reasons) or (
        f"{counted(len(report.verdicts), 'check')} passed" if report.verdicts else "nothing ran"
    )
    return f"{said} (known evidence, nothing was run again)" if report.cached else said


def _split(name: str) -> tuple[str, str] | None:
    window, _, figure = name.rpartition(".")
    return (window, figure) if window and "." not in window and figure in _BY_NAME else None


def _row(window: str, verdict: Verdict, thresholds: WindowThresholds | None) -> WindowRow:
    missed = {finding.what: finding for finding in verdict.findings}
    asked = dict(thresholds.named()) if thresholds else {}
    return WindowRow(window, {f.name: _cell(window, f, verdict, missed, asked) for f in FIGURES})


def _cell(
    window: str,
    figure: Figure,
    verdict: Verdict,
    missed: dict[str, Finding],
    thresholds: dict[str, Decimal],
) -> Cell:
    # Renderers do not judge: a figure is marked when the verdict found it, and only then.
    finding = missed.get(f"{window}: {figure.name.replace('_', ' ')}")
    value = verdict.measurements.get(f"{window}.{figure.name}")
    asked = " ".join(_asked(figure.name, thresholds))
    if finding is None:
        return Cell(UNKNOWN if value is None else written(figure.name, value), asked, False)
    said = told(finding)
    return Cell(UNKNOWN if value is None else said.actual, asked or _signs(said.asked), True)


def _asked(name: str, thresholds: dict[str, Decimal]) -> Iterator[str]:
    for side, sign in (("min", "≥"), ("max", "≤")):
        if (value := thresholds.get(f"{side}_{name}")) is not None:
            yield f"{sign} {bound(name, value)}"


def _signs(asked: str) -> str:
    return asked.replace("at least", "≥").replace("at most", "≤")


def _figure_of(what: str) -> str:
    words = what.partition(": ")[2].lower() + " "
    return next((n for n in _LONGEST_FIRST if words.startswith(n.replace("_", " ") + " ")), "")


def _apart(name: str, value: Decimal, limit: Decimal) -> str:
    """With as many places as it takes to look different from the threshold that it missed."""
    for places in range(1, 7):
        text = written(name, value, max(places, 2) if not _is_ratio(name) else places)
        if text != written(name, limit, max(places, 2) if not _is_ratio(name) else places):
            return text
    return written(name, value)


def _is_ratio(name: str) -> bool:
    return _BY_NAME[name].kind is Kind.RATIO
