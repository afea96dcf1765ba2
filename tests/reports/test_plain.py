import pytest

from pipelines.reports import plain
from pipelines.reports.model import StrategyReport


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[31mb", "a[31mb"),
        ("a\r\n\tb", "a b"),
        ("a\u2028b\u202ec\u200bd\x9be", "a bcde"),
        ("  spaced\u00a0out  ", "spaced out"),
        ("naïve 東京", "naïve 東京"),
    ],
)
def test_keeps_what_can_be_read_only(text: str, shown: str) -> None:
    assert plain.plain(text) == shown


def test_cuts_what_is_too_long() -> None:
    assert plain.plain("x" * 10_000_000, 10) == "xxxxxxxxx…"


def test_limits_are_one_line(passed: StrategyReport, failed: StrategyReport) -> None:
    said = plain.limits(passed.evidence)
    assert said == "weak isolation, synthetic candles: admits nothing beyond the demo"
    assert plain.limits(failed.evidence) == ""
    assert plain.limits(None) == ""


@pytest.mark.parametrize(
    ("duration", "text"), [(0.04, "0.0 s"), (59.9, "59.9 s"), (83, "1 min 23 s")]
)
def test_durations_read_well(duration: float, text: str) -> None:
    assert plain.seconds(duration) == text
