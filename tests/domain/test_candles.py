"""Candles, windows, and the digests that evidence is bound to."""

from datetime import UTC, date, datetime

import numpy as np
import pytest
from pydantic import ValidationError

from pipelines.domain.candles import Candles, DataSet, Series, TradingMode, Window

DAY = datetime(2020, 1, 1, tzinfo=UTC)


def series(letter: str) -> Series:
    return Series(digest=letter * 64, rows=3, start=DAY, end=DAY)


def data(trading_mode: TradingMode = "spot", source: str = "somewhere", bear: int = 31) -> DataSet:
    return DataSet(
        exchange="binance",
        trading_mode=trading_mode,
        synthetic=False,
        source=source,
        windows={"bear": Window(start=date(2022, 1, 1), end=date(2022, 1, bear))},
        series={
            "ETH/USDT": {"1d": series("c"), "1h": series("b")},
            "BTC/USDT": {"1h": series("a")},
        },
    )


@pytest.mark.parametrize(
    ("mode", "pair", "expected"),
    [
        ("spot", "BTC/USDT", "binance/BTC_USDT-1h.feather"),
        ("futures", "BTC/USDT:USDT", "binance/futures/BTC_USDT_USDT-1h-futures.feather"),
    ],
)
def test_files_are_named_as_freqtrade_names_them(
    mode: TradingMode, pair: str, expected: str
) -> None:
    assert data(mode).file(pair, "1h").as_posix() == expected


def test_series_come_in_one_order_however_they_were_written() -> None:
    assert [(pair, timeframe) for pair, timeframe, _ in data().every()] == [
        ("BTC/USDT", "1h"),
        ("ETH/USDT", "1h"),
        ("ETH/USDT", "1d"),
    ]


def test_the_published_digest_is_about_candles_alone() -> None:
    assert data().published_digest == data(source="elsewhere", bear=30).published_digest
    assert data().published_digest != data("futures").published_digest


def test_evidence_is_bound_to_the_windows_too() -> None:
    asked = (("ETH/USDT", "BTC/USDT"), ("1h",))
    assert data().digest_of(*asked) == data(source="elsewhere").digest_of(*asked)
    assert data().digest_of(*asked) != data(bear=30).digest_of(*asked)


def test_evidence_is_not_bound_to_pairs_that_a_strategy_does_not_see() -> None:
    other = data().model_copy(update={"series": {**data().series, "SOL/USDT": {"1h": series("d")}}})
    assert other.digest_of(("BTC/USDT",), ("1h",)) == data().digest_of(("BTC/USDT",), ("1h",))


def test_between_takes_the_start_and_leaves_the_end() -> None:
    price = np.arange(5, dtype=np.float64) + 1
    time = int(DAY.timestamp() * 1000) + 86_400_000 * np.arange(5)
    whole = Candles("BTC/USDT", "1d", time, price, price, price, price, price)
    window = Window(start=date(2020, 1, 2), end=date(2020, 1, 3))
    assert whole.between(window.opens, window.closes).open.tolist() == [2, 3]


def test_the_digest_of_candles_knows_every_column() -> None:
    price = np.arange(5, dtype=np.float64) + 1
    time = np.arange(5)
    digests = {Candles("A/B", "1d", time, *([price] * 5)).digest}
    for place in range(5):
        columns = [price.copy() for _ in range(5)]
        columns[place][3] += 0.1
        digests.add(Candles("A/B", "1d", time, *columns).digest)
    assert len(digests) == 6


def test_a_window_that_ends_before_it_starts_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"ends .* before it starts"):
        Window(start=date(2020, 1, 2), end=date(2020, 1, 1))
