"""A report as a folder: web pages that open offline, Markdown, JSON and JUnit XML beside them."""

import tempfile
from pathlib import Path

from pipelines.errors import BadInput
from pipelines.reports import html, junit, machine, markdown
from pipelines.reports.model import Report

MARKDOWN = "report.md"
REPORT = "report.json"
JUNIT = "junit.xml"


def write(report: Report, folder: Path) -> Path:
    """Write the report and return its page. An older report in the folder is replaced as a whole.

    :raises BadInput: when something else than a report of ours is there, or it cannot be written.
    """
    files = {
        **html.pages(report),
        html.PLOTLY: html.plotly(),
        MARKDOWN: markdown.render(report),
        REPORT: machine.as_json(report) + "\n",
        JUNIT: junit.render(report),
    }
    try:
        place = folder.resolve()
        _refuse_others(place)
        place.parent.mkdir(parents=True, exist_ok=True)
        _swap(place, files)
    except OSError as error:
        reason = error.strerror or error
        raise BadInput(f"{folder}: the report cannot be written: {reason}") from None
    return place / html.INDEX


def _refuse_others(place: Path) -> None:
    if not place.exists():
        return
    index = place / html.INDEX
    empty = place.is_dir() and not any(place.iterdir())
    if not empty and not (index.is_file() and html.OURS.encode() in index.read_bytes()[:2000]):
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
