"""Candles in feather files, as freqtrade keeps them.

Columns: `date` (timestamp in UTC), `open`, `high`, `low`, `close`, `volume` (double).
pyarrow is imported when a file is touched, not before: it costs a command's start-up time.
"""

import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.domain.candles import Candles
from pipelines.errors import CannotTell, Problem

_COLUMNS = ("date", "open", "high", "low", "close", "volume")
_BROKEN = "is no feather file, or only a part of one"


def read(path: Path, pair: str, timeframe: str, hint: str = "", where: str = "") -> Candles:
    """The candles in a file, whatever they hold. `where` is how messages name the file.

    :raises BadInput: when there is no such file, or it holds no candles in freqtrade's layout.
    """
    where = where or str(path)
    table = _table(path, where, hint)
    _refuse_columns(where, table, hint)
    columns = {name: table.column(name).to_numpy() for name in _COLUMNS[1:]}
    return Candles(pair, timeframe, _times(where, table, hint), **columns)


def _table(path: Path, where: str, hint: str) -> Any:
    import pyarrow
    from pyarrow import feather

    try:
        # without memory mapping: a file that shrinks while it is read must not kill the process
        table = feather.read_table(path, memory_map=False, use_threads=False)
        table.validate(full=True)
    except FileNotFoundError:
        raise Problem(where, "there is no such file", hint=hint) from None
    except PermissionError:
        raise Problem(where, "may not be read", hint="look at its permissions") from None
    except (pyarrow.ArrowException, OSError, ValueError):
        raise Problem(where, _BROKEN, hint=hint) from None
    return table


def _refuse_columns(where: str, table: Any, hint: str) -> None:
    import pyarrow

    names = list(table.column_names)
    missing = [name for name in _COLUMNS if names.count(name) != 1]
    if missing:
        expected = ", ".join(_COLUMNS)
        message = f"has the columns {', '.join(names) or '(none)'}, should have {expected}"
        raise Problem(where, message, hint=hint)
    for name in _COLUMNS:
        kind = table.schema.field(name).type
        right = pyarrow.types.is_float64(kind) if name != "date" else _is_utc(kind)
        if not right:
            should = "timestamp[ms, tz=UTC]" if name == "date" else "double"
            raise Problem(where, f"column {name} is {kind}, should be {should}", hint=hint)
        if table.column(name).null_count:
            raise Problem(where, f"column {name} has empty cells", hint=hint)


def _is_utc(kind: Any) -> bool:
    import pyarrow

    return bool(pyarrow.types.is_timestamp(kind)) and kind.tz in {"UTC", "+00:00"}


def _times(where: str, table: Any, hint: str) -> np.ndarray[Any, np.dtype[np.int64]]:
    import pyarrow

    date = table.column("date")
    try:
        times = date.cast(pyarrow.timestamp("ms", "UTC")).cast(pyarrow.int64())
    except pyarrow.ArrowException:
        message = "column date has times that are no whole milliseconds"
        raise Problem(where, message, hint=hint) from None
    return np.asarray(times.to_numpy(), dtype=np.int64)


def write(path: Path, candles: Candles) -> None:
    """Write candles as a whole or not at all.

    :raises CannotTell: when they cannot be written; a file that was there stays as it was.
    """
    import pyarrow
    from pyarrow import feather

    time = pyarrow.array(candles.time).cast(pyarrow.timestamp("ms", "UTC"))
    columns = (candles.open, candles.high, candles.low, candles.close, candles.volume)
    table = pyarrow.table([time, *(pyarrow.array(c) for c in columns)], names=list(_COLUMNS))
    temporary = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        os.close(handle)
        feather.write_feather(table, temporary, compression="lz4")
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
        temporary = ""
    except OSError as error:
        message = f"{path}: cannot be written: {error.strerror or error}"
        raise CannotTell(message, "free some space or choose another folder") from None
    finally:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
