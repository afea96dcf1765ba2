"""The timeline of a train as a page: what ran where is drawn as the ledger has it."""

import json
import re
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html import escape, unescape
from pathlib import Path

import pytest

from pipelines.reports import rails
from pipelines.reports.timeline import Happened, Sample, Standing, Timeline, line

BEGAN = datetime(2023, 1, 17, 12, tzinfo=UTC)
OLD, NEW = "plain@1.0.0+11111111", "plain@1.1.0+22222222"


def at(hours: int) -> datetime:
    return BEGAN + timedelta(hours=hours)


def happened(number: int, hours: int, what: str, release: str = "", text: str = "") -> Happened:
    return Happened(
        number=number,
        at=at(hours),
        environment="sandbox",
        strategy="plain",
        what=what,
        release=release,
        text=text,
    )


def sample(hours: int, equity: str | None, running: str | None = OLD) -> Sample:
    standing = Standing(
        environment="sandbox",
        mode="live",
        strategy="plain",
        hold=hours == 100,
        desired=running,
        running=running,
        verified=True,
        phase="running",
        open_trades=0,
        equity=None if equity is None else Decimal(equity),
    )
    return Sample(at=at(hours), standings=(standing,))


ENTRIES = (
    happened(1, 0, "promoted", OLD),
    happened(2, 0, "verified", OLD),
    happened(3, 40, "promoted", NEW),
    happened(4, 50, "verified", NEW),
    happened(5, 70, "rolled back", OLD, "from 200.00 to 198.00 USDT"),
    happened(6, 80, "verified", OLD),
)


def told(**changed: object) -> Timeline:
    whole = Timeline(
        market="embedded",
        synthetic=True,
        environments=("sandbox",),
        began=BEGAN,
        ended=at(100),
        hours=100,
        seconds=12.5,
        entries=ENTRIES,
        samples=(
            sample(0, None),
            sample(10, "200"),
            sample(60, "202", NEW),
            sample(70, "198", NEW),
            sample(100, "198"),
        ),
    )
    return whole.model_copy(update=changed)


def lane(timeline: Timeline) -> rails.Lane:
    (found,) = rails.lanes(timeline)
    return found


def test_a_release_runs_from_its_verification_until_another_s() -> None:
    bars = [(b.version, b.left, b.width) for b in lane(told()).bars if not b.waits]
    assert bars == [("1.0.0", 0.0, 50.0), ("1.1.0", 50.0, 30.0), ("1.0.0", 80.0, 20.0)]


def test_what_is_wanted_and_not_verified_yet_waits() -> None:
    bars = [(b.version, b.left, b.width) for b in lane(told()).bars if b.waits and b.width]
    assert bars == [("1.1.0", 40.0, 10.0), ("1.0.0", 70.0, 10.0)]


def test_the_same_release_has_the_same_number_everywhere() -> None:
    numbers = {(bar.version, bar.number) for bar in lane(told()).bars}
    assert numbers == {("1.0.0", 1), ("1.1.0", 2)}


@pytest.mark.parametrize("what", ["retired", "given up"])
def test_nothing_runs_behind_what_ended_it(what: str) -> None:
    ended = lane(told(entries=(*ENTRIES, happened(7, 90, what))))
    assert [(bar.left, bar.width) for bar in ended.bars if not bar.waits][-1] == (80.0, 10.0)


def test_what_was_never_verified_waits_to_the_end() -> None:
    (bar,) = lane(told(entries=ENTRIES[:1])).bars
    assert (bar.waits, bar.left, bar.width) == (True, 0.0, 100.0)


def test_marks_that_would_lie_upon_each_other_are_one() -> None:
    marks = [(mark.signs, mark.left) for mark in lane(told()).marks]
    assert marks == [("▸✓", 0.0), ("▸", 40.0), ("✓", 50.0), ("↩", 70.0), ("✓", 80.0)]


WRONG = (
    happened(7, 81, "halted", "", "orphan 1f2e; import or close it, then resume"),
    happened(8, 82, "imported", "", "orphan 1f2e"),
    happened(9, 82, "verified", OLD),
    happened(10, 84, "resumed", "", "its bot has it"),
    happened(11, 85, "killed", OLD, "kill -9, open trades: 1"),
    happened(12, 86, "healed", OLD, "after 3 min"),
    happened(13, 90, "halted", "", "max_exposure: 7, allowed is 6"),
)


def test_what_went_wrong_is_told_with_what_was_done_until_it_was_over() -> None:
    found = rails.troubles(told(entries=(*ENTRIES, *WRONG)))
    assert [(each.began.number, each.done, each.took) for each in found] == [
        (7, ("imported: orphan 1f2e", "resumed: its bot has it"), timedelta(hours=3)),
        (11, ("healed: after 3 min",), timedelta(hours=1)),
        (13, (), None),
    ]


def test_another_environment_ends_no_trouble() -> None:
    elsewhere = WRONG[3].model_copy(update={"environment": "prod"})
    (halted,) = rails.troubles(told(entries=(WRONG[0], elsewhere)))
    assert halted.took is None


def test_the_page_has_every_trouble_and_none_where_nothing_went_wrong() -> None:
    page = rails.page(told(entries=(*ENTRIES, *WRONG)))
    for text in (
        "What went wrong",
        "import or close it",
        "healed: after 3 min",
        "3:00:00",
        "not yet",
    ):
        assert text in page
    assert "What went wrong" not in rails.page(told())


def test_equity_is_drawn_where_it_is_known() -> None:
    curve = lane(told()).curve
    assert curve is not None
    assert (curve.first, curve.last) == (Decimal(200), Decimal(198))
    assert (curve.lowest, curve.highest) == (Decimal(198), Decimal(202))
    assert curve.points == "10.00,50.00 60.00,5.00 70.00,95.00 100.00,95.00"


def test_where_nobody_could_tell_there_is_no_curve() -> None:
    assert lane(told(samples=(sample(0, None), sample(100, None)))).curve is None


def test_an_environment_is_on_hold_as_it_was_last() -> None:
    assert lane(told()).hold
    assert not lane(told(samples=(sample(0, "200"),))).hold


def test_a_run_without_any_time_can_be_drawn() -> None:
    assert lane(told(ended=BEGAN, samples=(sample(0, "200"),))).bars


def test_the_page_says_what_happened_and_that_prices_were_made_up(tmp_path: Path) -> None:
    page = rails.write(told(), tmp_path).read_text()
    for text in ("SYNTHETIC CANDLES", "rolled back", NEW, "from 200.00 to 198.00 USDT", "on hold"):
        assert text in page
    assert "SYNTHETIC" not in rails.page(told(synthetic=False))
    assert Timeline.model_validate_json((tmp_path / rails.TIMELINE).read_bytes()) == told()


def test_what_people_wrote_is_no_markup() -> None:
    hostile = happened(7, 90, "halted", "", "<script>alert(1)</script>")
    assert "<script>" not in rails.page(told(entries=(*ENTRIES, hostile)))


def test_a_line_for_a_terminal() -> None:
    assert line(ENTRIES[4]) == (
        "  2023-01-20 10:00  sandbox  rolled back   plain@1.0.0+11111111 from 200.00 to 198.00 USDT"
    )


PROBE = """<iframe style="border:0;width:WIDTHpx;height:3000px" srcdoc="PAGE"></iframe>
<script>
addEventListener("load", () => setTimeout(() => {
  const frame = document.querySelector("iframe").contentWindow;
  const page = frame.document;
  const loaded = frame.performance.getEntriesByType("resource").map((one) => one.name);
  document.body.dataset.seen = JSON.stringify({
    over: page.documentElement.scrollWidth - WIDTH,
    bars: page.querySelectorAll(".bar").length,
    curves: [...page.querySelectorAll(".plot svg")].filter((one) => one.clientHeight > 100).length,
    strange: loaded.filter((name) => !/^(file|data|blob):/.test(name)),
  });
}, 300));
</script>
"""


@pytest.mark.slow
@pytest.mark.needs("chromium")
@pytest.mark.parametrize("width", [390, 1280])
def test_a_browser_draws_it_and_nothing_overflows(tmp_path: Path, width: int) -> None:
    page = escape(rails.page(told()))
    probe = tmp_path / "probe.html"
    probe.write_text(PROBE.replace("WIDTH", str(width)).replace("PAGE", page))
    names = ("chromium", "chromium-browser", "google-chrome")
    browser = next(found for name in names if (found := shutil.which(name)))
    options = "--headless --no-sandbox --disable-gpu --no-first-run --virtual-time-budget=4000"
    profile = f"--user-data-dir={tmp_path / 'profile'}"
    ended = subprocess.run(
        [browser, *options.split(), profile, "--dump-dom", probe.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    said = re.search(r'data-seen="([^"]*)"', ended.stdout)
    assert said is not None, ended.stderr[-2000:]
    seen = json.loads(unescape(said[1]))
    assert seen == {"over": 0, "bars": len(lane(told()).bars), "curves": 1, "strange": []}
