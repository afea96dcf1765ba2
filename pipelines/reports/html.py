"""A report as web pages that open offline and load nothing from anywhere but their own folder."""

import re
from collections import Counter
from dataclasses import dataclass

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pipelines.domain.document import Document, sha256
from pipelines.domain.verdict import Status
from pipelines.reports import figures, machine, page, pictures, plain
from pipelines.reports.figures import Cell
from pipelines.reports.headline import headline
from pipelines.reports.model import Report, StrategyReport
from pipelines.reports.pictures import Pictures

INDEX = "index.html"
PLOTLY = "plotly.min.js"
"""Shared by all pages: it is many times as heavy as they are."""

OURS = '<meta name="generator" content="Sluice report">'

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_GLARING = 0.15
"""A month that earned or lost this much has the full colour in the table of months."""

MOST_REASONS = 8
"""Findings in plain sight. The others are folded: all of them are there."""

_FILE = re.compile(r"[a-z][a-z0-9_]{0,60}")


class _Drawn(Document):
    """What a page's script draws, by the id of the element that it belongs to."""

    windows: dict[str, Pictures]


@dataclass(frozen=True)
class _Entry:
    """One strategy in the overview. `file` is its page."""

    report: StrategyReport
    file: str
    why: str
    tiles: dict[str, Cell]
    spark: str


def pages(report: Report) -> dict[str, str]:
    """All pages by file name: the overview, and one a strategy. A single one needs no overview."""
    if len(report.strategies) == 1:
        return {INDEX: _page(report.strategies[0], alone=True)}
    ordered = report.worst_first
    files = _files(ordered)
    entries = tuple(map(_entry, ordered, files))
    written = zip(files, ordered, strict=True)
    return {
        INDEX: _overview(report, entries),
        **{file: _page(strategy, alone=False) for file, strategy in written},
    }


def plotly() -> str:
    """The script that draws."""
    # Importing plotly takes long, and most commands write no page.
    from plotly.offline import get_plotlyjs

    return str(get_plotlyjs())


def _files(reports: tuple[StrategyReport, ...]) -> tuple[str, ...]:
    """A name that is harmless in a file system is kept, and no file stands for two strategies."""
    names = [strategy.name for strategy in reports]
    return tuple(
        f"{name}.html"
        if _FILE.fullmatch(name) and names.count(name) == 1 and name != "index"
        else f"strategy-{number}.html"
        for number, name in enumerate(names, 1)
    )


def _entry(report: StrategyReport, file: str) -> _Entry:
    main = report.main
    return _Entry(
        report=report,
        file=file,
        why=headline(report),
        tiles=dict(page.tiles(figures.windows(report))),
        spark=pictures.spark(main.account.equity) if main and len(main.account.equity) else "",
    )


def _overview(report: Report, entries: tuple[_Entry, ...]) -> str:
    return _rendered(
        "overview.html.jinja",
        "",
        report=report,
        entries=entries,
        counts=Counter(strategy.status for strategy in report.worst_first),
        shown=("profit", "drawdown", "Sharpe"),
    )


def _page(strategy: StrategyReport, *, alone: bool) -> str:
    drawn = {
        page.panel_id(number): pictures.of_window(strategy, view)
        for number, view in enumerate(strategy.views, 1)
    }
    data = _script_safe(_Drawn(windows=drawn).model_dump_json())
    # Whoever writes strategies cannot know it: it covers what their backtest will show.
    nonce = sha256(f"{data}{machine.as_json(Report((strategy,)))}".encode())[:32]
    return _rendered(
        "strategy.html.jinja",
        nonce,
        page=page.of(strategy),
        strategy=strategy,
        data=data,
        alone=alone,
        why=headline(strategy),
    )


def _rendered(template: str, nonce: str, **told: object) -> str:
    ours = Markup(OURS)  # noqa: S704 - a constant
    return str(templates().get_template(template).render(nonce=nonce, ours=ours, **told))


def templates() -> Environment:
    """Where templates are, and the words and filters that they know."""
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
        "held": _held,
        "joined": _joined,
    }
    environment.globals |= {
        "symbols": plain.SYMBOLS,
        "skipped": Status.SKIPPED,
        "limits": plain.limits,
        "counted": plain.counted,
        "months": _MONTHS,
        "most_reasons": MOST_REASONS,
    }
    return environment


def _script_safe(json: str) -> Markup:
    """JSON that cannot end the script element it stands in."""
    escaped = json.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
    return Markup(escaped)  # noqa: S704 - no markup is left in it


def _joined(text: str) -> str:
    """No line ends between a figure and its sign or unit."""
    return re.sub(r"(?<=[≥≤]) (?=[-\d])|(?<=\d) (?=%)", "\N{NO-BREAK SPACE}", text)


def _percent(value: float, places: int = 1) -> str:
    return f"{value * 100:,.{places}f}"


def _heat(value: float) -> str:
    """How strongly a month is coloured, in whole percent."""
    return f"{min(abs(value) / _GLARING, 1) * 100:.0f}%"


def _held(hours: float) -> str:
    return f"{hours / 24:.1f} d" if hours >= 48 else f"{hours:.1f} h"
