"""Winding candles onto reels: a child reads them, into memory that both see, or sends them.

What reads feather files takes more memory than all candles together, and a process never gives it
back. So it goes with the child; here only those pages count that were looked at.
"""

import mmap
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any, TypeVar

import numpy as np

from pipelines.adapters.candles import CandleShelf
from pipelines.domain.candles import Candles
from pipelines.errors import CannotTell, SluiceError

T = TypeVar("T")

Key = tuple[str, str]
"""A pair and a timeframe."""

_COLUMNS = ("time", "open", "high", "low", "close", "volume")
_EACH = 8  # bytes of a number


def wound(shelf: CandleShelf, keys: Iterable[Key]) -> Callable[[str, str], Candles]:
    """The candles of these pairs and timeframes, as the lock pins them, by pair and timeframe.

    :raises BadInput: when there are no such candles, or they are not sound.
    :raises CannotTell: when the child was ended, as by a system that has no memory left.
    """
    room = _room({(pair, tf): shelf.data.series[pair][tf].rows for pair, tf in keys})
    child = get_context("fork").Process(target=_read, args=(shelf, room))
    child.start()
    child.join()
    if child.exitcode:
        for key in room:
            shelf.candles(*key)  # what is wrong with them is said by whoever reads them here
        raise CannotTell(f"{shelf.folder}: reading the candles ended with {child.exitcode}")
    return lambda pair, timeframe: room[pair, timeframe]


def apart(read: Callable[[], T], name: str) -> T:
    """What a child reads: a few candles, whose number nobody knows before. `name` is for messages.

    :raises BadInput: when `read` does.
    :raises CannotTell: when the child was ended.
    """
    context = get_context("fork")
    here, there = context.Pipe(duplex=False)
    child = context.Process(target=_send, args=(read, there))
    child.start()
    there.close()
    found: list[T] = []
    with here, suppress(EOFError):
        found.append(here.recv())
    child.join()
    if not found:
        read()  # what is wrong is said by whoever reads it here
        raise CannotTell(f"{name}: reading ended with {child.exitcode}")
    return found[0]


def _send(read: Callable[[], object], there: Connection) -> None:
    """The child: read and send."""
    try:
        there.send(read())
    except SluiceError as error:
        sys.exit(int(error.code))


def _room(rows: Mapping[Key, int]) -> dict[Key, Candles]:
    """Room for so many candles, in memory that is shared with children."""
    memory = mmap.mmap(-1, _EACH * len(_COLUMNS) * sum(rows.values()))
    room, place = {}, 0
    for (pair, timeframe), count in rows.items():
        columns: dict[str, Any] = {}
        for name in _COLUMNS:
            kind = np.int64 if name == "time" else np.float64
            columns[name] = np.frombuffer(memory, kind, count, place)
            place += _EACH * count
        room[pair, timeframe] = Candles(pair, timeframe, **columns)
    return room


def _read(shelf: CandleShelf, room: Mapping[Key, Candles]) -> None:
    """The child: fill the room."""
    try:
        for key, empty in room.items():
            candles = shelf.candles(*key)
            for name in _COLUMNS:
                getattr(empty, name)[:] = getattr(candles, name)
    except SluiceError as error:
        sys.exit(int(error.code))
