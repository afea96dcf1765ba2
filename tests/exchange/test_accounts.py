"""What the key of an account may do, and from where."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import ccxt
import pytest

from pipelines.errors import BadInput
from runner.exchange.messages import NewAccount

BTC = "BTC/USDT"

Open = Callable[..., Any]


@pytest.fixture
def opened(exchange: Any) -> Iterator[Open]:
    """Open an account with 1,000 USDT, and be its ccxt."""

    def opened(name: str, **how: Any) -> Any:
        funds = {"USDT": Decimal(1000)}
        exchange.ask("account", NewAccount(name=name, key=name, secret="s", funds=funds, **how))
        return exchange.ccxt(name, "s")

    with exchange.then():
        yield opened


def allowed(api: Any) -> set[str]:
    """What `account/apiRestrictions` says that a key may."""
    told = api.sapiGetAccountApiRestrictions()
    return {name for name, value in told.items() if value is True}


def test_a_key_trades_and_never_withdraws_unless_more_is_given(opened: Open) -> None:
    usual = opened("usual")
    assert allowed(usual) == {"enableReading", "enableSpotAndMarginTrading"}
    told = usual.privateGetAccount()
    assert (told["canTrade"], told["canWithdraw"]) == (True, False)

    careless = opened("careless", permissions=("trade", "futures", "withdraw"))
    assert allowed(careless) - allowed(usual) == {"enableFutures", "enableWithdrawals"}
    assert careless.privateGetAccount()["canWithdraw"] is True

    moves = opened("moves", permissions=("trade", "internal-transfer", "universal-transfer"))
    told = {"enableInternalTransfer", "permitsUniversalTransfer"}
    assert allowed(moves) - allowed(usual) == told


def test_a_key_that_may_only_read_places_and_cancels_nothing(opened: Open) -> None:
    reads = opened("reader", permissions=("read",))
    assert reads.fetch_balance()["USDT"]["free"] == 1000
    # Once a key was good, ccxt takes -2015 for a ban that passes.
    with pytest.raises(ccxt.DDoSProtection, match="-2015"):
        reads.create_order(BTC, "market", "buy", 0.01)
    with pytest.raises(ccxt.DDoSProtection, match="-2015"):
        reads.cancel_order("1", BTC)
    assert reads.privateGetAccount()["canTrade"] is False
    assert allowed(reads) == {"enableReading"}


def test_a_key_works_from_its_addresses_only(opened: Open) -> None:
    elsewhere = opened("elsewhere", addresses=("192.0.2.1",))
    with pytest.raises(ccxt.AuthenticationError, match="-2015"):
        elsewhere.fetch_balance()
    here = opened("here", addresses=("192.0.2.1", "127.0.0.1"))
    assert here.create_order(BTC, "market", "buy", 0.01)["status"] == "closed"
    assert "ipRestrict" in allowed(here)
    with pytest.raises(BadInput, match="'nowhere' is no IP address"):
        opened("nobody", addresses=("nowhere",))


def test_what_a_key_may_survives_a_killed_process(serve: Any) -> None:
    with serve("--start", "2023-01-02") as exchange:
        added = NewAccount(name="a", key="k", secret="s", permissions=("read",))
        exchange.ask("account", added)
        exchange.kill()
        exchange.start()
        with exchange.then():
            assert allowed(exchange.ccxt("k", "s")) == {"enableReading"}
        with pytest.raises(BadInput, match="another account with this name or key"):
            exchange.ask("account", added.model_copy(update={"permissions": ("trade",)}))
