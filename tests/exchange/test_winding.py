"""Candles come from a child, exactly as they are pinned, and nothing of what reads them stays."""

import os
import shutil
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from pipelines.adapters import lockfile
from pipelines.adapters.candles import CandleShelf, open_shelf
from pipelines.errors import BadInput, CannotTell, Problem
from runner.exchange import winding

NOW = datetime(2026, 1, 1, tzinfo=UTC)
KEYS = [("BTC/USDT", "1h"), ("ETH/USDT", "1d")]


@pytest.fixture(scope="module")
def shelf(root: Path, tmp_path_factory: pytest.TempPathFactory) -> CandleShelf:
    cache = tmp_path_factory.mktemp("candles")
    return open_shelf(None, lockfile.load(root), cache, NOW)


def test_wound_candles_are_those_that_the_lock_pins(shelf: CandleShelf) -> None:
    candles = winding.wound(shelf, KEYS)
    for pair, timeframe in KEYS:
        found = candles(pair, timeframe)
        assert (found.pair, found.timeframe) == (pair, timeframe)
        assert found.digest == shelf.data.series[pair][timeframe].digest
        assert found.time.dtype == np.int64


def test_what_is_wrong_with_candles_is_said_as_by_the_shelf(
    shelf: CandleShelf, root: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "there"
    shutil.copytree(shelf.folder, folder)
    file = folder / shelf.data.file(*KEYS[1])
    other = CandleShelf("embedded", shelf.data, folder, tmp_path / "cache", NOW)
    winding.wound(other, KEYS)
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(BadInput, match=r"ETH_USDT-1d\.feather: is no feather file"):
        winding.wound(other, KEYS)
    file.unlink()
    with pytest.raises(BadInput, match=r"ETH_USDT-1d\.feather: there is no such file"):
        winding.wound(other, KEYS)


def test_a_child_that_was_killed_is_no_pass(
    shelf: CandleShelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr(winding, "_read", killed)
    with pytest.raises(CannotTell, match="reading the candles ended with -9"):
        winding.wound(shelf, KEYS)


HOLDS = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from pipelines.adapters import lockfile
from pipelines.adapters.candles import open_shelf
from runner.exchange.winding import wound
root, cache = map(Path, sys.argv[1:])
wound(open_shelf(None, lockfile.load(root), cache, datetime.now(UTC)), [("BTC/USDT", "1h")])
print(*{"pyarrow", "pandas"} & set(sys.modules))
"""


def test_what_reads_feather_files_is_not_in_the_process(shelf: CandleShelf, root: Path) -> None:
    argv = [sys.executable, "-c", HOLDS, str(root), str(shelf.cache)]
    ended = subprocess.run(argv, capture_output=True, text=True, cwd=root, check=True)
    assert ended.stdout.split() == []


def test_what_a_child_reads_is_sent_and_what_is_wrong_is_said() -> None:
    assert winding.apart(lambda: {"pid": os.getpid()}, "here")["pid"] != os.getpid()

    def wrong() -> None:
        raise Problem("a file", "is nonsense")

    with pytest.raises(BadInput, match="a file: is nonsense"):
        winding.apart(wrong, "here")


def test_a_child_that_was_killed_while_it_read_sent_nothing() -> None:
    parent = os.getpid()

    def killed() -> str:
        if os.getpid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)
        return "read"

    with pytest.raises(CannotTell, match="here: reading ended with -9"):
        winding.apart(killed, "here")


FLOOR = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from pipelines.adapters import lockfile
from pipelines.adapters.candles import open_shelf
from runner.exchange.core.terms import Terms
from runner.exchange.futures.opening import open_floor
root, cache, candles = map(Path, sys.argv[1:])
shelf = open_shelf(candles, lockfile.load(root), cache, datetime.now(UTC), "futures")
floor = open_floor(shelf, None, Terms())
assert all(marks.opens and marks.rates for marks in floor.marks.values())
assert floor.reel("BTCUSDT").price(floor.last()) > 0
print(*{"pyarrow", "pandas"} & set(sys.modules))
"""


@pytest.mark.needs("candles")
def test_nor_is_it_after_marks_and_funding_were_read(
    root: Path, tmp_path: Path, candles_folder: Path
) -> None:
    argv = [sys.executable, "-c", FLOOR, str(root), str(tmp_path), str(candles_folder)]
    ended = subprocess.run(argv, capture_output=True, text=True, cwd=root, check=True)
    assert ended.stdout.split() == []
