import html as markup
import json
import re
import shutil
import subprocess
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from pipelines.errors import BadInput
from pipelines.reports import html, machine
from pipelines.reports.model import Report, StrategyReport

VOID = {"meta", "link", "input", "img", "br", "hr"}


class Page(HTMLParser):
    """What a browser would find: every element closed, every attribute, all text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.classes: Counter[str] = Counter()
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        self.classes.update((dict(attrs).get("class") or "").split())
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"script", "style"} & set(self.open):
            self.text += data


@pytest.fixture(scope="module")
def written(report: Report, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return html.write(report, tmp_path_factory.mktemp("out") / "report")


@pytest.fixture(scope="module")
def page(written: Path) -> Page:
    return Page(written.read_text())


def test_is_a_folder_that_needs_nothing_else(written: Path, report: Report) -> None:
    assert {file.name for file in written.parent.iterdir()} == {
        "index.html",
        "plotly.min.js",
        "report.json",
    }
    assert (written.parent / "report.json").read_text() == machine.as_json(report) + "\n"
    assert (written.parent / "plotly.min.js").stat().st_size > 1_000_000


def test_loads_nothing_from_anywhere(page: Page) -> None:
    loading = {"src", "href", "srcset", "action", "data", "poster"}
    loaded = {value for _, name, value in page.attributes if name in loading}
    assert {v for v in loaded if not v.startswith("#")} == {"plotly.min.js", "data:,"}
    assert page.tags["img"] == page.tags["iframe"] == 0


def test_forbids_the_network_and_strange_scripts(page: Page) -> None:
    policy = next(v for _, n, v in page.attributes if n == "content" and "default-src" in v)
    assert "default-src 'none'" in policy
    assert "connect-src 'none'" in policy
    nonces = {value for _, name, value in page.attributes if name == "nonce"}
    assert policy.count("script-src") == 1
    assert nonces == set(re.findall(r"script-src 'nonce-(\w+)';", policy))


def test_text_of_strategies_stays_text(page: Page, written: Path) -> None:
    assert page.tags["script"] == 3
    assert "<script>alert('x')</script>" in page.text
    assert "<script>alert" not in written.read_text()
    assert "{{ 7 * 7 }}" in page.text
    assert not re.search(r"[\x00-\x08\x0e-\x1f\x7f-\x9f\u2028\u202e]", page.text)


def test_several_strategies_have_an_overview_with_links(page: Page) -> None:
    linked = {value for tag, name, value in page.attributes if (tag, name) == ("a", "href")}
    anchors = {
        f"#{value}" for tag, name, value in page.attributes if (tag, name) == ("section", "id")
    }
    assert linked == anchors
    assert len(linked) == 4


def test_one_strategy_needs_no_overview(failed: StrategyReport) -> None:
    assert Page(html.page_of(Report((failed,)))).tags["h1"] == 0


def test_says_in_plain_sight_that_candles_are_synthetic(
    passed: StrategyReport, failed: StrategyReport
) -> None:
    page = Page(html.page_of(Report((passed,))))
    assert page.text.index("SYNTHETIC CANDLES") < page.text.index("PASSED", 20)
    assert "synthetic candles: admits nothing beyond the demo" in page.text
    assert "SYNTHETIC" not in Page(html.page_of(Report((failed,)))).text


def test_marks_what_was_missed_and_shows_what_was_asked(failed: StrategyReport) -> None:
    page = Page(html.page_of(Report((failed,))))
    # Each of the findings marks a cell; two tiles are of the whole span.
    tiles = len([f for f in failed.verdicts[1].findings if f.what == "whole: drawdown"])
    assert page.classes["missed"] == len(failed.verdicts[1].findings) + tiles
    assert "≤ 10 %" in page.text
    assert "cut losers sooner" in page.text


def test_tells_the_facts_of_evidence(failed: StrategyReport) -> None:
    text = Page(html.page_of(Report((failed,)))).text
    for fact in ("3f" * 32, "a7" * 32, "0c" * 32, "recorded", "freqtrade 2026.9", "full"):
        assert fact in text
    assert "2026-01-02 03:04 UTC" in text


def test_every_window_has_its_pictures(failed: StrategyReport) -> None:
    text = html.page_of(Report((failed,)))
    drawn = re.search(r'id="drawn">(.*)</script>', text)
    assert drawn is not None
    windows = json.loads(drawn[1])["windows"]
    page = Page(text)
    ids = {value for _, name, value in page.attributes if name == "id"}
    assert set(windows) <= ids
    assert page.classes["picture"] == 3 * len(failed.views)
    assert all(len(lines["time"]) <= 2000 for w in windows.values() for lines in [w["equity"]])


def test_without_a_backtest_there_are_no_pictures(passed: StrategyReport) -> None:
    page = Page(html.page_of(Report((passed,))))
    assert page.classes["picture"] == 0
    assert page.tags["script"] == 1


def test_the_same_report_is_the_same_page(report: Report) -> None:
    assert html.page_of(report) == html.page_of(report)


def test_nothing_checked_is_no_pass() -> None:
    text = Page(html.page_of(Report(()))).text
    assert "Nothing was checked." in text
    assert "PASSED" not in text


def test_an_older_report_is_replaced_as_a_whole(passed: StrategyReport, tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "report"
    html.write(Report(()), folder)
    (folder / "older.txt").write_text("left behind")
    index = html.write(Report((passed,)), folder)
    assert "calm" in index.read_text()
    assert not (folder / "older.txt").exists()
    assert [entry.name for entry in folder.parent.iterdir()] == ["report"]


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    assert html.write(Report(()), tmp_path).is_file()


@pytest.mark.parametrize("name", ["photo.jpg", "index.html"])
def test_refuses_a_folder_that_is_not_a_report(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"\xff<html>mine</html>")
    with pytest.raises(BadInput, match="something else than a report of ours"):
        html.write(Report(()), tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


def test_refuses_a_file_and_what_lies_below_one(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    for place in (file, file / "report"):
        with pytest.raises(BadInput):
            html.write(Report(()), place)
    assert file.read_text() == "mine"


def test_a_failure_in_the_middle_leaves_the_older_report(
    passed: StrategyReport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "report"
    html.write(Report((passed,)), folder)
    renamed = Path.rename

    def fails(self: Path, target: Path) -> Path:
        if self.name == "fresh":
            raise OSError(28, "No space left on device")
        return renamed(self, target)

    monkeypatch.setattr(Path, "rename", fails)
    with pytest.raises(BadInput, match="No space left"):
        html.write(Report(()), folder)
    assert "calm" in (folder / "index.html").read_text()
    assert [entry.name for entry in tmp_path.iterdir()] == ["report"]


PROBE = """
<!doctype html><base href="report/"><body style="margin:0">
<iframe style="border:0;width:WIDTHpx;height:6000px" srcdoc="PAGE"></iframe>
<script>
addEventListener("load", () => setTimeout(() => {
  const page = document.querySelector("iframe").contentDocument;
  const seen = { asked: page.querySelectorAll(".picture").length, drawn: 0, shown: [] };
  for (const tab of page.querySelectorAll("[role=tab]")) {
    tab.click();
    seen.shown.push(page.querySelectorAll(`#${tab.getAttribute("aria-controls")}:not([hidden])`).length);
  }
  seen.alone = page.querySelectorAll(".panel:not([hidden])").length;
  for (const log of page.querySelectorAll(".log")) log.click();
  setTimeout(() => {
    for (const picture of page.querySelectorAll(".picture")) {
      seen.drawn += picture.querySelector("svg .trace path") ? 1 : 0;
    }
    seen.logs = [...page.querySelectorAll("[data-draw=equity]")].map((p) => p.layout.yaxis.type);
    const { scrollWidth, clientWidth } = page.documentElement;
    seen.over = scrollWidth - clientWidth;
    seen.narrow = clientWidth <= WIDTH;
    seen.links = page.querySelectorAll('a[href^="http"]').length;
    document.body.dataset.seen = JSON.stringify(seen);
  }, 1000);
}, 300));
</script>
"""


@pytest.mark.slow
@pytest.mark.needs("chromium")
@pytest.mark.parametrize("width", [390, 1280])
def test_a_browser_draws_every_picture_and_nothing_overflows(
    failed: StrategyReport, hostile: StrategyReport, tmp_path: Path, width: int
) -> None:
    # Both in one page: the sound one is drawn though the other says what it likes.
    both = Report((failed, replace(hostile, views=failed.views[:1])))
    index = html.write(both, tmp_path / "report")
    # A frame, because headless windows cannot be as narrow as a phone.
    frame = PROBE.replace("WIDTH", str(width)).replace("PAGE", markup.escape(index.read_text()))
    (tmp_path / "probe.html").write_text(frame)
    seen = _seen(tmp_path / "probe.html", tmp_path / "profile")
    assert seen == {
        "asked": 9,
        "drawn": 9,
        "shown": [1, 1, 1],
        "alone": 2,
        "logs": ["linear"] * 3,
        "over": 0,
        "narrow": True,
        "links": 0,
    }


def _seen(page: Path, profile: Path) -> dict[str, object]:
    names = ("chromium", "chromium-browser", "google-chrome")
    browser = next(found for name in names if (found := shutil.which(name)))
    options = (
        "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync "
        "--disable-background-networking --disable-component-update --virtual-time-budget=6000"
    )
    ended = subprocess.run(
        [browser, *options.split(), f"--user-data-dir={profile}", "--dump-dom", page.as_uri()],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    said = re.search(r'data-seen="([^"]*)"', ended.stdout)
    assert said is not None, ended.stderr[-2000:]
    told: dict[str, object] = json.loads(markup.unescape(said[1]))
    return told
