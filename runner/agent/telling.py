"""What trades did, by the release that opened them: read beside the bots, dead ones too."""

import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from pydantic import JsonValue

from pipelines.adapters.agent import Asked, read_args
from pipelines.adapters.agent_trades import OfTrades, OneTrade, ReleaseTrades, Sum, Trades
from pipelines.domain.environment import Environment
from pipelines.domain.record import Track
from runner.agent.tick import Agent
from runner.agent.trades import address

_LATEST = 10
_TABLE = "SELECT COUNT(*) FROM sqlite_master WHERE name = 'trades'"
_TRADES = "SELECT * FROM trades ORDER BY id"
_PLACES = 8


@dataclass(frozen=True)
class Telling:
    """Answers that tell of trades."""

    agent: Agent

    @property
    def verbs(self) -> Mapping[str, Callable[[Asked], JsonValue]]:
        """Every verb of these, by name."""
        return {"trades": self._trades}

    def _trades(self, asked: Asked) -> JsonValue:
        given = read_args(asked, OfTrades)
        found: list[ReleaseTrades] = []
        for name, environment in sorted(self.agent.declared().own.items()):
            if given.environment in ("", name):
                found += self._of(environment, given.strategy)
        return Trades(releases=tuple(found)).model_dump(mode="json")

    def _of(self, environment: Environment, strategy: str) -> Iterator[ReleaseTrades]:
        tracks = self.agent.record.tracks
        wanted = {s for (name, s), t in tracks.items() if name == environment.name and t.current}
        there = {path.parent.name.partition(".")[0] for path in self._databases(environment, "*")}
        for each in sorted((wanted | there) - {"*"}):
            if strategy in ("", each):
                yield from self._strategy(environment, each)

    def _databases(self, environment: Environment, strategy: str) -> list[Path]:
        home = self.agent.crew.house.home
        return sorted({*home.glob(environment.database(strategy)),
                       *home.glob(environment.database(f"{strategy}.*"))})  # fmt: skip

    def _strategy(self, environment: Environment, strategy: str) -> Iterator[ReleaseTrades]:
        track = self.agent.record.track(environment.name, strategy)
        by: dict[str | None, list[OneTrade]] = defaultdict(list)
        current = track.current.promotion.release if track.current else None
        if current:
            by[current] = []
        unread = False
        for database in self._databases(environment, strategy):
            trades = read(database)
            unread = unread or trades is None
            for trade in trades or ():
                by[opened_by(track, trade.opened)].append(trade)
        if unread and not by:
            by[None] = []
        for release, own in by.items():
            yield _summed(environment, strategy, release, own, unread=unread)


def opened_by(track: Track, opened: datetime) -> str | None:
    """The release that was wanted when a trade was opened; None for one from before all of them."""
    stays = [stay.promotion for stay in track.stays if stay.promotion.at <= opened]
    return stays[-1].release if stays else None


def read(database: Path) -> tuple[OneTrade, ...] | None:
    """Every trade of a database in its order; None when they cannot be read."""
    try:
        with closing(sqlite3.connect(address(database), uri=True, timeout=5)) as opened:
            opened.row_factory = sqlite3.Row
            if not opened.execute(_TABLE).fetchone()[0]:
                return ()
            return tuple(_trade(row) for row in opened.execute(_TRADES))
    except (sqlite3.Error, IndexError, ArithmeticError, TypeError, ValueError):
        return None


def _trade(row: sqlite3.Row) -> OneTrade:
    is_open, stake = bool(row["is_open"]), _exact(row["stake_amount"])
    profit = _exact(row["realized_profit" if is_open else "close_profit_abs"])
    return OneTrade(
        id=row["id"],
        pair=row["pair"],
        is_short=bool(row["is_short"]),
        stake=stake,
        opened=_read(row["open_date"]),
        closed=None if is_open else _read(row["close_date"] or row["open_date"]),
        profit=profit,
        share=round(profit / stake, 6) if stake else None,
    )


def _summed(
    environment: Environment,
    strategy: str,
    release: str | None,
    trades: list[OneTrade],
    *,
    unread: bool,
) -> ReleaseTrades:
    closed = sorted((t for t in trades if t.closed), key=lambda t: (t.closed or t.opened, t.id))
    return ReleaseTrades(
        environment=environment.name,
        mode=environment.mode,
        strategy=strategy,
        release=release,
        currency=environment.portfolio.stake_currency,
        capital=environment.portfolio.starting_balance,
        whole=_sum("", closed),
        days=_sums(closed, lambda t: f"{t.closed:%Y-%m-%d}"),
        pairs=_sums(closed, lambda t: t.pair),
        open=tuple(t for t in trades if not t.closed),
        latest=tuple(reversed(closed[-_LATEST:])),
        unread=unread,
    )


def _sums(trades: Iterable[OneTrade], key: Callable[[OneTrade], str]) -> tuple[Sum, ...]:
    by: dict[str, list[OneTrade]] = defaultdict(list)
    for trade in trades:
        by[key(trade)].append(trade)
    return tuple(_sum(name, by[name]) for name in sorted(by))


def _sum(of: str, trades: list[OneTrade]) -> Sum:
    profits = [trade.profit or Decimal() for trade in trades]
    won = sum(profit > 0 for profit in profits)
    whole = round(sum(profits, Decimal()), _PLACES)
    return Sum(of=of, closed=len(trades), won=won, profit=whole)


def _exact(number: float | None) -> Decimal:
    return round(Decimal(str(number or 0)), _PLACES)


def _read(written: str) -> datetime:
    return datetime.fromisoformat(written).replace(tzinfo=UTC)
