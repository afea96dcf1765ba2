"""What a bot says of itself while it trades: its turns, its candles, and how the exchange answers.

Whether the exchange answers is seen where ccxt asks it, so nothing is asked for this, and nothing
that was asked is missed. freqtrade's own `/health` goes on while no call succeeds.
"""

import functools
import logging
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import freqtrade.worker
from freqtrade.exchange import timeframe_to_seconds

from runner.monitoring import pulse
from runner.monitoring.pulse import Pulse

logger = logging.getLogger(__name__)


def _harmless(watching: Callable[..., None]) -> Callable[..., None]:
    """What only watches ends no turn, and takes no answer of the exchange away from the bot."""

    @functools.wraps(watching)
    def watched(*given: Any) -> None:
        try:
            watching(*given)
        except Exception:
            logger.exception("The bot could not be watched.")

    return watched


class Beat:
    """Counts for one process, over reloads, and writes it down."""

    def __init__(self, to: Path) -> None:
        self._to = to
        self._calls, self._failures, self._seconds, self._turns = 0, 0, 0.0, 0
        self._private: datetime | None = None
        self._private_failed: datetime | None = None
        self._private_error = ""
        self._seen: dict[str, tuple[datetime, float | None]] = {}

    def follow(self, bot: Any) -> None:
        """Watch a freqtrade, made just now."""
        for name, wrapped in (("_api", self._asked), ("_api_async", self._asked_async)):
            api = getattr(bot.exchange, name)
            api.fetch = wrapped(api, api.fetch)
        bot.process = self._turning(bot, bot.process)
        self._write(bot, None, "")

    def _turning(self, bot: Any, process: Callable[[], None]) -> Callable[[], None]:
        @functools.wraps(process)
        def turn() -> None:
            failed = ""
            try:
                process()
            except Exception as error:
                failed = type(error).__name__
                raise
            finally:
                self._turns += 1
                self._write(bot, datetime.now(UTC), failed)

        return turn

    def _asked(self, api: Any, fetch: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(fetch)
        def asked(*given: Any, **named: Any) -> Any:
            began = time.perf_counter()
            try:
                told = fetch(*given, **named)
            except Exception as error:
                self._count(api, given, named, began, error)
                raise
            self._count(api, given, named, began, None)
            return told

        return asked

    def _asked_async(self, api: Any, fetch: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(fetch)
        async def asked(*given: Any, **named: Any) -> Any:
            began = time.perf_counter()
            try:
                told = await fetch(*given, **named)
            except Exception as error:
                self._count(api, given, named, began, error)
                raise
            self._count(api, given, named, began, None)
            return told

        return asked

    @_harmless
    def _count(
        self,
        api: Any,
        given: tuple[Any, ...],
        named: dict[str, Any],
        began: float,
        error: Exception | None,
    ) -> None:
        private = _is_private(api, given, named)
        self._calls += 1
        self._seconds += time.perf_counter() - began
        failed = error is not None and not _is_answer(error)
        self._failures += failed
        if private and failed:
            self._private_failed, self._private_error = datetime.now(UTC), type(error).__name__
        elif private:
            self._private, self._private_error = datetime.now(UTC), ""

    @_harmless
    def _write(self, bot: Any, turned: datetime | None, failed: str) -> None:
        frame = str(bot.config["timeframe"])
        span = timedelta(seconds=timeframe_to_seconds(frame))
        closes = self._closes(bot, frame, span)
        pair = min(closes, key=lambda each: closes[each]) if closes else ""
        lags = [lag for _, lag in self._seen.values() if lag is not None]
        pulse.write(
            self._to,
            Pulse(
                pid=os.getpid(),
                at=datetime.now(UTC),
                timeframe=span.total_seconds(),
                turns=self._turns,
                turned=turned,
                failed=failed,
                pairs=len(closes),
                candle=closes[pair] if pair else None,
                pair=pair,
                lag=max(lags, default=None),
                calls=self._calls,
                failures=self._failures,
                seconds=round(self._seconds, 6),
                private=self._private,
                private_failed=self._private_failed,
                private_error=self._private_error,
            ),
        )

    def _closes(self, bot: Any, frame: str, span: timedelta) -> dict[str, datetime]:
        """The close of the newest candle that was analysed, of every pair that has one."""
        found: dict[str, datetime] = {}
        for pair in bot.active_pair_whitelist:
            table, analysed = bot.dataprovider.get_analyzed_dataframe(pair, frame)
            if table is None or table.empty:
                continue
            close = found[pair] = table["date"].iloc[-1].to_pydatetime() + span
            known = self._seen.get(pair)
            if known is None:
                # When it began to look the candle had been there for any time.
                self._seen[pair] = close, None
            elif known[0] != close:
                self._seen[pair] = close, max((analysed - close).total_seconds(), 0.0)
        self._seen = {pair: seen for pair, seen in self._seen.items() if pair in found}
        return found


def beat(to: Path) -> None:
    """Let the freqtrade that will run in this process say how it does."""
    counting = Beat(to)
    worker = cast(Any, freqtrade.worker.Worker)
    initialise: Callable[..., None] = worker._init  # noqa: SLF001

    def then_beat(self: Any, *given: Any) -> None:
        initialise(self, *given)
        counting.follow(self.freqtrade)

    worker._init = then_beat  # noqa: SLF001


def _is_private(api: Any, given: tuple[Any, ...], named: dict[str, Any]) -> bool:
    """True when a request was signed: it shows the key, wherever an exchange wants that."""
    key = str(api.apiKey or "")
    if not key:
        return False
    url, _, headers, body = (*given, *[None] * 4)[:4]
    headers = headers or named.get("headers") or {}
    text = f"{url} {body or named.get('body') or ''}"
    return key in map(str, headers.values()) or key in text


def _is_answer(error: Exception) -> bool:
    """True when the exchange has answered, and only this one order was not to its liking."""
    import ccxt

    return isinstance(error, ccxt.InvalidOrder | ccxt.InsufficientFunds | ccxt.OrderNotFound)
