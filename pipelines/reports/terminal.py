"""A report on a terminal: the verdict first, then what it rests on."""

from collections.abc import Iterator

from rich import box
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.padding import Padding
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from pipelines.domain.verdict import Status, Verdict
from pipelines.reports import figures
from pipelines.reports.figures import Cell, WindowRow
from pipelines.reports.model import Report, StrategyReport
from pipelines.reports.plain import SYMBOLS, limits, plain, seconds

STYLES: dict[Status, str] = {
    Status.PASSED: "bold green",
    Status.FAILED: "bold red",
    Status.ERRORED: "bold yellow",
    Status.SKIPPED: "dim",
}

MOST_FINDINGS = 20
"""Of one check. `--json` and the HTML report have them all."""

# By importance: a narrow terminal shows the first ones only, and whatever was missed.
_COLUMNS: dict[str, str] = {
    "trades": "trades",
    "profit": "profit",
    "drawdown": "drawdown",
    "sharpe": "Sharpe",
    "profit_factor": "profit\nfactor",
    "buy_and_hold": "holding\nprofit",
    "buy_and_hold_drawdown": "holding\ndrawdown",
    "profit_over_buy_and_hold": "over\nholding",
    "sortino": "Sortino",
    "win_rate": "win\nrate",
    "exposure": "exposure",
    "expectancy_ratio": "expect.\nratio",
    "calmar": "Calmar",
    "calmar_over_buy_and_hold": "Calmar\nover h.",
}

_ASCII = str.maketrans("✓✗–—…≥≤·━─═", "+x--.><.---")


class Encodable:
    """What it holds, in ASCII when the stream's encoding could not carry more.

    One character becomes one per column of the terminal, so tables keep their shape.
    """

    def __init__(self, inner: RenderableType) -> None:
        self._inner = inner

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for segment in console.render(self._inner, options):
            if options.ascii_only and not segment.control:
                yield Segment(_ascii(segment.text), segment.style)
            else:
                yield segment

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement.get(console, options, self._inner)


def _ascii(text: str) -> str:
    known = text.translate(_ASCII)
    if known.isascii():
        return known
    return "".join(c if c.isascii() else "?" * Segment(c).cell_length for c in known)


def render(report: Report, console: Console) -> None:
    """Print the whole report. Lines keep to the console's width, but for the places of evidence:

    a path that is broken in two cannot be copied.
    """
    for strategy in report.strategies:
        for part in _strategy(strategy, console):
            console.print(Encodable(part))
        if strategy.path:
            path = plain(str(strategy.path), 4096)
            console.print(Encodable(Text(f"evidence {path}\n")), soft_wrap=True)
    if report.strategies:
        console.print(Encodable(_summary(report.strategies)))
    else:
        console.print(Text("nothing was checked", STYLES[Status.ERRORED]))


def _strategy(report: StrategyReport, console: Console) -> Iterator[RenderableType]:
    yield _heading(report)
    if limited := limits(report.evidence):
        yield Text(limited, "yellow")
    yield Text()
    if report.verdicts:
        yield _checks(report.verdicts)
        yield Text()
    if rows := figures.windows(report):
        yield _windows(rows, console)
        yield Text()
    for verdict in report.verdicts:
        if verdict.findings and verdict.status is not Status.SKIPPED:
            yield Text(plain(verdict.check), "bold", no_wrap=True, overflow="ellipsis")
            yield _findings(verdict)
            yield Text()


def _heading(report: StrategyReport) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(no_wrap=True, max_width=40)
    grid.add_column()
    version = f" {plain(report.evidence.version, 20)}" if report.evidence else ""
    name = Text(f"{plain(report.name, 40)}{version}", "bold", overflow="ellipsis")
    grid.add_row(_status(report.status), name, _one_line(report.summary))
    return grid


def _status(status: Status) -> Text:
    return Text(f"{SYMBOLS[status]} {status.value}", STYLES[status])


def _one_line(text: str, style: str = "") -> Text:
    return Text(plain(text), style, no_wrap=True, overflow="ellipsis")


def _table() -> Table:
    return Table(
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        collapse_padding=True,
        header_style="dim",
    )


def _checks(verdicts: tuple[Verdict, ...]) -> Table:
    table = _table()
    table.add_column("check", no_wrap=True, max_width=24)
    table.add_column("verdict", no_wrap=True)
    table.add_column("what")
    table.add_column("time", no_wrap=True, justify="right")
    for verdict in verdicts:
        style = "dim" if verdict.status is Status.SKIPPED else ""
        table.add_row(
            _one_line(verdict.check, style),
            _status(verdict.status),
            _one_line(figures.gist(verdict), style),
            Text("" if verdict.status is Status.SKIPPED else seconds(verdict.duration), "dim"),
        )
    return table


def _windows(rows: tuple[WindowRow, ...], console: Console) -> Table:
    """As many columns as fit: those with something missed first, then the important ones."""
    missed = [name for name in _COLUMNS if any(row.cells[name].missed for row in rows)]
    wanted = list(dict.fromkeys([*missed, *_COLUMNS]))
    while len(wanted) > 1 and _too_wide(_window_table(rows, wanted), console):
        wanted.pop()
    return _window_table(rows, wanted)


def _too_wide(table: Table, console: Console) -> bool:
    options = console.options.update(width=10_000)
    return Measurement.get(console, options, table).maximum > console.width


def _window_table(rows: tuple[WindowRow, ...], wanted: list[str]) -> Table:
    names = [name for name in _COLUMNS if name in wanted]
    table = _table()
    table.add_column("window", no_wrap=True, max_width=16, vertical="bottom")
    for name in names:
        table.add_column(Text(_COLUMNS[name]), no_wrap=True, justify="right")
    for row in rows:
        label = Text(row.label, "" if row.missed else "dim", overflow="ellipsis")
        table.add_row(label, *(_cell(row.cells[name]) for name in names))
    return table


def _cell(cell: Cell) -> Text:
    if cell.missed:
        return Text(f"{SYMBOLS[Status.FAILED]} {cell.value}", STYLES[Status.FAILED])
    return Text(cell.value)


def _findings(verdict: Verdict) -> Padding:
    grid = Table.grid(padding=(0, 1))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    mark = Text("·") if verdict.status is Status.PASSED else Text(SYMBOLS[verdict.status])
    mark.stylize(STYLES[verdict.status])
    for finding in verdict.findings[:MOST_FINDINGS]:
        said = figures.told(finding, verdict.check)
        line = Text(said.fact, overflow="fold")
        if said.hint:
            line.append(f" — {said.hint}", "dim")
        grid.add_row(mark, line)
    if (left := len(verdict.findings) - MOST_FINDINGS) > 0:
        grid.add_row(Text("…"), Text(f"and {left} more: --json tells all", "dim"))
    return Padding(grid, (0, 0, 0, 2))


def _summary(reports: tuple[StrategyReport, ...]) -> Table:
    """One row a strategy, so that the last thing on the screen is the whole answer."""
    table = _table()
    table.add_column("verdict", no_wrap=True)
    table.add_column("strategy", no_wrap=True, max_width=40)
    told = [_headline(report) for report in reports]
    if any(told):
        for title in ("profit", "drawdown", "Sharpe"):
            table.add_column(title, justify="right", no_wrap=True)
    table.add_column("why", overflow="fold")
    for report, cells in zip(reports, told, strict=True):
        name = Text(plain(report.name, 40), "bold", overflow="ellipsis")
        row = cells or ((Text(),) * 3 if any(told) else ())
        table.add_row(_status(report.status), name, *row, Text(figures.summary(report)))
    return table


def _headline(report: StrategyReport) -> tuple[Text, ...]:
    """Profit, drawdown and Sharpe of the first window, which is the whole span."""
    rows = figures.windows(report)
    if not rows:
        return ()
    return tuple(_cell(rows[0].cells[name]) for name in ("profit", "drawdown", "sharpe"))
