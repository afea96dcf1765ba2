"""`sluice data pack`, `fetch` and `download`: where candles come from."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path, PurePath

from pipelines.adapters import feather, lockfile, published
from pipelines.adapters.candles import examined, refuse
from pipelines.adapters.folders import appear
from pipelines.domain.candles import TIMEFRAMES, DataLock, DataSet
from pipelines.domain.soundness import flaws
from pipelines.errors import BadInput, CannotTell, Problem
from pipelines.freqtrade.download import Span, Wanted, argv

_SHORTEST = 8
_NOT_IT = "get it from somebody else: this is not the set that was asked for"


@dataclass(frozen=True)
class Fetched:
    """A published set that lies ready: `folder` is what SLUICE_CANDLES or --candles may name.

    `source` is where it came from; empty when it was there already.
    """

    name: str
    digest: str
    folder: Path
    source: str


def pack(root: Path, folder: Path, name: str, into: Path, now: datetime) -> Path:
    """Write a set as `<into>/<digest>.tar`, ready to be published; the file.

    :raises BadInput: when the lock has no such set, or the candles are not what it pins.
    :raises CannotTell: when the tar cannot be written.
    """
    lock = lockfile.load(root)
    if name not in lock.sets:
        hint = f"there are {', '.join(sorted(lock.sets))}"
        raise Problem(lockfile.WHERE, "there is no such set", key=f"sets.{name}", hint=hint)
    data = lock.sets[name]
    _verify(folder, data, now)
    target = into / f"{data.published_digest}.tar"
    try:
        into.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=into, prefix=".pack-") as making:
            published.pack(folder, data, Path(making, target.name))
            Path(making, target.name).replace(target)
    except OSError as error:
        message = f"{target}: cannot be written: {error.strerror or error}"
        raise CannotTell(message, "free some space or choose another folder") from None
    return target


def fetch(root: Path, digest: str, base: str, into: Path, now: datetime) -> Fetched:
    """Get the published set with this digest (or its first letters) from `base`.

    Only sets that the lock pins can be fetched, and every file is verified against it before the
    folder `<into>/<digest>` appears; when anything goes wrong, nothing appears.

    :raises BadInput: when the lock knows no such digest, or what came is something else.
    :raises CannotTell: when it could not be fetched or written.
    """
    name, data = _published(lockfile.load(root), digest)
    target, sources = into / data.published_digest, [""]
    if target.is_dir():
        _verify(target, data, now, f"delete {target} and fetch it again")
    else:
        if not base:
            hint = f"name it with --from or {published.BASE_VARIABLE}: a folder or a URL"
            raise BadInput("nothing says where candles are published", hint)
        appear(target, lambda making: sources.append(_unpacked(base, data, making, now)))
    return Fetched(name, data.published_digest, target, sources[-1])


def _unpacked(base: str, data: DataSet, making: Path, now: datetime) -> str:
    tar = making / ".tar"
    source = published.get(base, data.published_digest, tar)
    published.unpack(tar, data, making, source)
    tar.unlink()
    _verify(making, data, now, _NOT_IT, source)
    return source


def _published(lock: DataLock, digest: str) -> tuple[str, DataSet]:
    there = {data.published_digest: name for name, data in lock.sets.items() if not data.synthetic}
    found = [full for full in there if len(digest) >= _SHORTEST and full.startswith(digest)]
    if len(found) != 1:
        known = "; ".join(f"{name} is {full[:12]}" for full, name in there.items()) or "none"
        hint = f"sets that can be fetched: {known}"
        raise Problem(lockfile.WHERE, f"pins no set with the digest {digest!r}", hint=hint)
    return there[found[0]], lock.sets[there[found[0]]]


def _verify(folder: Path, data: DataSet, now: datetime, anew: str = "", where: str = "") -> None:
    for pair, timeframe, series in data.every():
        file = data.file(pair, timeframe)
        named = f"{where or folder}/{file}"
        examined(folder / file, (pair, timeframe), series, now, anew=anew, where=named)


@dataclass(frozen=True)
class Downloaded:
    """Files that were written or extended, and how many candles each holds."""

    files: tuple[tuple[Path, int], ...]


def run_child(command: Sequence[str]) -> int:
    """Run a command, all that it prints on our standard error; its exit code."""
    return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=2, check=False).returncode


def asked(
    pairs: tuple[str, ...],
    timeframes: tuple[str, ...],
    days: int | None,
    start: date | None,
    end: date | None,
) -> tuple[Wanted, Span]:
    """What the command line asked to download."""
    return Wanted(pairs, timeframes), Span(days, start, end)


def download(
    folder: Path,
    wanted: Wanted,
    span: Span,
    now: datetime,
    *,
    exchange: str = "binance",
    run: Callable[[Sequence[str]], int] = run_child,
) -> Downloaded:
    """Get candles with freqtrade's own downloader; what is there already is extended.

    It works on copies: files in `folder` change only when all that was asked for came and is sound.

    :raises BadInput: when a timeframe is unknown, or what came is not sound.
    :raises CannotTell: when not everything came, whatever the downloader's exit code says.
    """
    if unknown := [one for one in wanted.timeframes if one not in TIMEFRAMES]:
        raise BadInput(f"there is no timeframe {unknown[0]}", f"there are {', '.join(TIMEFRAMES)}")
    files = _files(wanted, exchange)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".download-") as name:
            work = Path(name)
            _copy(folder / exchange, work / exchange)
            before = {file: _seen(work / file) for file in files.values()}
            code = run(argv(sys.executable, work, exchange, wanted, span))
            absent = [str(f) for f in files.values() if _seen(work / f) in {None, before[f]}]
            _refuse_incomplete(absent, code, exchange)
            rows = {file: _count(work / file, of, now) for of, file in files.items()}
            _place(work / exchange, folder / exchange)
    except OSError as error:
        message = f"{folder}: cannot be written: {error.strerror or error}"
        raise CannotTell(message, "free some space or choose another folder") from None
    return Downloaded(tuple((folder / file, count) for file, count in rows.items()))


def _files(wanted: Wanted, exchange: str) -> dict[tuple[str, str], PurePath]:
    data = DataSet(
        exchange=exchange,
        trading_mode=wanted.trading_mode,
        synthetic=False,
        source="",
        windows={},
        series={},
    )
    return {(p, tf): data.file(p, tf) for p in wanted.pairs for tf in wanted.timeframes}


def _seen(path: Path) -> tuple[int, int] | None:
    """What changes when the downloader writes a file; None when there is none."""
    stat = path.stat() if path.is_file() else None
    return (stat.st_size, stat.st_mtime_ns) if stat else None


def _refuse_incomplete(absent: list[str], code: int, exchange: str) -> None:
    if not absent and code == 0:
        return
    # the exit code alone says little: freqtrade ends with 0 when pairs could not be downloaded
    said = f"brought nothing for {', '.join(absent)}" if absent else "brought all files"
    raise CannotTell(
        f"freqtrade's downloader {said} and ended with exit code {code}; nothing was changed",
        f"see what it printed above: is {exchange} reachable, are there such pairs?",
    )


def _count(path: Path, of: tuple[str, str], now: datetime) -> int:
    hint = "nothing was changed; try again, or download into another folder"
    where = f"downloaded {path.name}"
    candles = feather.read(path, *of, hint, where)
    refuse(where, flaws(candles, now), hint)
    return len(candles)


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target)


def _place(source: Path, target: Path) -> None:
    for path in sorted(source.rglob("*.feather")):
        goal = target / path.relative_to(source)
        goal.parent.mkdir(parents=True, exist_ok=True)
        path.replace(goal)
