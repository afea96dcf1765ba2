"""What the control port tells of one account's book."""

from decimal import Decimal
from typing import Any

import pytest

from pipelines.errors import BadInput
from runner.exchange import remote
from runner.exchange.messages import NewAccount

BTC = "BTC/USDT"


def test_it_is_the_account_s_own_and_adds_up(serve: Any) -> None:
    with serve("--start", "2023-01-02", "--account", "alice:key:secret:USDT=1000") as exchange:
        funds = {"USDT": Decimal(500), "BTC": Decimal("0.5")}
        exchange.ask("account", NewAccount(name="bob", key="bob's", secret="s", funds=funds))
        with exchange.then():
            bought = exchange.ccxt().create_order(BTC, "market", "buy", 0.01)
            sold = exchange.ccxt("bob's", "s").create_order(BTC, "market", "sell", 0.2)
        hers, his = (remote.book(exchange.ready, key) for key in ("key", "bob's"))

        assert (hers.account, his.account) == ("alice", "bob")
        assert [str(order.id) for order in hers.orders] == [bought["id"]]
        assert [str(order.id) for order in his.orders] == [sold["id"]]
        assert his.deposits == funds
        assert {fill.order for fill in his.fills} == {his.orders[0].id}
        (quote, paid) = (sum(getattr(f, n) for f in his.fills) for n in ("quote", "commission"))
        assert his.balances == {"USDT": 500 + quote - paid, "BTC": Decimal("0.3")}

        # Its deposits are in the journal, and so there after a crash.
        exchange.kill()
        exchange.start()
        assert remote.book(exchange.ready, "bob's") == his

        with pytest.raises(BadInput, match="book: no account has this key"):
            remote.book(exchange.ready, "nobody's")
