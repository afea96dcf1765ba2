"""The command line of freqtrade's downloader."""

from datetime import date
from pathlib import PurePosixPath

import pytest

from pipelines.freqtrade.download import Span, Wanted, argv

ALWAYS = (
    "python -m freqtrade download-data --exchange binance --trading-mode {mode} "
    "--userdir work --datadir work/binance --data-format-ohlcv feather"
)


@pytest.mark.parametrize(
    ("wanted", "span", "mode", "expected"),
    [
        (
            Wanted(("BTC/USDT",), ("1h",)),
            Span(),
            "spot",
            "--pairs BTC/USDT --timeframes 1h --days 30 --no-color",
        ),
        (
            Wanted(("BTC/USDT", "ETH/USDT"), ("1h", "1d")),
            Span(days=7),
            "spot",
            "--pairs BTC/USDT ETH/USDT --timeframes 1h 1d --days 7 --no-color",
        ),
        (
            Wanted(("BTC/USDT",), ("1h",)),
            Span(start=date(2020, 1, 1)),
            "spot",
            "--pairs BTC/USDT --timeframes 1h --timerange 20200101- --no-color",
        ),
        (
            Wanted(("BTC/USDT:USDT",), ("1h",), "futures"),
            Span(start=date(2020, 1, 1), end=date(2023, 12, 31)),
            "futures",
            "--pairs BTC/USDT:USDT --timeframes 1h --timerange 20200101-20240101 --no-color",
        ),
    ],
)
def test_the_command_line(wanted: Wanted, span: Span, mode: str, expected: str) -> None:
    found = argv("python", PurePosixPath("work"), "binance", wanted, span)
    assert " ".join(found) == f"{ALWAYS.format(mode=mode)} {expected}"
