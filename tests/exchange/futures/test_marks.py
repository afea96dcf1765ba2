"""Mark prices and funding, as far as they were recorded."""

from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from pipelines.adapters import feather
from pipelines.domain.candles import TIMEFRAMES, Candles
from pipelines.errors import BadInput
from runner.exchange.futures.marks import EIGHT_HOURS, USUAL_RATE, Marks, read_marks
from runner.exchange.tape import Reel

HOUR = TIMEFRAMES["1h"]
PAIR = "ETH/USDT:USDT"
STEM = "ETH_USDT_USDT"


def candles(opens: list[float], length: int = HOUR, shift: int = 0) -> Candles:
    """Flat candles one after another, from the epoch on."""
    time = np.arange(len(opens), dtype=np.int64) * length + shift
    price = np.array(opens)
    return Candles(PAIR, "1h", time, price, price, price, price, np.zeros(len(opens)))


@pytest.fixture
def reel() -> Reel:
    """Two days at 100."""
    series = {"1h": candles([100.0] * 48)}
    return Reel("ETHUSDT", Decimal("0.01"), ("1h",), series.__getitem__)


def recorded_marks(folder: Path | None, pair: str, reel: Reel) -> Marks:
    return read_marks(folder, pair).beside(reel)


def record(folder: Path, name: str, recorded: Candles) -> Path:
    feather.write(folder / "futures" / f"{STEM}-{name}.feather", recorded)
    return folder


def test_without_a_recording_the_mark_price_is_the_last_price(reel: Reel, tmp_path: Path) -> None:
    for marks in (recorded_marks(None, PAIR, reel), recorded_marks(tmp_path, PAIR, reel)):
        assert (marks.price(HOUR), marks.path(0, HOUR)) == (100, None)
        assert marks.price(-1) is None
        assert marks.rate(EIGHT_HOURS) == USUAL_RATE == marks.last_rate(5)
        assert marks.rate(EIGHT_HOURS + HOUR) is None
        assert marks.next_funding(EIGHT_HOURS) == 2 * EIGHT_HOURS
        assert [at for at, _ in marks.paid(1, 17 * HOUR)] == [EIGHT_HOURS, 2 * EIGHT_HOURS]


def test_candles_as_fine_as_prices_are_a_path_of_their_own(reel: Reel, tmp_path: Path) -> None:
    folder = record(tmp_path, "1h-mark", candles([101.0, 102.5, 99.0]))
    marks = recorded_marks(folder, PAIR, reel)
    assert [marks.price(HOUR * at // 2) for at in (0, 1, 2, 5)] == [101, 101, Decimal("102.5"), 99]
    path = list(marks.path(0, 2 * HOUR) or ())
    assert (path[0].begins, path[-1].ends) == (0, 2 * HOUR)
    assert {leg.start for leg in path} == {Decimal(101), Decimal("102.5")}
    assert marks.price(3 * HOUR) == 100, "where the recording ends it is the last price again"
    assert marks.path(3 * HOUR, 4 * HOUR) is None
    rows = marks.told("1h").last_rows("1h", 2, 2 * HOUR, 2 * HOUR)
    assert [marks.seen("1h", row, 2 * HOUR).open for row in rows] == [Decimal("102.5"), 99]


def test_coarser_candles_tell_the_mark_price_when_they_open(reel: Reel, tmp_path: Path) -> None:
    folder = record(tmp_path, "8h-mark", candles([97.0, 103.123456789], EIGHT_HOURS))
    marks = recorded_marks(folder, PAIR, reel)
    assert marks.path(0, HOUR) is None
    assert marks.price(EIGHT_HOURS) == Decimal("103.12345679")
    assert marks.price(EIGHT_HOURS + 1) == 100
    (row,) = marks.told("1h").rows("1h", EIGHT_HOURS, EIGHT_HOURS, 20 * HOUR)
    at_eight = marks.seen("1h", row, 20 * HOUR)
    assert (at_eight.open, at_eight.high, at_eight.low) == (
        Decimal("103.12345679"),
        Decimal("103.12345679"),
        100,
    )


def test_recorded_rates_are_due_at_whole_minutes(reel: Reel, tmp_path: Path) -> None:
    rates = candles([0.0001, -0.00025, 0.0003], EIGHT_HOURS, shift=8)
    folder = record(tmp_path, "8h-funding_rate", rates)
    marks = recorded_marks(folder, PAIR, reel)
    assert marks.rate(EIGHT_HOURS) == Decimal("-0.00025")
    assert marks.rate(EIGHT_HOURS + 8) is None
    assert marks.rate(3 * EIGHT_HOURS) is None, "nothing is made up beside a recording"
    assert [marks.last_rate(at) for at in (0, EIGHT_HOURS, 20 * HOUR)] == [
        Decimal("0.0001"),
        Decimal("-0.00025"),
        Decimal("0.0003"),
    ]
    assert [marks.next_funding(at) for at in (0, 9 * HOUR, 17 * HOUR)] == [
        EIGHT_HOURS,
        2 * EIGHT_HOURS,
        3 * EIGHT_HOURS,
    ]
    assert marks.paid(1, EIGHT_HOURS) == [(EIGHT_HOURS, Decimal("-0.00025"))]


def test_a_recording_that_cannot_be_read_is_said(reel: Reel, tmp_path: Path) -> None:
    (tmp_path / "futures").mkdir()
    (tmp_path / "futures" / f"{STEM}-1h-mark.feather").write_bytes(b"nonsense")
    with pytest.raises(BadInput, match=r"1h-mark\.feather: is no feather file"):
        recorded_marks(tmp_path, PAIR, reel)


def test_other_pairs_are_not_meant(reel: Reel, tmp_path: Path) -> None:
    feather.write(tmp_path / "futures" / "SETH_USDT_USDT-1h-mark.feather", candles([1.0]))
    assert recorded_marks(tmp_path, PAIR, reel) == Marks(reel)
