"""Bots that hold something, and what the exchange's own book says of them."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from pipelines.domain.protections import Unknown
from pipelines.domain.release import Release
from runner.agent.kept import Sheet, sheet
from runner.exchange import remote
from runner.exchange.messages import BookedOrder, NewAccount
from tests.agent.conftest import Lay
from tests.agent.train import Train

EVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass
class Holding:
    """A live bot in sandbox, on an account of its own."""

    train: Train
    release: Release
    key: str

    @property
    def database(self) -> Path:
        return self.train.home / "bots" / "demo.sandbox" / "beat" / "live.sqlite"

    def sheet(self) -> Sheet:
        found = sheet(self.database, EVER, EVER)
        assert not isinstance(found, Unknown)
        return found

    @property
    def orders(self) -> tuple[BookedOrder, ...]:
        return remote.book(self.train.exchange.ready, self.key).orders

    @property
    def open_orders(self) -> list[BookedOrder]:
        return [each for each in self.orders if each.standing in ("NEW", "PARTIALLY_FILLED")]

    def bought(self, since: int) -> list[BookedOrder]:
        """Entries that were sent after so many orders."""
        return [order for order in self.orders[since:] if order.side == "BUY"]

    def coins(self) -> dict[str, Decimal]:
        """What the account has besides money, down to what can be sold."""
        told = remote.book(self.train.exchange.ready, self.key).balances
        return {asset: held for asset, held in told.items() if asset != "USDT" and held > 0}

    def until_waiting(self) -> None:
        """Hours go by until an entry waits to be filled."""
        self._until(lambda: bool(self.sheet().entries))

    def until_held(self, trades: int = 1) -> None:
        """Hours go by until so many trades hold something, each with its stop at the exchange."""

        def held() -> bool:
            stops = [order for order in self.open_orders if order.kind == "STOP_LOSS_LIMIT"]
            held = [trade for trade in self.sheet().kept.open if trade.held]
            return len(held) >= trades and len(stops) >= trades

        self._until(held)

    def _until(self, is_so: object) -> None:
        assert callable(is_so)
        for _ in range(40):
            if is_so():
                return
            self.train.exchange.step(minutes=30)
            self.train.round()
        raise AssertionError(self.train.told())

    def kill_bot(self) -> None:
        os.kill(self.train.pid("sandbox"), signal.SIGKILL)
        lock = self.train.house.lock("sandbox", "beat")
        self.train.until(lambda: lock.holder() is None, 30)

    def back(self, phase: str) -> None:
        """The bot is there again, after its time to wait has gone by."""
        self.train.round()
        self.train.exchange.step(minutes=11)
        self.train.until_phase("sandbox", phase)


@contextmanager
def holding(lay: Lay, name: str, **how: object) -> Iterator[Holding]:
    """A live bot that was promoted by hand and runs."""
    with lay() as train:
        funds = {"USDT": Decimal(250)}
        account = NewAccount(
            name=name, key=f"key {name}", secret="secret", funds=funds, addresses=("127.0.0.1",)
        )
        train.exchange.ask("account", account)
        train.secret("sandbox", f"key {name}")
        release = train.release(**how)  # type: ignore[arg-type]
        train.want("sandbox", release)
        train.start()
        train.until_running("sandbox", release)
        yield Holding(train, release, f"key {name}")
