"""The shelf: where the candles of one data set stand, read only as the lock pins them."""

import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pipelines.adapters import feather, market
from pipelines.adapters.folders import appear
from pipelines.adapters.markets import markets
from pipelines.documents import write
from pipelines.domain.candles import Candles, DataLock, DataSet, Series, TradingMode
from pipelines.domain.document import sha256
from pipelines.domain.soundness import Flaw, differences, flaws
from pipelines.errors import CannotTell, Problem, Problems

EMBEDDED = "embedded"
"""The set of the lock that stands for the embedded market."""

_ANEW = "get the candles again ('sluice data fetch' or 'sluice data download')"
_PIN = "see 'sluice data verify'; to judge on these candles from now on, 'sluice data pin'"


@dataclass(frozen=True)
class CandleShelf:
    """The candles of one set, in a folder or, without one, of the embedded market.

    What was found sound is remembered in `cache` until the file or the lock changes.
    Opening it reads nothing; the embedded market is made when its first file is asked for.

    :raises BadInput: from every method, when there are no such candles or they are not sound.
    """

    name: str
    data: DataSet
    recorded: Path | None
    cache: Path
    now: datetime

    @property
    def folder(self) -> Path:
        """The folder that holds `<exchange>/…`; makes the embedded market when it is meant."""
        return self.recorded or _stocked(self.cache, self.data)

    def candles(self, pair: str, timeframe: str) -> Candles:
        """All candles of a pair and timeframe, as the lock pins them."""
        series, path = self._series(pair, timeframe), self._there(pair, timeframe)
        memory = _memory(self.cache, path, series)
        if memory.is_file():
            return feather.read(path, pair, timeframe, self.anew)
        candles = examined(path, (pair, timeframe), series, self.now, anew=self.anew)
        _remember(memory, series)
        return candles

    def path(self, pair: str, timeframe: str) -> Path:
        """The file, for whoever reads it by themselves; its content is as the lock pins it."""
        series, path = self._series(pair, timeframe), self._there(pair, timeframe)
        if not _memory(self.cache, path, series).is_file():
            self.candles(pair, timeframe)
        return path

    def markets(self, pairs: tuple[str, ...]) -> bytes:
        """Market metadata as ccxt parses it: JSON, symbol to market."""
        return markets(pairs, self.data.trading_mode, self.recorded)

    @contextmanager
    def lend(self, series: Sequence[Candles]) -> Iterator[Mapping[tuple[str, str], Path]]:
        """Files of other candles, by pair and timeframe, until the context ends.

        Each is as old as the file of the shelf that it stands for.

        :raises CannotTell: when they cannot be written.
        """
        with tempfile.TemporaryDirectory(prefix="sluice-", ignore_cleanup_errors=True) as folder:
            paths = {}
            for candles in series:
                key = candles.pair, candles.timeframe
                path = Path(folder, self.data.file(*key))
                feather.write(path, candles)
                age = self.path(*key).stat()
                os.utime(path, ns=(age.st_atime_ns, age.st_mtime_ns))
                paths[key] = path
            yield paths

    @property
    def anew(self) -> str:
        """The hint that says how to get a file of this set again."""
        return _ANEW if self.recorded else f"delete {self.folder}: it is made anew"

    def _series(self, pair: str, timeframe: str) -> Series:
        known = self.data.series.get(pair, {})
        if timeframe in known:
            return known[timeframe]
        there = _listed(known) if pair in self.data.series else _listed(self.data.series)
        kind = f"timeframes of {pair}" if pair in self.data.series else "pairs"
        raise Problem(
            "environments/data.lock",
            f"has no {timeframe} candles of {pair}; its {kind} are {there}",
            key=f"sets.{self.name}",
            hint="use one of these, or pin your own candles with 'sluice data pin'",
        )

    def _there(self, pair: str, timeframe: str) -> Path:
        path = self.folder / self.data.file(pair, timeframe)
        if path.is_file():
            return path
        others = [tf for p, tf, _ in self.data.every() if p == pair and self._holds(p, tf)]
        pairs = dict.fromkeys(p for p, tf, _ in self.data.every() if self._holds(p, tf))
        said = f"there are {_listed(others)} of {pair}" if others else f"there is {_listed(pairs)}"
        raise Problem(str(path), f"there is no such file; {said}", hint=self.anew)

    def _holds(self, pair: str, timeframe: str) -> bool:
        return (self.folder / self.data.file(pair, timeframe)).is_file()


def examined(
    path: Path,
    of: tuple[str, str],
    series: Series,
    now: datetime,
    *,
    anew: str = "",
    where: str = "",
) -> Candles:
    """The candles in a file (`of` a pair and timeframe), once they are what the lock pins.

    `anew` is the hint that says how to get the file again, `where` how messages name it.

    :raises BadInput: when they are not sound, or not the pinned ones; everything at once.
    """
    anew, where = anew or _ANEW, where or str(path)
    candles = feather.read(path, *of, anew, where)
    refuse(where, flaws(candles, now), anew)
    refuse(where, differences(candles, series), _PIN if anew == _ANEW else anew)
    return candles


def refuse(where: str, found: tuple[Flaw, ...], hint: str) -> None:
    """Raise what is wrong with a file, all at once; nothing when nothing is.

    :raises BadInput: when there are flaws.
    """
    problems = tuple(Problem(where, flaw.message, hint=hint) for flaw in found)
    if problems:
        raise problems[0] if len(problems) == 1 else Problems(problems)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "nothing"


def open_shelf(
    folder: Path | None,
    lock: DataLock,
    cache: Path,
    now: datetime,
    trading_mode: TradingMode = "spot",
) -> CandleShelf:
    """The shelf of a folder of candles, or of the embedded market when there is none.

    A folder means the recorded set of this trading mode that names most of the files in it;
    of equals the last by name. `cache` is a folder for what can be made again.

    :raises BadInput: when there is no such folder, or the lock knows nothing of what is in it.
    """
    if folder is None:
        return CandleShelf(EMBEDDED, embedded(lock), None, cache, now)
    name = meant(folder, lock, trading_mode)
    return CandleShelf(name, lock.sets[name], folder, cache, now)


def embedded(lock: DataLock) -> DataSet:
    """What the lock pins of the embedded market.

    :raises BadInput: when it pins nothing of it.
    """
    if EMBEDDED not in lock.sets:
        hint = "run 'sluice data pin embedded'"
        raise Problem("environments/data.lock", "is missing", key=f"sets.{EMBEDDED}", hint=hint)
    return lock.sets[EMBEDDED]


def meant(folder: Path, lock: DataLock, trading_mode: TradingMode) -> str:
    """The name of the recorded set that a folder holds. `open_shelf` says the rest."""
    if not folder.is_dir():
        hint = "--candles and SLUICE_CANDLES name it; without them the embedded market is used"
        raise Problem(str(folder), "there is no such folder", hint=hint)
    counted = {
        name: sum((folder / data.file(pair, tf)).is_file() for pair, tf, _ in data.every())
        for name, data in lock.sets.items()
        if not data.synthetic and data.trading_mode == trading_mode
    }
    best = max(counted, key=lambda name: (counted[name], name), default="")
    if best and counted[best]:
        return best
    exchanges = {data.exchange for data in lock.sets.values() if not data.synthetic}
    if folder.name in exchanges:
        hint = f"name the folder above: {folder.parent}"
    else:
        hint = "it should hold <exchange>/BTC_USDT-1h.feather and so on; see 'sluice docs data'"
    raise Problem(str(folder), f"has no {trading_mode} candles that data.lock knows", hint=hint)


def _memory(cache: Path, path: Path, series: Series) -> Path:
    """The note that says that this very file was found to be this series."""
    stat = path.stat()
    about = f"{path.resolve()}\n{stat.st_size}\n{stat.st_mtime_ns}\n{series.digest}"
    gaps = "".join(f"\n{gap.at} {gap.missing}" for gap in series.gaps)
    return cache / "sound" / sha256(f"{about}\n{series.rows}{gaps}".encode())


def _remember(note: Path, series: Series) -> None:
    # a cache that cannot be written costs time, nothing else
    with suppress(CannotTell):
        write(note, series.digest)


def _stocked(cache: Path, data: DataSet) -> Path:
    """The folder with the embedded market's files, made when it is not there yet.

    It appears under its name in one step, so whoever finds it finds it whole.
    """
    target = cache / f"market-{market.VERSION}-{data.published_digest[:16]}"
    if not target.is_dir():
        appear(target, lambda making: _make(making, data))
    return target


def _make(folder: Path, data: DataSet) -> None:
    for (pair, timeframe), candles in market.generate().items():
        feather.write(folder / data.file(pair, timeframe), candles)
