"""Which rows of a history are meant: since when, until when, and how many."""

from typing import TypeVar

from runner.exchange.core.rejection import Rejection
from runner.exchange.signing import Parameters

T = TypeVar("T")

_WEEK = 7 * 86_400_000


def page(
    rows: list[tuple[int, int, T]],
    given: Parameters,
    *,
    first: int | None = None,
    usual: int = 500,
    longest: int | None = _WEEK,
) -> list[T]:
    """Of rows with their time and number, oldest first: at most `limit`.

    The first ones after a given time or number, else the last ones.

    :raises Rejection: when the span is longer than Binance allows.
    """
    begins, ends = given.whole("startTime"), given.whole("endTime")
    if begins is not None and longest is not None:
        if ends is not None and ends - begins > longest:
            raise Rejection(-4165, "Maximum time interval is 7 days")
        ends = min(ends or begins + longest, begins + longest)
    limit = min(given.whole("limit") or usual, 1000)
    found = [
        row
        for at, number, row in rows
        if (begins is None or at >= begins)
        and (ends is None or at <= ends)
        and (first is None or number >= first)
    ]
    return found[-limit:] if begins is None and first is None else found[:limit]
