import io
import re

import pytest
from rich.console import Console

from pipelines.domain.verdict import Status, Verdict
from pipelines.reports.progress import Progress

PASSED = Verdict(check="code", status=Status.PASSED, duration=1.5)


def worked(console: Console, *, quiet: bool = False) -> None:
    times = iter(range(100))
    with Progress(console, quiet=quiet, clock=lambda: next(times) * 1.5) as progress:
        progress.start("breakout", "code")
        progress.say("reading \x1b[2Jstrategy.py\nagain")
        progress.done(PASSED)
        progress.say("writing evidence")


def test_one_plain_line_per_step_where_there_is_no_terminal() -> None:
    stream = io.StringIO()
    worked(Console(file=stream, width=40))
    assert stream.getvalue().splitlines() == [
        "    1.5 s  breakout: code",
        "    3.0 s  breakout: code: reading [2Jstrategy.py again",
        "    4.5 s  ✓ breakout: code PASSED 1.5 s",
        "    6.0 s  writing evidence",
    ]


def test_quiet_says_nothing() -> None:
    stream = io.StringIO()
    worked(Console(file=stream, force_terminal=True), quiet=True)
    assert stream.getvalue() == ""


def test_a_terminal_keeps_a_line_per_verdict() -> None:
    stream = io.StringIO()
    worked(Console(file=stream, force_terminal=True, width=60, color_system=None))
    text = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", stream.getvalue())
    assert "✓ breakout: code PASSED 1.5 s\n" in text
    assert "reading [2Jstrategy.py again" in text


def test_what_goes_wrong_inside_is_passed_on_and_the_cursor_comes_back() -> None:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=60)
    with pytest.raises(RuntimeError), Progress(console):
        raise RuntimeError
    assert stream.getvalue().rfind("\x1b[?25h") > stream.getvalue().rfind("\x1b[?25l")


def test_is_plain_ascii_where_more_cannot_be_shown() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    worked(Console(file=stream, width=60))
    stream.seek(0)
    assert "+ breakout: code PASSED" in stream.read()
