"""Verifying candles against the lock, and pinning new ones."""

import shutil
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pytest

from pipelines.adapters import feather, lockfile
from pipelines.domain.candles import Candles, DataLock, Gap, TradingMode, Window, moment
from pipelines.errors import BadInput, SluiceError
from pipelines.workflow import data

NOW = datetime(2024, 1, 1, tzinfo=UTC)
START, HOUR = 1_577_836_800_000, 3_600_000
WHOLE = {"whole": Window(start=date(2020, 1, 1), end=date(2020, 1, 3))}


def candles(pair: str, skip: tuple[int, ...] = (), lift: float = 0) -> Candles:
    time = START + HOUR * np.array([i for i in range(48) if i not in skip])
    price = np.arange(len(time), dtype=np.float64) + 100 + lift
    return Candles(pair, "1h", time, price, price + 2, price - 2, price + 1, price * 10)


def put(folder: Path, found: Candles, name: str = "") -> Path:
    stem = found.pair.replace("/", "_").replace(":", "_")
    suffix = "-futures" if ":" in found.pair else ""
    place = "binance/futures" if suffix else "binance"
    path = folder / place / (name or f"{stem}-{found.timeframe}{suffix}.feather")
    feather.write(path, found)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    put(tmp_path / "candles", candles("BTC/USDT", skip=(7, 8)))
    put(tmp_path / "candles", candles("ETH/USDT"))
    put(tmp_path / "candles", candles("BTC/USDT:USDT"))
    return tmp_path / "candles"


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def raised(doing: object, *args: object, **named: object) -> tuple[str, str]:
    with pytest.raises(SluiceError) as caught:
        doing(*args, **named)  # type: ignore[operator]
    return caught.value.message, caught.value.hint


def test_pinning_writes_what_verifying_then_finds(
    tmp_path: Path, folder: Path, cache: Path
) -> None:
    done = data.pin(tmp_path, folder, "mine", NOW, windows=WHOLE, source="a test")
    assert done.changed == ("BTC/USDT 1h", "ETH/USDT 1h")
    assert done.dropped == ()
    assert done.data.series["BTC/USDT"]["1h"].gaps == (Gap(at=moment(START + 7 * HOUR), missing=2),)
    assert lockfile.load(tmp_path).sets["mine"] == done.data
    assert data.verify(tmp_path, folder, cache, NOW).unsound == ()


def test_the_lock_is_written_for_people(tmp_path: Path, folder: Path) -> None:
    data.pin(tmp_path, folder, "mine", NOW, source="a test", pairs=("BTC/USDT",))
    text = (tmp_path / lockfile.WHERE).read_text()
    digest = candles("BTC/USDT", skip=(7, 8)).digest
    assert text.splitlines() == [
        "# Which candles strategies may be judged on, and on which windows of them "
        "(first and last day).",
        "# Written by 'sluice data pin', read by 'sluice check'; 'sluice docs data' explains it.",
        "sets:",
        "  mine:",
        "    exchange: binance",
        "    trading_mode: spot",
        "    synthetic: false",
        "    source: a test",
        "    windows:",
        "      whole: {start: 2020-01-01, end: 2020-01-02}",
        "    series:",
        "      BTC/USDT:",
        "        1h:",
        f"          digest: {digest}",
        "          rows: 46",
        "          start: 2020-01-01T00:00:00Z",
        "          end: 2020-01-02T23:00:00Z",
        "          gaps:",
        "          - {at: '2020-01-01T07:00:00Z', missing: 2}",
    ]


@pytest.mark.parametrize("digest", ["1" * 64, "1e10" + "2" * 60, "0" * 64])
def test_a_digest_that_looks_like_a_number_survives_the_lock(
    tmp_path: Path, folder: Path, digest: str
) -> None:
    done = data.pin(tmp_path, folder, "mine", NOW)
    one = done.data.series["ETH/USDT"]["1h"].model_copy(update={"digest": digest})
    changed = done.data.model_copy(update={"series": {"ETH/USDT": {"1h": one}}})
    lockfile.save(tmp_path, DataLock(sets={"1e5": changed}))
    assert lockfile.load(tmp_path).sets == {"1e5": changed}


def test_pinning_again_keeps_windows_source_and_other_sets(tmp_path: Path, folder: Path) -> None:
    data.pin(tmp_path, folder, "other", NOW)
    data.pin(tmp_path, folder, "mine", NOW, windows=WHOLE, source="a test")
    before = (tmp_path / lockfile.WHERE).read_bytes()
    assert data.pin(tmp_path, folder, "mine", NOW).changed == ()
    assert (tmp_path / lockfile.WHERE).read_bytes() == before

    put(folder, candles("ETH/USDT", lift=1))
    (folder / "binance/BTC_USDT-1h.feather").unlink()
    done = data.pin(tmp_path, folder, "mine", NOW)
    assert (done.changed, done.dropped) == (("ETH/USDT 1h",), ("BTC/USDT 1h",))
    assert (done.data.windows, done.data.source) == (WHOLE, "a test")
    assert "other" in lockfile.load(tmp_path).sets


def test_files_that_are_no_candles_of_the_mode_are_left_out(tmp_path: Path, folder: Path) -> None:
    put(folder, candles("ETH/USDT"), "ETH_USDT-8h.feather")
    put(folder, candles("ETH/USDT"), "ETH_USDT-1h-mark.feather")
    put(folder, candles("ETH/USDT"), "notes.feather")
    spot = data.pin(tmp_path, folder, "spot", NOW)
    futures = data.pin(tmp_path, folder, "futures", NOW, trading_mode="futures")
    assert list(spot.data.series) == ["BTC/USDT", "ETH/USDT"]
    assert list(futures.data.series) == ["BTC/USDT:USDT"]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"pairs": ("SOL/USDT",)}, "holds no candles of SOL/USDT"),
        ({"timeframes": ("5m",)}, "BTC_USDT-5m.feather: there is no such file"),
        ({"exchange": "kraken"}, "kraken: holds no candles"),
        ({"name": "embedded"}, "embedded is the name of the embedded market"),
    ],
)
def test_what_is_not_there_cannot_be_pinned(
    tmp_path: Path, folder: Path, asked: dict[str, str], expected: str
) -> None:
    said, hint = raised(data.pin, tmp_path, folder, now=NOW, **{"name": "mine", **asked})
    assert expected in said
    assert hint
    assert not (tmp_path / lockfile.WHERE).exists()


def test_unsound_candles_are_never_pinned_and_all_are_named(tmp_path: Path, folder: Path) -> None:
    data.pin(tmp_path, folder, "mine", NOW)
    before = (tmp_path / lockfile.WHERE).read_bytes()
    bad = candles("BTC/USDT")
    bad.close[3] = np.nan
    bad.volume[4] = -1
    put(folder, bad)
    (folder / "binance/ETH_USDT-1h.feather").write_bytes(b"ARROW1")
    said, hint = raised(data.pin, tmp_path, folder, "mine", NOW)
    assert [line.split("feather: ")[1] for line in said.splitlines()] == [
        "close is nan at 2020-01-01T03:00:00Z",
        "volume is -1, below zero at 2020-01-01T04:00:00Z",
        "is no feather file, or only a part of one",
    ]
    assert hint.startswith("candles like these are never pinned")
    assert (tmp_path / lockfile.WHERE).read_bytes() == before


def test_a_broken_lock_is_told_and_not_replaced(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "environments").mkdir()
    (tmp_path / lockfile.WHERE).write_text("sets: 3\n")
    said, _ = raised(data.pin, tmp_path, folder, "mine", NOW)
    assert said == "environments/data.lock:1: sets: should be keys and values, got 3"
    assert (tmp_path / lockfile.WHERE).read_text() == "sets: 3\n"


def test_verifying_tells_everything_at_once_and_goes_on(
    tmp_path: Path, folder: Path, cache: Path
) -> None:
    data.pin(tmp_path, folder, "mine", NOW)
    put(folder, candles("BTC/USDT", skip=(7, 8, 20)))
    (folder / "binance/ETH_USDT-1h.feather").unlink()
    found = data.verify(tmp_path, folder, cache, NOW)
    told = {one.pair: one for one in found.unsound}
    assert len(found.series) == 2
    assert told["BTC/USDT"].problems == (
        "lacks 1 candle from 2020-01-01T20:00:00Z, which data.lock does not record",
        "holds 45 candles, and data.lock records 46",
    )
    assert told["BTC/USDT"].where == str(folder / "binance/BTC_USDT-1h.feather")
    assert "'sluice data pin'" in told["BTC/USDT"].hint
    assert told["ETH/USDT"].problems == ("there is no such file",)


def test_verifying_trusts_no_memory(tmp_path: Path, folder: Path, cache: Path) -> None:
    data.pin(tmp_path, folder, "mine", NOW)
    data.verify(tmp_path, folder, cache, NOW)
    assert not (cache / "sound").exists()


@pytest.mark.parametrize(
    ("names", "place", "expected"),
    [
        (("nothing",), "candles", "environments/data.lock: sets.nothing: there is no such set"),
        (("mine",), "", "the set mine is recorded: say where its candles are"),
        ((), "nowhere", "there is no such folder"),
        ((), "empty", "holds no set that data.lock knows"),
    ],
)
def test_verifying_what_is_not_there_is_bad_input(
    tmp_path: Path, folder: Path, cache: Path, names: tuple[str, ...], place: str, expected: str
) -> None:
    (tmp_path / "empty").mkdir()
    data.pin(tmp_path, folder, "mine", NOW)
    where = tmp_path / place if place else None
    with pytest.raises(BadInput) as caught:
        data.verify(tmp_path, where, cache, NOW, names)
    assert expected in caught.value.message
    assert caught.value.hint


def test_the_embedded_market_verifies_itself(root: Path, home: Path) -> None:
    found = data.verify(root, None, home, datetime.now(UTC))
    assert len(found.series) == 20
    assert found.unsound == ()


def test_the_committed_lock_is_written_as_pin_would_write_it(root: Path) -> None:
    committed = (root / lockfile.WHERE).read_text()
    assert lockfile.text(lockfile.load(root)) == committed


@pytest.mark.needs("candles")
@pytest.mark.parametrize(
    ("name", "mode"), [("binance-2020-2023", "spot"), ("binance-futures-2023", "futures")]
)
def test_recorded_candles_pin_to_the_committed_lock(
    root: Path, tmp_path: Path, candles_folder: Path, name: str, mode: TradingMode
) -> None:
    shutil.copytree(root / "environments", tmp_path / "environments")
    done = data.pin(tmp_path, candles_folder, name, datetime.now(UTC), trading_mode=mode)
    assert (done.changed, done.dropped) == ((), ())
    assert (tmp_path / lockfile.WHERE).read_bytes() == (root / lockfile.WHERE).read_bytes()
