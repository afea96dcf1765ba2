"""A report's folder is written as a whole or not at all, and never over something else."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from pipelines.errors import BadInput
from pipelines.reports import folder, html, machine, markdown
from pipelines.reports.model import Report, StrategyReport


def test_holds_every_form_of_the_report(report: Report, tmp_path: Path) -> None:
    index = folder.write(report, tmp_path / "report")
    assert index.name == "index.html"
    assert {file.name for file in index.parent.iterdir()} == {
        *html.pages(report),
        "plotly.min.js",
        "report.md",
        "report.json",
        "junit.xml",
    }
    assert json.loads((index.parent / "report.json").read_text()) == json.loads(
        machine.as_json(report)
    )
    assert (index.parent / "report.md").read_text() == markdown.render(report)
    assert ElementTree.parse(index.parent / "junit.xml").getroot().tag == "testsuites"


def test_the_script_that_draws_is_there_once_and_pages_stay_light(
    report: Report, tmp_path: Path
) -> None:
    files = {file.name: file for file in folder.write(report, tmp_path / "r").parent.iterdir()}
    assert files["plotly.min.js"].stat().st_size > 1_000_000
    pages = [file for name, file in files.items() if name.endswith(".html")]
    assert len(pages) == 1 + len(report.strategies)
    assert all(page.stat().st_size < 700_000 for page in pages)


def test_an_older_report_is_replaced_as_a_whole(passed: StrategyReport, tmp_path: Path) -> None:
    place = tmp_path / "deep" / "report"
    folder.write(Report(()), place)
    (place / "older.txt").write_text("left behind")
    index = folder.write(Report((passed,)), place)
    assert "calm" in index.read_text()
    assert not (place / "older.txt").exists()
    assert [entry.name for entry in place.parent.iterdir()] == ["report"]


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    assert folder.write(Report(()), tmp_path).is_file()


@pytest.mark.parametrize("name", ["photo.jpg", "index.html"])
def test_refuses_a_folder_that_is_not_a_report(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"\xff<html>mine</html>")
    with pytest.raises(BadInput, match="something else than a report of ours"):
        folder.write(Report(()), tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


def test_refuses_a_file_and_what_lies_below_one(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    for place in (file, file / "report"):
        with pytest.raises(BadInput):
            folder.write(Report(()), place)
    assert file.read_text() == "mine"


def test_a_failure_in_the_middle_leaves_the_older_report(
    passed: StrategyReport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "report"
    folder.write(Report((passed,)), place)
    renamed = Path.rename

    def fails(self: Path, target: Path) -> Path:
        if self.name == "fresh":
            raise OSError(28, "No space left on device")
        return renamed(self, target)

    monkeypatch.setattr(Path, "rename", fails)
    with pytest.raises(BadInput, match="No space left"):
        folder.write(Report(()), place)
    assert "calm" in (place / "index.html").read_text()
    assert [entry.name for entry in tmp_path.iterdir()] == ["report"]
