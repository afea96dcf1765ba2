"""`sluice data verify` and `pin`: hold candles against the lock, and record new ones in it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from pipelines.adapters import feather, lockfile, market
from pipelines.adapters.candles import EMBEDDED, CandleShelf, examined, refuse
from pipelines.domain.candles import (
    TIMEFRAMES,
    DataLock,
    DataSet,
    Series,
    TradingMode,
    Window,
)
from pipelines.domain.soundness import flaws, pinned
from pipelines.errors import BadInput, Problem, Problems

_UNSOUND = "candles like these are never pinned; get them again with 'sluice data download'"
_FILE = re.compile(r"([A-Z0-9]+)_([A-Z0-9]+?)(?:_([A-Z0-9]+))?-([0-9]+[mhd])(-futures)?\.feather")


def windows(texts: tuple[str, ...]) -> dict[str, Window] | None:
    """Windows from texts such as `bear=2021-11-10..2022-07-31`; None without any.

    :raises BadInput: when a text is none, or names a day that does not exist.
    """
    found = {}
    for text in texts:
        name, _, span = text.partition("=")
        start, _, end = span.partition("..")
        try:
            found[name] = Window(start=date.fromisoformat(start), end=date.fromisoformat(end))
        except ValueError:
            raise BadInput(
                f"--window: should be a name and two days, got {text!r}",
                "write it as bear=2021-11-10..2022-07-31",
            ) from None
    return found or None


@dataclass(frozen=True)
class Verified:
    """One series of the lock and what its file turned out to be; sound when `problems` is empty."""

    name: str
    pair: str
    timeframe: str
    where: str
    problems: tuple[str, ...]
    hint: str = ""


@dataclass(frozen=True)
class Verification:
    """Every series of the sets that were asked for."""

    series: tuple[Verified, ...]

    @property
    def unsound(self) -> tuple[Verified, ...]:
        return tuple(one for one in self.series if one.problems)


def verify(
    root: Path, folder: Path | None, cache: Path, now: datetime, names: tuple[str, ...] = ()
) -> Verification:
    """Hold every file against the lock: each one is read, nothing is taken from memory.

    Without names, all recorded sets whose exchange has a folder in `folder` are meant; without a
    folder, the embedded market.

    :raises BadInput: when the lock has no such set, or none for this folder.
    """
    lock = lockfile.load(root)
    found: list[Verified] = []
    for name in names or _in_folder(folder, lock):
        data = _known(lock, name)
        shelf = CandleShelf(name, data, _recorded(folder, name), cache, now)
        found += [_verified(shelf, *one) for one in data.every()]
    return Verification(tuple(found))


def _verified(shelf: CandleShelf, pair: str, timeframe: str, series: Series) -> Verified:
    path = shelf.folder / shelf.data.file(pair, timeframe)
    said: tuple[str, ...] = ()
    hint = ""
    try:
        examined(path, (pair, timeframe), series, shelf.now, anew=shelf.anew)
    except Problems as error:
        said, hint = tuple(problem.bare for problem in error.problems), error.hint
    except Problem as error:
        said, hint = (error.bare,), error.hint
    return Verified(shelf.name, pair, timeframe, str(path), said, hint)


def _in_folder(folder: Path | None, lock: DataLock) -> tuple[str, ...]:
    if folder is None:
        return (EMBEDDED,)
    if not folder.is_dir():
        raise Problem(str(folder), "there is no such folder", hint="name it with --candles")
    names = tuple(
        name
        for name, data in sorted(lock.sets.items())
        if not data.synthetic and _candle_folder(folder, data.exchange, data.trading_mode).is_dir()
    )
    if not names:
        hint = "see 'sluice docs data' for the layout; 'sluice data pin' makes a set of your own"
        raise Problem(str(folder), "holds no set that data.lock knows", hint=hint)
    return names


def _candle_folder(folder: Path, exchange: str, mode: TradingMode) -> Path:
    return folder / exchange / "futures" if mode == "futures" else folder / exchange


def _known(lock: DataLock, name: str) -> DataSet:
    if name not in lock.sets:
        there = ", ".join(sorted(lock.sets)) or "none"
        hint = f"there are {there}" if lock.sets else "pin one with 'sluice data pin'"
        raise Problem(lockfile.WHERE, "there is no such set", key=f"sets.{name}", hint=hint)
    return lock.sets[name]


def _recorded(folder: Path | None, name: str) -> Path | None:
    if name != EMBEDDED and folder is None:
        hint = "--candles or SLUICE_CANDLES names the folder"
        raise BadInput(f"the set {name} is recorded: say where its candles are", hint)
    return None if name == EMBEDDED else folder


@dataclass(frozen=True)
class Pinned:
    """What was written to the lock. `changed` and `dropped` name series as `BTC/USDT 1h`."""

    name: str
    data: DataSet
    changed: tuple[str, ...]
    dropped: tuple[str, ...]


def pin(
    root: Path,
    folder: Path,
    name: str,
    now: datetime,
    *,
    exchange: str = "binance",
    trading_mode: TradingMode = "spot",
    pairs: tuple[str, ...] = (),
    timeframes: tuple[str, ...] = (),
    windows: Mapping[str, Window] | None = None,
    source: str = "",
) -> Pinned:
    """Make or renew a set of the lock from the candles in a folder.

    Without pairs or timeframes, all that are there. Windows and source stay as they were unless
    new ones are given; a new set without windows gets `whole`, from its first day to its last.
    Gaps are recorded, everything else that is wrong is refused.

    :raises BadInput: when the candles are not sound or there are none; the lock stays as it was.
    """
    if name == EMBEDDED:
        hint = "choose another name; without a folder, the embedded market itself is pinned"
        raise BadInput(f"{EMBEDDED} is the name of the embedded market", hint)
    asked = DataSet(
        exchange=exchange,
        trading_mode=trading_mode,
        synthetic=False,
        source=source,
        windows=dict(windows or {}),
        series={},
    )
    found = _found(folder, asked, pairs, timeframes)
    return _replace(root, name, asked, _sound(folder, asked, found, now))


def pin_embedded(root: Path, now: datetime, windows: Mapping[str, Window] | None = None) -> Pinned:
    """Pin the embedded market, after its generator changed. `pin` says the rest."""
    asked = DataSet(
        exchange="binance",
        synthetic=True,
        source=f"made by pipelines/adapters/market.py, version {market.VERSION}: no real prices",
        windows=dict(windows or {}),
        series={},
    )
    series: dict[str, dict[str, Series]] = {}
    for (pair, timeframe), candles in market.generate().items():
        refuse(f"{EMBEDDED} {pair} {timeframe}", flaws(candles, now), _UNSOUND)
        series.setdefault(pair, {})[timeframe] = pinned(candles)
    return _replace(root, EMBEDDED, asked, series)


def _found(
    folder: Path, data: DataSet, pairs: tuple[str, ...], timeframes: tuple[str, ...]
) -> tuple[tuple[str, str], ...]:
    """Pair and timeframe of the files that are meant, whether or not they can be read."""
    place = _candle_folder(folder, data.exchange, data.trading_mode)
    names = [_FILE.fullmatch(path.name) for path in sorted(place.glob("*.feather"))]
    there = {_pair(m): None for m in names if m and bool(m[5]) == (data.trading_mode == "futures")}
    known = [(pair, timeframe) for pair, timeframe in there if timeframe in TIMEFRAMES]
    meant_pairs = pairs or tuple(dict.fromkeys(pair for pair, _ in known))
    if not meant_pairs:
        hint = "they are named like BTC_USDT-1h.feather; see 'sluice docs data'"
        raise Problem(str(place), "holds no candles", hint=hint)
    if timeframes:
        return tuple((pair, timeframe) for pair in meant_pairs for timeframe in timeframes)
    chosen = tuple((pair, timeframe) for pair, timeframe in known if pair in meant_pairs)
    if absent := sorted(set(meant_pairs) - {pair for pair, _ in chosen}):
        hint = "download them with 'sluice data download', or leave them out"
        raise Problem(str(place), f"holds no candles of {', '.join(absent)}", hint=hint)
    return chosen


def _pair(match: re.Match[str]) -> tuple[str, str]:
    base, quote, settle, timeframe = match.group(1, 2, 3, 4)
    return (f"{base}/{quote}:{settle}" if settle else f"{base}/{quote}"), timeframe


def _sound(
    folder: Path, data: DataSet, found: tuple[tuple[str, str], ...], now: datetime
) -> dict[str, dict[str, Series]]:
    series: dict[str, dict[str, Series]] = {}
    problems: list[Problem] = []
    for pair, timeframe in found:
        path = folder / data.file(pair, timeframe)
        try:
            candles = feather.read(path, pair, timeframe, _UNSOUND)
            refuse(str(path), flaws(candles, now), _UNSOUND)
            series.setdefault(pair, {})[timeframe] = pinned(candles)
        except Problems as error:
            problems += error.problems
        except Problem as error:
            problems.append(error)
    if problems:
        raise problems[0] if len(problems) == 1 else Problems(tuple(problems))
    return series


def _replace(root: Path, name: str, asked: DataSet, series: dict[str, dict[str, Series]]) -> Pinned:
    lock = lockfile.load_or_empty(root)
    before = lock.sets.get(name)
    data = asked.model_copy(
        update={
            "series": series,
            "source": asked.source or (before.source if before else "not told"),
            "windows": asked.windows or (before.windows if before else _whole(series)),
        }
    )
    lockfile.save(root, DataLock(sets={**lock.sets, name: data}))
    was, is_ = _digests(before), _digests(data)
    changed = tuple(key for key, digest in is_.items() if was.get(key) != digest)
    return Pinned(name, data, changed, tuple(key for key in was if key not in is_))


def _digests(data: DataSet | None) -> dict[str, str]:
    return {f"{p} {tf}": one.digest for p, tf, one in data.every()} if data else {}


def _whole(series: dict[str, dict[str, Series]]) -> dict[str, Window]:
    every = [one for by_timeframe in series.values() for one in by_timeframe.values()]
    start, end = min(one.start for one in every), max(one.end for one in every)
    return {"whole": Window(start=start.date(), end=end.date())}
