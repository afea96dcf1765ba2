import io
import re
from typing import Literal

import pytest
from rich.cells import cell_len
from rich.console import Console

from pipelines.reports import terminal
from pipelines.reports.model import Report, StrategyReport


def shown(report: Report, width: int = 80, *, colors: bool = False, encoding: str = "utf-8") -> str:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    system: Literal["standard"] | None = "standard" if colors else None
    console = Console(file=stream, width=width, force_terminal=colors, color_system=system)
    terminal.render(report, console)
    stream.seek(0)
    return stream.read()


def test_the_verdict_comes_first(failed: StrategyReport) -> None:
    first = shown(Report((failed,))).splitlines()[0]
    assert first.split() == ["✗", "FAILED", "breakout", "1.4.0", "buys", "breakouts"]


@pytest.mark.parametrize("width", [60, 80, 120])
def test_no_line_is_wider_than_the_terminal(report: Report, width: int) -> None:
    for line in shown(report, width).splitlines():
        assert cell_len(line) <= width, line


def test_a_table_of_windows_marks_what_was_missed(failed: StrategyReport) -> None:
    lines = shown(Report((failed,)), 120).splitlines()
    whole = next(line for line in lines if line.startswith("whole "))
    assert re.search(r"✗ \d+\.\d %", whole)
    assert any("Sharpe" in line and "drawdown" in line for line in lines)


def test_a_missed_figure_is_shown_on_a_narrow_terminal_too(failed: StrategyReport) -> None:
    text = shown(Report((failed,)), 44)
    assert "✗ 5" in next(line for line in text.splitlines() if line.startswith("bear "))


def test_findings_have_their_hint(failed: StrategyReport) -> None:
    text = shown(Report((failed,)), 120)
    assert re.search(r"✗ whole: drawdown \d\d\.\d %, at most 10 % — cut losers sooner", text)


def test_ends_with_a_table_of_all_strategies_after_the_places_of_evidence(
    failed: StrategyReport,
) -> None:
    *_, place, _, titles, _, summary = shown(Report((failed,)), 120).splitlines()
    assert place == "evidence evidence.json"
    assert titles.split() == ["verdict", "strategy", "profit", "drawdown", "Sharpe", "why"]
    assert summary.split()[:3] == ["✗", "FAILED", "breakout"]
    assert summary.endswith("backtest said no")


def test_a_path_is_never_broken(failed: StrategyReport) -> None:
    long = StrategyReport("x", "", (), None, failed.path and failed.path / ("d" * 200))
    assert f"evidence.json/{'d' * 200}" in shown(Report((long,)), 80)


def test_says_what_limits_evidence(passed: StrategyReport) -> None:
    assert "synthetic candles: admits nothing beyond the demo" in shown(Report((passed,)))


def test_text_of_strategies_cannot_steer_the_terminal(hostile: StrategyReport) -> None:
    text = shown(Report((hostile,)))
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "\u202e" not in text
    assert "[red]loud[/red]" in text


def test_the_only_escapes_in_color_are_ours(hostile: StrategyReport) -> None:
    text = shown(Report((hostile,)), colors=True)
    assert "\x1b" not in re.sub(r"\x1b\[[\d;]*m", "", text)


def test_statuses_have_colors_on_a_terminal(
    report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    text = shown(report, colors=True)
    for code, word in ((32, "✓ PASSED"), (31, "✗ FAILED"), (33, "! ERRORED"), (2, "– SKIPPED")):
        assert re.search(rf"\x1b\[(1;)?{code}m{word}", text), word


def test_no_color_is_respected(report: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert not re.search(r"\x1b\[(\d;)*3\dm", shown(report, colors=True))


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_is_plain_ascii_where_more_cannot_be_shown(report: Report, encoding: str) -> None:
    text = shown(report, encoding=encoding)
    assert text.isascii()
    assert "x FAILED" in text
    assert all(len(line) <= 80 for line in text.splitlines())


def test_many_findings_are_cut_with_a_word(hostile: StrategyReport) -> None:
    verdict = hostile.verdicts[2]
    many = verdict.model_copy(update={"findings": verdict.findings * 20})
    text = shown(Report((StrategyReport("x", "", (many,), None, None),)))
    assert "and 40 more" in text


def test_nothing_checked_is_said() -> None:
    assert shown(Report(())) == "nothing was checked\n"
