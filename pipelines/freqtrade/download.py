"""The command line of freqtrade's own downloader."""

from dataclasses import dataclass
from datetime import date
from pathlib import PurePath

from pipelines.domain.candles import TradingMode


@dataclass(frozen=True)
class Wanted:
    """Which candles to download."""

    pairs: tuple[str, ...]
    timeframes: tuple[str, ...]
    trading_mode: TradingMode = "spot"


@dataclass(frozen=True)
class Span:
    """What to download: the last `days`, or from `start` to `end`, both inclusive."""

    days: int | None = None
    start: date | None = None
    end: date | None = None

    @property
    def arguments(self) -> tuple[str, ...]:
        """As freqtrade takes it. It excludes the end, to the second, so a day is added."""
        if self.start is None:
            return ("--days", str(self.days or 30))
        end = date.fromordinal(self.end.toordinal() + 1) if self.end else None
        return (
            "--timerange",
            f"{self.start:%Y%m%d}-{end:%Y%m%d}" if end else f"{self.start:%Y%m%d}-",
        )


def argv(
    python: str,
    folder: PurePath,
    exchange: str,
    wanted: Wanted,
    span: Span,
) -> tuple[str, ...]:
    """`python -m freqtrade download-data …`, writing feather files to `<folder>/<exchange>`.

    `folder` is also freqtrade's user folder, so that no other configuration is found.
    """
    return (
        *(python, "-m", "freqtrade", "download-data"),
        *("--exchange", exchange),
        *("--trading-mode", wanted.trading_mode),
        *("--userdir", str(folder)),
        *("--datadir", str(folder / exchange)),
        *("--data-format-ohlcv", "feather"),
        *("--pairs", *wanted.pairs),
        *("--timeframes", *wanted.timeframes),
        *span.arguments,
        "--no-color",
    )
