"""The shelf reads candles only as the lock pins them, and says what to do when they are not."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pytest
from pyarrow import feather as arrow

from pipelines.adapters import feather, lockfile
from pipelines.adapters.candles import CandleShelf, open_shelf
from pipelines.domain.candles import Candles, DataLock, DataSet, TradingMode, Window
from pipelines.domain.soundness import pinned
from pipelines.errors import BadInput, CannotTell, SluiceError

NOW = datetime(2024, 1, 1, tzinfo=UTC)
START, HOUR = 1_577_836_800_000, 3_600_000
FILE = "binance/BTC_USDT-1h.feather"
ANEW = "get the candles again ('sluice data fetch' or 'sluice data download')"
PIN = "see 'sluice data verify'; to judge on these candles from now on, 'sluice data pin'"


def candles(pair: str = "BTC/USDT", timeframe: str = "1h") -> Candles:
    price = np.arange(48, dtype=np.float64) + 100
    time = START + HOUR * np.array([i for i in range(50) if i not in {7, 8}])
    return Candles(pair, timeframe, time, price, price + 2, price - 2, price + 1, price * 10)


def recorded(mode: TradingMode = "spot", *pairs: str) -> DataSet:
    whole = Window(start=date(2020, 1, 1), end=date(2020, 1, 2))
    return DataSet(
        exchange="binance",
        trading_mode=mode,
        synthetic=False,
        source="a test",
        windows={"whole": whole},
        series={pair: {"1h": pinned(candles(pair))} for pair in pairs or ("BTC/USDT", "ETH/USDT")},
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for pair, _, _ in recorded().every():
        feather.write(tmp_path / "candles" / recorded().file(pair, "1h"), candles(pair))
    return tmp_path / "candles"


@pytest.fixture
def shelf(folder: Path, tmp_path: Path) -> CandleShelf:
    return open_shelf(folder, DataLock(sets={"mine": recorded()}), tmp_path / "cache", NOW)


def columns() -> dict[str, Any]:
    whole = candles()
    date = pyarrow.array(whole.time).cast(pyarrow.timestamp("ms", "UTC"))
    names = ("open", "high", "low", "close", "volume")
    return {"date": date, **{name: getattr(whole, name) for name in names}}


def put(path: Path, **changed: Any) -> None:
    table = {name: c for name, c in {**columns(), **changed}.items() if c is not None}
    arrow.write_feather(pyarrow.table(table), str(path), compression="lz4")


def at(row: int, name: str, value: float) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        column = getattr(candles(), name)
        column[row] = value
        if name == "time":
            name_, column = "date", pyarrow.array(column).cast(pyarrow.timestamp("ms", "UTC"))
        else:
            name_ = name
        put(path, **{name_: column})

    return change


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-700])


def shortened(*rows: int) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        kept = pyarrow.array([i for i in range(48) if i not in rows], pyarrow.int64())
        arrow.write_feather(pyarrow.table(columns()).take(kept), str(path))

    return change


def filled(path: Path) -> None:
    whole, price = columns(), np.arange(50, dtype=np.float64) + 100
    whole = dict.fromkeys(whole, price)
    time = pyarrow.array(START + HOUR * np.arange(50)).cast(pyarrow.timestamp("ms", "UTC"))
    put(path, **{**whole, "date": time})


NO_FILE = "is no feather file, or only a part of one"
BAD: list[tuple[str, Callable[[Path], None], str, str]] = [
    ("truncated", cut, NO_FILE, ANEW),
    ("empty file", lambda path: path.write_bytes(b"") and None, NO_FILE, ANEW),
    ("text", lambda path: path.write_text("date,open\n") and None, NO_FILE, ANEW),
    (
        "column missing",
        lambda path: put(path, volume=None),
        "has the columns date, open, high, low, close, "
        "should have date, open, high, low, close, volume",
        ANEW,
    ),
    (
        "float32",
        lambda path: put(path, open=columns()["open"].astype("f4")),
        "column open is float, should be double",
        ANEW,
    ),
    (
        "text in a column",
        lambda path: put(path, close=[str(i) for i in range(48)]),
        "column close is string, should be double",
        ANEW,
    ),
    (
        "no time zone",
        lambda path: put(path, date=columns()["date"].cast(pyarrow.timestamp("ms"))),
        "column date is timestamp[ms], should be timestamp[ms, tz=UTC]",
        ANEW,
    ),
    (
        "not milliseconds",
        lambda path: put(path, date=pyarrow.array(range(48), pyarrow.timestamp("ns", "UTC"))),
        "column date has times that are no whole milliseconds",
        ANEW,
    ),
    (
        "empty cells",
        lambda path: put(path, low=[None, *columns()["low"][1:]]),
        "column low has empty cells",
        ANEW,
    ),
    ("no rows", shortened(*range(48)), "holds no candles", ANEW),
    (
        "unsorted",
        at(3, "time", START + 5 * HOUR),
        "is not in order of time: 2020-01-01T04:00:00Z comes after 2020-01-01T05:00:00Z\n"
        "holds 1 time more than once, first 2020-01-01T05:00:00Z",
        ANEW,
    ),
    (
        "twice",
        at(3, "time", START + 2 * HOUR),
        "holds 1 time more than once, first 2020-01-01T02:00:00Z",
        ANEW,
    ),
    (
        "off the grid",
        at(3, "time", START + 3 * HOUR + 60_000),
        "has 1 candle off the grid of 1h, first 2020-01-01T03:01:00Z",
        ANEW,
    ),
    (
        "in the future",
        at(47, "time", START + 24 * 3000 * HOUR),
        "has 1 candle in the future, first 2028-03-19T00:00:00Z",
        ANEW,
    ),
    ("not a number", at(4, "close", np.nan), "close is nan at 2020-01-01T04:00:00Z", ANEW),
    (
        "price of zero",
        at(4, "low", 0),
        "low is 0, not above zero at 2020-01-01T04:00:00Z",
        ANEW,
    ),
    (
        "high below low",
        at(4, "high", 1),
        "high is 1, below low at 2020-01-01T04:00:00Z",
        ANEW,
    ),
    (
        "negative volume",
        at(4, "volume", -1),
        "volume is -1, below zero at 2020-01-01T04:00:00Z",
        ANEW,
    ),
    (
        "new gap",
        shortened(20, 21, 22),
        "lacks 3 candles from 2020-01-01T22:00:00Z, which data.lock does not record\n"
        "holds 45 candles, and data.lock records 48",
        PIN,
    ),
    (
        "gap filled",
        filled,
        "has no gap of 2 candles at 2020-01-01T07:00:00Z, and data.lock records one\n"
        "holds 50 candles, and data.lock records 48",
        PIN,
    ),
    (
        "cut at the end",
        shortened(47),
        "holds 47 candles, and data.lock records 48\n"
        "ends at 2020-01-03T00:00:00Z, and data.lock records 2020-01-03T01:00:00Z",
        PIN,
    ),
    (
        "one price changed",
        at(4, "high", 106.5),
        "holds other candles than data.lock records: digest 67d5016d3537, not f9536ac785f5",
        PIN,
    ),
]


@pytest.mark.parametrize(
    ("change", "expected", "hint"), [b[1:] for b in BAD], ids=[b[0] for b in BAD]
)
def test_bad_candles_are_refused_with_file_place_and_hint(
    shelf: CandleShelf,
    folder: Path,
    change: Callable[[Path], None],
    expected: str,
    hint: str,
) -> None:
    change(folder / FILE)
    before = (folder / FILE).read_bytes()
    for reading in (shelf.candles, shelf.path):
        with pytest.raises(BadInput) as caught:
            reading("BTC/USDT", "1h")
        lines = caught.value.message.splitlines()
        assert lines == [f"{folder / FILE}: {line}" for line in expected.splitlines()]
        assert caught.value.hint == hint
    assert (folder / FILE).read_bytes() == before


def message(reading: Callable[[], object]) -> tuple[str, str]:
    with pytest.raises(SluiceError) as caught:
        reading()
    return caught.value.message, caught.value.hint


def test_sound_candles_are_read_as_they_were_written(shelf: CandleShelf, folder: Path) -> None:
    assert shelf.name == "mine"
    assert shelf.candles("BTC/USDT", "1h").digest == candles().digest
    assert shelf.path("BTC/USDT", "1h") == folder / FILE


def test_a_missing_file_says_which_there_are(shelf: CandleShelf, folder: Path) -> None:
    (folder / FILE).unlink()
    said, hint = message(lambda: shelf.candles("BTC/USDT", "1h"))
    assert said == f"{folder / FILE}: there is no such file; there is ETH/USDT"
    assert hint == ANEW


@pytest.mark.parametrize(
    ("pair", "timeframe", "expected"),
    [
        ("DOGE/USDT", "1h", "has no 1h candles of DOGE/USDT; its pairs are BTC/USDT, ETH/USDT"),
        ("BTC/USDT", "5m", "has no 5m candles of BTC/USDT; its timeframes of BTC/USDT are 1h"),
        ("../BTC/USDT", "1h", "has no 1h candles of ../BTC/USDT; its pairs are BTC/USDT, ETH/USDT"),
    ],
)
def test_what_the_lock_does_not_know_is_refused(
    shelf: CandleShelf, pair: str, timeframe: str, expected: str
) -> None:
    said, hint = message(lambda: shelf.path(pair, timeframe))
    assert said == f"environments/data.lock: sets.mine: {expected}"
    assert hint == "use one of these, or pin your own candles with 'sluice data pin'"


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    said, hint = message(lambda: open_shelf(tmp_path / "x", DataLock(sets={}), tmp_path, NOW))
    assert said == f"{tmp_path / 'x'}: there is no such folder"
    assert "without them the embedded market is used" in hint


def test_a_folder_without_known_candles_says_how_it_should_look(
    folder: Path, tmp_path: Path
) -> None:
    lock = DataLock(sets={"mine": recorded("spot", "SOL/USDT")})
    said, hint = message(lambda: open_shelf(folder, lock, tmp_path, NOW))
    assert said == f"{folder}: has no spot candles that data.lock knows"
    assert "<exchange>/BTC_USDT-1h.feather" in hint


def test_one_folder_too_deep_is_noticed(folder: Path, tmp_path: Path) -> None:
    lock = DataLock(sets={"mine": recorded()})
    _, hint = message(lambda: open_shelf(folder / "binance", lock, tmp_path, NOW))
    assert hint == f"name the folder above: {folder}"


def test_a_folder_means_the_recorded_set_that_names_most_of_its_files(
    folder: Path, tmp_path: Path
) -> None:
    sets = {
        "few": recorded("spot", "BTC/USDT", "SOL/USDT"),
        "most": recorded(),
        "other": recorded("futures", "BTC/USDT:USDT"),
        "synthetic": recorded().model_copy(update={"synthetic": True}),
    }
    assert open_shelf(folder, DataLock(sets=sets), tmp_path, NOW).name == "most"


def test_a_folder_with_both_modes_is_opened_for_the_asked_one(folder: Path, tmp_path: Path) -> None:
    futures = recorded("futures", "BTC/USDT:USDT")
    feather.write(folder / futures.file("BTC/USDT:USDT", "1h"), candles("BTC/USDT:USDT"))
    lock = DataLock(sets={"mine": recorded(), "futures": futures})
    opened = open_shelf(folder, lock, tmp_path, NOW, "futures")
    assert opened.name == "futures"
    assert len(opened.candles("BTC/USDT:USDT", "1h")) == 48


def test_what_was_sound_is_not_read_again_for_its_path(
    shelf: CandleShelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf.path("BTC/USDT", "1h")
    monkeypatch.setattr(feather, "read", lambda *_: pytest.fail("read again"))
    shelf.path("BTC/USDT", "1h")


def test_a_file_that_changed_afterwards_is_judged_again(shelf: CandleShelf, folder: Path) -> None:
    shelf.path("BTC/USDT", "1h")
    at(4, "high", 106.5)(folder / FILE)
    with pytest.raises(BadInput, match="other candles"):
        shelf.path("BTC/USDT", "1h")


def test_a_lock_that_changed_afterwards_is_obeyed(
    shelf: CandleShelf, folder: Path, tmp_path: Path
) -> None:
    shelf.path("BTC/USDT", "1h")
    one = shelf.data.series["BTC/USDT"]["1h"].model_copy(update={"gaps": ()})
    changed = recorded().model_copy(update={"series": {"BTC/USDT": {"1h": one}}})
    again = open_shelf(folder, DataLock(sets={"mine": changed}), tmp_path / "cache", NOW)
    with pytest.raises(BadInput, match="does not record"):
        again.path("BTC/USDT", "1h")


def test_a_cache_that_cannot_be_written_costs_nothing_but_time(
    folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    lock = DataLock(sets={"mine": recorded()})
    opened = open_shelf(folder, lock, tmp_path / "file", NOW)
    assert opened.path("BTC/USDT", "1h") == folder / FILE


def test_a_shelf_serves_many_threads(shelf: CandleShelf) -> None:
    with ThreadPoolExecutor(8) as pool:
        digests = {c.digest for c in pool.map(lambda _: shelf.candles("BTC/USDT", "1h"), range(32))}
    assert digests == {candles().digest}


def test_without_a_folder_the_embedded_market_stands_on_the_shelf(root: Path, home: Path) -> None:
    shelf = open_shelf(None, lockfile.load(root), home, NOW)
    assert (shelf.name, shelf.data.synthetic) == ("embedded", True)
    assert shelf.candles("LTC/USDT", "1d").digest == shelf.data.series["LTC/USDT"]["1d"].digest
    assert len(list(shelf.folder.glob("binance/*.feather"))) == 20
    assert b'"LTC/USDT":{"id":"LTCUSDT"' in shelf.markets(("LTC/USDT",))


def test_an_embedded_file_that_was_harmed_says_how_to_make_it_anew(
    root: Path, home: Path, tmp_path: Path
) -> None:
    lock = lockfile.load(root)
    made = open_shelf(None, lock, home, NOW).folder
    shutil.copytree(made, tmp_path / made.name)
    shelf = open_shelf(None, lock, tmp_path, NOW)
    path = shelf.path("LTC/USDT", "1d")
    cut(path)
    said, hint = message(lambda: shelf.path("LTC/USDT", "1d"))
    assert said == f"{path}: {NO_FILE}"
    assert hint == f"delete {tmp_path / made.name}: it is made anew"


def test_opening_the_embedded_market_makes_nothing(root: Path, tmp_path: Path) -> None:
    shelf = open_shelf(None, lockfile.load(root), tmp_path / "cache", NOW)
    assert shelf.data.digest_of(("BTC/USDT",), ("1h",))
    assert not (tmp_path / "cache").exists()


def test_a_lock_without_the_embedded_market_is_refused(tmp_path: Path) -> None:
    said, _ = message(lambda: open_shelf(None, DataLock(sets={}), tmp_path, NOW))
    assert said == "environments/data.lock: sets.embedded: is missing"


def test_a_disk_that_cannot_be_written_is_told(root: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("")
    shelf = open_shelf(None, lockfile.load(root), tmp_path / "cache", NOW)
    with pytest.raises(CannotTell, match="cannot be written"):
        shelf.path("BTC/USDT", "1h")


def test_importing_the_shelf_imports_no_pyarrow_and_no_pandas(root: Path) -> None:
    code = "import sys, pipelines.workflow.supply, pipelines.workflow.data; print(*sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(root)}
    command = [sys.executable, "-c", code]
    said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert {"pyarrow", "pandas", "freqtrade"}.isdisjoint(said.stdout.split())


@pytest.mark.needs("candles")
def test_the_recorded_candles_are_what_the_lock_pins(
    root: Path, candles_folder: Path, tmp_path: Path
) -> None:
    now = datetime.now(UTC)
    shelf = open_shelf(candles_folder, lockfile.load(root), tmp_path, now)
    assert shelf.name == "binance-2020-2023"
    assert not shelf.data.synthetic
    for pair in shelf.data.series:
        assert len(shelf.candles(pair, "1h")) == shelf.data.series[pair]["1h"].rows


def test_candles_are_lent_as_files_like_those_of_the_shelf(
    shelf: CandleShelf, folder: Path
) -> None:
    os.utime(folder / FILE, ns=(1_000, 2_000))
    short = candles().between(NOW.replace(year=2020), NOW.replace(year=2020, day=2))
    with shelf.lend([short]) as files:
        path = files["BTC/USDT", "1h"]
        assert feather.read(path, "BTC/USDT", "1h").digest == short.digest != candles().digest
        assert (path.name, path.stat().st_mtime_ns) == ("BTC_USDT-1h.feather", 2_000)
    assert not path.exists()
    assert shelf.candles("BTC/USDT", "1h").digest == candles().digest
