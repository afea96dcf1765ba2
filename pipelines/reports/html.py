"""A report as a folder that opens in a browser, offline, and loads nothing from anywhere."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pipelines.domain.document import Document, sha256
from pipelines.domain.verdict import Status, Verdict
from pipelines.errors import BadInput
from pipelines.reports import figures, machine, pictures, plain
from pipelines.reports.figures import Cell, Figure, Told, WindowRow
from pipelines.reports.model import Report, StrategyReport, WindowView
from pipelines.reports.pictures import Pictures, Year

INDEX = "index.html"
PLOTLY = "plotly.min.js"
REPORT = "report.json"

_OURS = '<meta name="generator" content="Sluice report">'
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_GLARING = 0.15
"""A month that earned or lost this much has the full colour in the table of months."""


class _Drawn(Document):
    """What the page's script draws, by the id of the element that it belongs to."""

    windows: dict[str, Pictures]


@dataclass(frozen=True)
class _Panel:
    """One window of one strategy on the page."""

    id: str
    label: str
    span: str
    trades: int
    chosen: bool


@dataclass(frozen=True)
class _Section:
    """One strategy on the page. `id` is ours: names of strategies reach text only."""

    id: str
    report: StrategyReport
    checks: tuple[tuple[Verdict, str], ...]
    findings: tuple[tuple[Verdict, Told], ...]
    further: tuple[tuple[str, str, str], ...]
    figures: tuple[Figure, ...]
    rows: tuple[WindowRow, ...]
    tiles: tuple[tuple[str, Cell], ...]
    panels: tuple[_Panel, ...]
    years: tuple[Year, ...]
    facts: tuple[tuple[str, str], ...]


def write(report: Report, folder: Path) -> Path:
    """Write the report and return its page. An older report in the folder is replaced as a whole.

    :raises BadInput: when something else than a report of ours is there, or it cannot be written.
    """
    page = page_of(report)
    try:
        place = folder.resolve()
        _refuse_others(place)
        place.parent.mkdir(parents=True, exist_ok=True)
        _swap(place, {INDEX: page, PLOTLY: _plotly(), REPORT: machine.as_json(report) + "\n"})
    except OSError as error:
        reason = error.strerror or error
        raise BadInput(f"{folder}: the report cannot be written: {reason}") from None
    return place / INDEX


def page_of(report: Report) -> str:
    """The page alone, with its style, its script and the numbers of its pictures."""
    sections = tuple(_section(n, strategy) for n, strategy in enumerate(report.strategies, 1))
    data = _script_safe(_Drawn(windows=_windows(report)).model_dump_json())
    return str(
        _environment()
        .get_template("report.html.jinja")
        .render(
            report=report,
            sections=sections,
            data=data,
            # Whoever writes strategies cannot know it: it covers what their backtest will show.
            nonce=sha256(f"{data}{machine.as_json(report)}".encode())[:32],
            ours=Markup(_OURS),  # noqa: S704 - a constant
        )
    )


def _refuse_others(place: Path) -> None:
    if not place.exists():
        return
    index = place / INDEX
    empty = place.is_dir() and not any(place.iterdir())
    if not empty and not (index.is_file() and _OURS.encode() in index.read_bytes()[:2000]):
        raise BadInput(
            f"{place}: there is something else than a report of ours",
            "name a folder that is empty, or does not exist yet",
        )


def _swap(place: Path, files: dict[str, str]) -> None:
    # On the same file system as the place, so that renaming is all that is left to do.
    with tempfile.TemporaryDirectory(prefix=".report-", dir=place.parent) as name:
        fresh, older = Path(name) / "fresh", Path(name) / "older"
        fresh.mkdir()
        for file, content in files.items():
            (fresh / file).write_text(content, encoding="utf-8")
        if place.exists():
            place.rename(older)
        try:
            fresh.rename(place)
        except OSError:
            if older.exists():
                older.rename(place)
            raise


def _plotly() -> str:
    # Importing plotly takes long, and most commands write no page.
    from plotly.offline import get_plotlyjs

    return str(get_plotlyjs())


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("pipelines.reports", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "plain": plain.plain,
        "seconds": plain.seconds,
        "percent": _percent,
        "heat": _heat,
    }
    environment.globals |= {
        "symbols": plain.SYMBOLS,
        "skipped": Status.SKIPPED,
        "summary": figures.summary,
        "limits": plain.limits,
        "counted": plain.counted,
        "months": _MONTHS,
    }
    return environment


def _script_safe(json: str) -> Markup:
    """JSON that cannot end the script element it stands in."""
    escaped = json.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
    return Markup(escaped)  # noqa: S704 - no markup is left in it


def _percent(value: float) -> str:
    return f"{value * 100:.1f}"


def _heat(value: float) -> str:
    """How strongly a month is coloured, in whole percent."""
    return f"{min(abs(value) / _GLARING, 1) * 100:.0f}%"


def _windows(report: Report) -> dict[str, Pictures]:
    return {
        panel.id: pictures.of_window(strategy, view)
        for number, strategy in enumerate(report.strategies, 1)
        for panel, view in zip(_panels(number, strategy), strategy.views, strict=True)
    }


def _panels(number: int, report: StrategyReport) -> tuple[_Panel, ...]:
    return tuple(
        _Panel(
            id=f"strategy-{number}-window-{place}",
            label=plain.plain(view.window.replace("_", " "), 24),
            span=_span(view),
            trades=len(view.log.trades),
            chosen=place == 1,
        )
        for place, view in enumerate(report.views, 1)
    )


def _span(view: WindowView) -> str:
    time = view.account.time
    if not len(time):
        return "no candles"
    # Times are closes: the last one is midnight after the last day.
    first, last = (str(at)[:10] for at in (time[[0, -1]] - 1).astype("datetime64[ms]"))
    return f"{first} to {last}"


def _section(number: int, report: StrategyReport) -> _Section:
    rows = figures.windows(report)
    spoken = [v for v in report.verdicts if v.status is not Status.SKIPPED]
    main = _main_view(report)
    return _Section(
        id=f"strategy-{number}",
        report=report,
        checks=tuple((verdict, figures.gist(verdict)) for verdict in report.verdicts),
        findings=tuple((v, figures.told(f, v.check)) for v in spoken for f in v.findings),
        further=tuple((v.check, *pair) for v in report.verdicts for pair in figures.further(v)),
        figures=tuple(f for f in figures.FIGURES if _known(f, rows)),
        rows=rows,
        tiles=_tiles(rows),
        panels=_panels(number, report),
        years=pictures.years(main.account, main.log.starting_balance) if main else (),
        facts=tuple(_facts(report)),
    )


def _main_view(report: StrategyReport) -> WindowView | None:
    """The longest window: by its months a strategy is known best."""
    return max(report.views, key=lambda view: len(view.account.time), default=None)


def _known(figure: Figure, rows: tuple[WindowRow, ...]) -> bool:
    cells = [row.cells[figure.name] for row in rows]
    return any(cell.value != figures.UNKNOWN or cell.asked for cell in cells)


def _tiles(rows: tuple[WindowRow, ...]) -> tuple[tuple[str, Cell], ...]:
    chosen = ("profit", "drawdown", "sharpe", "profit_factor", "trades", "buy_and_hold")
    labels = {figure.name: figure.label for figure in figures.FIGURES}
    whole = next((row for row in rows if row.window == "whole"), None)
    return tuple((labels[name], whole.cells[name]) for name in chosen) if whole else ()


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
