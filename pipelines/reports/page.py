"""What stands on the page of one strategy, in words and figures that are ready to be shown."""

from dataclasses import dataclass

from pipelines.domain.candles import TIMEFRAMES, moment
from pipelines.domain.trades.performance import trade_profit
from pipelines.domain.verdict import Finding, Status, Verdict
from pipelines.reports import breakdown, figures, gaps, pictures
from pipelines.reports.breakdown import Breakdown
from pipelines.reports.figures import Cell, Figure, Told, WindowRow
from pipelines.reports.gaps import Gap
from pipelines.reports.model import ChosenTrade, StrategyReport, WindowView
from pipelines.reports.pictures import Year
from pipelines.reports.views import earned

CORE = ("trades", "profit", "drawdown", "sharpe", "profit_factor", "win_rate", "buy_and_hold")
"""Rows of the table of windows that everybody wants; what was asked for joins them."""

TILES = ("profit", "drawdown", "sharpe", "profit_factor", "trades", "buy_and_hold")
WHOLE = "whole"


@dataclass(frozen=True)
class Reason:
    """A finding with the check that made it and, for a threshold, the gap behind it."""

    verdict: Verdict
    what: str
    told: Told
    gap: Gap | None


@dataclass(frozen=True)
class Card:
    """A chosen trade: why it was chosen and what there is to say below its picture."""

    why: str
    pair: str
    earned: float
    facts: tuple[tuple[str, str], ...]
    candle: str


@dataclass(frozen=True)
class Panel:
    """One window of one strategy on the page."""

    id: str
    label: str
    span: str
    trades: int
    limit: str
    chosen: bool
    years: tuple[Year, ...]
    cards: tuple[Card, ...]
    breakdowns: tuple[Breakdown, ...]


@dataclass(frozen=True)
class Page:
    """One strategy."""

    report: StrategyReport
    reasons: tuple[Reason, ...]
    checks: tuple[tuple[Verdict, str], ...]
    further: tuple[tuple[str, str, str], ...]
    figures: tuple[Figure, ...]
    rest: tuple[Figure, ...]
    rows: tuple[WindowRow, ...]
    tiles: tuple[tuple[str, Cell], ...]
    panels: tuple[Panel, ...]
    facts: tuple[tuple[str, str], ...]


def of(report: StrategyReport) -> Page:
    """The page of a strategy, whatever of it is known."""
    rows = figures.windows(report)
    spoken = [v for v in report.verdicts if v.status is not Status.SKIPPED]
    known = [figure for figure in figures.FIGURES if _known(figure, rows)]
    return Page(
        report=report,
        reasons=tuple(_reason(f, v, report) for v in spoken for f in v.findings),
        checks=tuple((verdict, figures.gist(verdict)) for verdict in report.verdicts),
        further=tuple((v.check, *pair) for v in report.verdicts for pair in figures.further(v)),
        figures=tuple(figure for figure in known if _first(figure, rows)),
        rest=tuple(figure for figure in known if not _first(figure, rows)),
        rows=rows,
        tiles=tiles(rows),
        panels=tuple(_panel(n, view, report) for n, view in enumerate(report.views, 1)),
        facts=tuple(_facts(report)),
    )


def _reason(finding: Finding, verdict: Verdict, report: StrategyReport) -> Reason:
    told, missed = figures.told(finding, verdict.check), figures.missed(finding, verdict.check)
    what = f"{figures.label(missed.window)}: {missed.figure.label}" if missed else told.what
    return Reason(verdict, what, told, gaps.of(finding, verdict, report))


def tiles(rows: tuple[WindowRow, ...]) -> tuple[tuple[str, Cell], ...]:
    """The first figures of the whole span; none when it was not measured."""
    labels = {figure.name: figure.label for figure in figures.FIGURES}
    whole = next((row for row in rows if row.window == WHOLE), None)
    return tuple((labels[name], whole.cells[name]) for name in TILES) if whole else ()


def _known(figure: Figure, rows: tuple[WindowRow, ...]) -> bool:
    cells = [row.cells[figure.name] for row in rows]
    return any(cell.value != figures.UNKNOWN or cell.asked for cell in cells)


def _first(figure: Figure, rows: tuple[WindowRow, ...]) -> bool:
    return figure.name in CORE or any(row.cells[figure.name].asked for row in rows)


def panel_id(number: int) -> str:
    """Ours: names of windows reach text only."""
    return f"window-{number}"


def _panel(number: int, view: WindowView, report: StrategyReport) -> Panel:
    asked = report.thresholds.get(view.window)
    limit = asked.max_drawdown if asked else None
    return Panel(
        id=panel_id(number),
        label=figures.label(view.window),
        span=f"{view.span.start} to {view.span.end}",
        trades=len(view.log.trades),
        limit="" if limit is None else figures.bound("drawdown", limit),
        chosen=view is report.main,
        years=pictures.years(view.account, view.log.starting_balance),
        cards=tuple(_card(chosen) for chosen in view.chosen),
        breakdowns=breakdown.of_window(view) if view.log.trades else (),
    )


def _card(chosen: ChosenTrade) -> Card:
    trade = chosen.trade
    days = (trade.closed - trade.opened) / TIMEFRAMES["1d"]
    fills = len(trade.fills)
    merged = pictures.merged(chosen)
    timeframe = chosen.candles.timeframe
    return Card(
        why=chosen.why,
        pair=trade.pair,
        earned=earned(trade),
        facts=(
            ("opened", f"{moment(trade.opened):%Y-%m-%d %H:%M}"),
            ("held", f"{days:.1f} days" if days >= 2 else f"{days * 24:.1f} h"),
            ("earned", f"{trade_profit(trade):+,.2f}"),
            *([("tag", trade.tag)] if trade.tag else []),
            ("exit", trade.exit_reason),
            *([("fills", str(fills))] if fills > 2 else []),
        ),
        candle=f"{merged} candles of {timeframe} drawn as one" if merged > 1 else timeframe,
    )


def _facts(report: StrategyReport) -> list[tuple[str, str]]:
    evidence = report.evidence
    if evidence is None:
        return []
    tools = ", ".join(f"{name} {version}" for name, version in evidence.tool_versions.items())
    return [
        ("version", evidence.version),
        ("subject digest", evidence.subject_digest),
        *([("incumbent digest", evidence.incumbent_digest)] if evidence.incumbent_digest else []),
        ("candles", f"{evidence.data_name}{' (synthetic)' if evidence.synthetic else ''}"),
        ("data digest", evidence.data_digest),
        ("thresholds digest", evidence.thresholds_digest),
        ("isolation", evidence.isolation.value),
        ("complete", "yes" if evidence.complete else "no, not every check ran"),
        ("tools", tools),
        ("taken at", f"{evidence.taken_at:%Y-%m-%d %H:%M} UTC"),
        *([("kept in", str(report.path))] if report.path else []),
    ]
