import re
from dataclasses import replace

from pipelines.domain.verdict import Status, Verdict
from pipelines.reports import markdown
from pipelines.reports.model import Report, StrategyReport


def test_verdicts_come_before_details(report: Report) -> None:
    text = markdown.render(report)
    assert text.startswith("### ✗ FAILED\n\n| strategy | verdict | why |\n")
    assert text.index("| **broken** | ✗ FAILED |") < text.index("<details>")


def test_details_are_folded_and_closed(report: Report) -> None:
    text = markdown.render(report)
    assert text.count("<details><summary>") == len(report.strategies)
    assert text.count("</details>") == len(report.strategies)


def test_every_row_of_a_table_has_as_many_cells_as_its_head(report: Report) -> None:
    for block in re.findall(r"(?:^\|.*\n)+", markdown.render(report), re.MULTILINE):
        assert len({line.count("|") for line in block.splitlines()}) == 1


def test_windows_mark_what_was_missed(failed: StrategyReport) -> None:
    assert re.search(
        r"^\| whole \|.*\*\*✗ \d+\.\d %\*\* \(≤ 10 %\)",
        markdown.render(Report((failed,))),
        re.MULTILINE,
    )


def test_text_of_strategies_stays_text(hostile: StrategyReport) -> None:
    text = markdown.render(Report((hostile,)))
    ours = {"details", "/details", "summary", "/summary"}
    assert set(re.findall(r"<([^>]*)>", text)) == ours
    assert "@" not in text
    assert not re.search(r"://[\w.]", text)
    assert "www.evil" not in text
    assert "GH-7" not in text
    assert "](" not in text
    assert "0123456" not in text
    assert not re.search(r"(?<!&)#\d", text)
    assert "`code`" not in text
    assert "{{" not in text
    assert "\x1b" not in text


def test_calls_and_references_are_parted_from_what_they_name() -> None:
    assert markdown.safe("@team") == "&#64;&#8203;team"
    assert markdown.safe("#12") == "&#35;&#8203;12"
    assert markdown.safe("https://x") == "https://&#8203;x"
    assert markdown.safe("0123456789abcdef") == "012345&#8203;6789ab&#8203;cdef"
    assert markdown.safe("a|b") == "a&#124;b"
    assert markdown.safe("whole: drawdown 34.1 %") == "whole: drawdown 34.1 %"


def test_limits_are_said(passed: StrategyReport) -> None:
    assert "> **Limits:** weak isolation, synthetic candles" in markdown.render(Report((passed,)))


def test_fits_a_comment_whatever_there_is_to_say(hostile: StrategyReport) -> None:
    many = Report(tuple(replace(hostile, name=f"s{n}") for n in range(300)))
    text = markdown.render(many)
    assert len(text.encode()) < 65_536
    assert markdown.CUT in text
    shown = text.count("| ✗ FAILED | backtest")
    assert f"and {300 - shown} more strategies" in text
    assert 20 < shown < 300
    assert text.count("<details>") == text.count("</details>") > 0


def test_one_that_says_too_much_takes_the_room_of_no_other(
    failed: StrategyReport, hostile: StrategyReport
) -> None:
    finding = hostile.verdicts[2].findings[0]
    checks = [
        Verdict(check=f"c{n}", status=Status.FAILED, findings=(finding,) * 20) for n in range(9)
    ]
    text = markdown.render(Report((replace(hostile, verdicts=tuple(checks)), failed)))
    assert len(text.encode()) < 65_536
    assert "<details><summary>breakout 1.4.0" in text
    assert text.count("<details>") == text.count("</details>") == 1
    assert markdown.CUT in text


def test_what_blocks_comes_first(passed: StrategyReport, failed: StrategyReport) -> None:
    text = markdown.render(Report((passed, failed)))
    assert text.index("**breakout**") < text.index("**calm**")


def test_says_why_and_what_would_have_been_enough(failed: StrategyReport) -> None:
    text = markdown.render(Report((failed,)))
    assert re.search(r"\| \*\*breakout\*\* \| ✗ FAILED \| backtest: 3 of 5 thresholds missed", text)
    assert re.search(r"^  - \d+\.\d points too much; enough would be: all positions", text, re.M)
    assert re.search(r"^\| BTC/USDT \| 15 \| [+-]\d", text, re.M)


def test_words_between_colons_become_no_pictures() -> None:
    assert markdown.safe(":shipit: 12:30:10") == ":&#8203;shipit: 12:&#8203;30:10"


def test_nothing_checked_is_said() -> None:
    assert markdown.render(Report(())) == "Nothing was checked.\n"
