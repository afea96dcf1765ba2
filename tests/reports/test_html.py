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

from pipelines.domain.verdict import Finding, Status, Verdict
from pipelines.reports import folder, html
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
            self.text += f"{data} "


@pytest.fixture(scope="module")
def pages(report: Report) -> dict[str, Page]:
    return {name: Page(text) for name, text in html.pages(report).items()}


def only(report: StrategyReport) -> str:
    """The single page of a report on one strategy."""
    ((name, text),) = html.pages(Report((report,))).items()
    assert name == "index.html"
    return text


def test_has_an_overview_and_a_page_a_strategy(pages: dict[str, Page]) -> None:
    # A name that is no harmless file name is not used as one.
    assert list(pages) == [
        "index.html",
        "breakout.html",
        "strategy-2.html",
        "broken.html",
        "calm.html",
    ]
    linked = [v for tag, name, v in pages["index.html"].attributes if (tag, name) == ("a", "href")]
    assert linked == list(pages)[1:]
    for name in linked:
        assert ("a", "href", "index.html") in pages[name].attributes


def test_one_strategy_needs_no_overview(failed: StrategyReport) -> None:
    assert ("a", "href", "index.html") not in Page(only(failed)).attributes


def test_two_strategies_never_share_a_page(failed: StrategyReport) -> None:
    names = ["twin", "twin", "index", "../up", "Twin"]
    pages = html.pages(Report(tuple(replace(failed, name=name) for name in names)))
    assert list(pages) == ["index.html", *(f"strategy-{n}.html" for n in range(1, 6))]


def test_loads_nothing_from_anywhere(pages: dict[str, Page]) -> None:
    loading = {"src", "href", "srcset", "action", "data", "poster"}
    for page in pages.values():
        loaded = {value for _, name, value in page.attributes if name in loading}
        assert loaded <= {"plotly.min.js", "data:,", *pages}
        assert page.tags["img"] == page.tags["iframe"] == 0


def test_forbids_the_network_and_strange_scripts(pages: dict[str, Page]) -> None:
    for page in pages.values():
        policy = next(v for _, n, v in page.attributes if n == "content" and "default-src" in v)
        assert "default-src 'none'" in policy
        assert "connect-src 'none'" in policy
        nonces = {value for _, name, value in page.attributes if name == "nonce"}
        assert nonces <= set(re.findall(r"script-src 'nonce-(\w+)';", policy))


def test_text_of_strategies_stays_text(report: Report, pages: dict[str, Page]) -> None:
    page, source = pages["strategy-2.html"], html.pages(report)["strategy-2.html"]
    assert page.tags["script"] == 3
    assert "<script>alert('x')</script>" in page.text
    assert "<script>alert" not in source
    assert "{{ 7 * 7 }}" in page.text
    assert not re.search(r"[\x00-\x08\x0e-\x1f\x7f-\x9f\u2028\u202e]", page.text)
    assert pages["index.html"].tags["script"] == 0


def test_a_no_is_understood_from_the_first_lines(failed: StrategyReport) -> None:
    text = " ".join(Page(only(failed)).text.split())
    first = text[: text.index("What speaks against it")]
    assert "✗ FAILED" in first
    assert "3 of 5 thresholds missed; whole: drawdown" in first
    assert re.search(r"✓ manifest ✗ backtest", first)


def test_says_what_would_have_been_enough(failed: StrategyReport) -> None:
    text = " ".join(Page(only(failed)).text.split())
    assert re.search(r"whole: drawdown \S+ % at most 10 % \S+ points too much all positions", text)
    assert "bear: trades 5 at least 100 95 short a trade every 1.2 days instead of every 24" in text


def test_findings_beyond_the_first_are_folded_and_all_there(failed: StrategyReport) -> None:
    findings = tuple(Finding(what=f"finding {n} of many") for n in range(20))
    verdict = Verdict(check="bias", status=Status.FAILED, findings=findings)
    page = Page(only(replace(failed, verdicts=(verdict,))))
    assert "12 more findings" in page.text
    assert all(finding.what in page.text for finding in findings)


def test_says_in_plain_sight_that_candles_are_synthetic(
    passed: StrategyReport, failed: StrategyReport
) -> None:
    page = Page(only(passed))
    assert page.text.index("SYNTHETIC CANDLES") < page.text.index("✓")
    assert "synthetic candles: admits nothing beyond the demo" in page.text
    assert "SYNTHETIC" not in Page(only(failed)).text


def test_marks_what_was_missed_and_shows_what_was_asked(failed: StrategyReport) -> None:
    page = Page(only(failed))
    # Each of the findings marks a cell; two tiles are of the whole span.
    tiles = len([f for f in failed.verdicts[1].findings if f.what == "whole: drawdown"])
    assert page.classes["missed"] == len(failed.verdicts[1].findings) + tiles
    assert "≤ 10 %" in page.text
    assert "cut losers sooner" in page.text


def test_tells_the_facts_of_evidence(failed: StrategyReport) -> None:
    text = Page(only(failed)).text
    for fact in ("3f" * 32, "a7" * 32, "0c" * 32, "recorded", "freqtrade 2026.9", "full"):
        assert fact in text
    assert "2026-01-02 03:04 UTC" in text


def test_every_window_has_its_pictures(failed: StrategyReport) -> None:
    text = only(failed)
    drawn = re.search(r'id="drawn">(.*)</script>', text)
    assert drawn is not None
    windows = json.loads(drawn[1])["windows"]
    page = Page(text)
    ids = {value for _, name, value in page.attributes if name == "id"}
    assert set(windows) <= ids
    chosen = sum(len(view.chosen) for view in failed.views)
    assert page.classes["picture"] == 3 * len(failed.views) + chosen
    assert chosen > len(failed.views)
    assert all(len(w["equity"]["time"]) <= 1200 for w in windows.values())
    assert all(len(price["time"]) <= 120 for w in windows.values() for price in w["prices"])


def test_without_a_backtest_there_are_no_pictures(passed: StrategyReport) -> None:
    page = Page(only(passed))
    assert page.classes["picture"] == 0
    assert page.tags["script"] == 1


def test_every_pair_has_a_row_traded_or_not(broad: StrategyReport) -> None:
    page = Page(only(broad))
    for pair in broad.views[0].moved:
        assert page.text.count(pair) >= len(broad.views)


def test_the_same_report_is_the_same_page(report: Report) -> None:
    assert html.pages(report) == html.pages(report)


def test_nothing_checked_is_no_pass() -> None:
    text = Page(html.pages(Report(()))["index.html"]).text
    assert "Nothing was checked." in text
    assert "PASSED" not in text


PROBE = """
<!doctype html><base href="report/"><body style="margin:0">
FRAMES
<script>
const look = (frame) => {
  const page = frame.contentDocument;
  const seen = { asked: page.querySelectorAll(".picture").length, drawn: 0, shown: [], over: 0 };
  const { scrollWidth, clientWidth } = page.documentElement;
  seen.narrow = clientWidth <= WIDTH;
  for (const details of page.querySelectorAll("details")) details.open = true;
  const wide = () => {
    seen.over = Math.max(seen.over, page.documentElement.scrollWidth - clientWidth);
  };
  for (const tab of page.querySelectorAll("[role=tab]")) {
    tab.click();
    wide();
    seen.shown.push(page.querySelectorAll("[role=tabpanel]:not([hidden])").length);
    const shown = page.getElementById(tab.getAttribute("aria-controls"));
    for (const picture of shown.querySelectorAll(".picture")) {
      const marks = "svg .scatterlayer .trace, svg .barlayer .trace, svg .boxlayer .trace";
      const kinds = picture.querySelectorAll(marks).length;
      const least = { equity: 2, drawdown: 2, trades: 1, price: 3 }[picture.dataset.draw];
      seen.drawn += Number(kinds >= least && picture.clientWidth > 100);
    }
  }
  wide();
  const boxes = [...page.querySelectorAll(".box, .card, .tabs")];
  seen.scrolled = boxes.filter((box) => box.scrollWidth > box.clientWidth).length;
  const shown = [...page.querySelectorAll(".panel:not([hidden])")];
  for (const panel of shown) panel.querySelector(".log").click();
  seen.logs = shown.map((panel) => panel.querySelector("[data-draw=equity]").layout.yaxis.type);
  seen.links = page.querySelectorAll('a[href^="http"]').length;
  const loaded = frame.contentWindow.performance.getEntriesByType("resource");
  seen.strange = loaded.map((one) => one.name).filter((name) => !/^(file|data|blob):/.test(name));
  return seen;
};
addEventListener("load", () => setTimeout(() => {
  document.body.dataset.seen = JSON.stringify([...document.querySelectorAll("iframe")].map(look));
}, 500));
</script>
"""


@pytest.mark.slow
@pytest.mark.needs("chromium")
@pytest.mark.parametrize("width", [390, 1280])
def test_a_browser_draws_every_picture_and_nothing_overflows(
    failed: StrategyReport,
    hostile: StrategyReport,
    broad: StrategyReport,
    tmp_path: Path,
    width: int,
) -> None:
    reports = (failed, hostile, broad)
    index = folder.write(Report(reports), tmp_path / "report")
    pages = [index, *sorted(set(index.parent.glob("*.html")) - {index})]
    # Frames, because headless windows cannot be as narrow as a phone.
    frames = "".join(
        f'<iframe style="border:0;width:{width}px;height:9000px" '
        f'srcdoc="{markup.escape(page.read_text())}"></iframe>'
        for page in pages
    )
    (tmp_path / "probe.html").write_text(
        PROBE.replace("WIDTH", str(width)).replace("FRAMES", frames)
    )
    overview, *seen = _seen(tmp_path / "probe.html", tmp_path / "profile")
    common = {"over": 0, "narrow": True, "links": 0, "strange": []}
    if width < 700:
        common["scrolled"] = 0
    assert overview.items() >= {**common, "asked": 0}.items()
    assert len(seen) == len(reports)
    for page in seen:
        assert page.items() >= common.items()
        assert page["shown"] == [1, 1]
        assert page["logs"] == ["linear"]
        assert page["drawn"] == page["asked"] >= 8


def _seen(page: Path, profile: Path) -> list[dict[str, object]]:
    """What the probe saw in each frame. A page that complains in the console is a failure."""
    names = ("chromium", "chromium-browser", "google-chrome")
    browser = next(found for name in names if (found := shutil.which(name)))
    options = (
        "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync "
        "--disable-background-networking --disable-component-update --virtual-time-budget=8000 "
        "--enable-logging=stderr"
    )
    ended = subprocess.run(
        [browser, *options.split(), f"--user-data-dir={profile}", "--dump-dom", page.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert [line for line in ended.stderr.splitlines() if "CONSOLE" in line] == []
    said = re.search(r'data-seen="([^"]*)"', ended.stdout)
    assert said is not None, ended.stderr[-2000:]
    told: list[dict[str, object]] = json.loads(markup.unescape(said[1]))
    return told
