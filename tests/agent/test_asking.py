"""What the exchange itself says of an account and its key, on spot and in futures."""

from collections.abc import Iterator
from decimal import Decimal, getcontext
from pathlib import Path
from typing import Any

import pytest

from pipelines.domain.candles import TradingMode
from pipelines.domain.clearance import NotAccepted, Rights, Unread
from pipelines.errors import CannotTell
from runner.agent.asking import Asking, asking
from runner.exchange.settings import freqtrade_settings
from tests.exchange.running import Running, running

pytestmark = pytest.mark.slow

ACCOUNTS = (
    "spot:spot:s:USDT=250.5:ip=127.0.0.1",
    "both:both:s:USDT=10:futures.USDT=5000",
    "future:future:s:futures.USDT=70:may=futures:ip=127.0.0.1",
    "thief:thief:s:USDT=1:may=withdraw:may=internal-transfer:may=universal-transfer",
    "away:away:s:USDT=1:ip=192.0.2.1",
)


@pytest.fixture(scope="module")
def exchange(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Spot and futures, at a moment that is years ago for whoever asks."""
    folder = tmp_path_factory.mktemp("exchange")
    accounts = [f"--account={each}" for each in ACCOUNTS]
    with running(root, folder, "--market", "both", "--start", "2022-03-01", *accounts) as served:
        yield served


def asks(exchange: Running, key: str, mode: TradingMode = "spot", secret: str = "s") -> Asking:
    settings: dict[str, Any] = freqtrade_settings(exchange.ready.api_url, "", "")["exchange"]
    return asking(settings, key, secret, "", mode)


@pytest.mark.parametrize(
    ("key", "mode", "rights", "holds"),
    [
        ("spot", "spot", Rights((), True, False, True), "250.5"),
        ("both", "spot", Rights((), True, True, False), "10"),
        ("both", "futures", Rights((), True, True, False), "5000"),
        ("future", "futures", Rights((), False, True, True), "70"),
        (
            "thief",
            "spot",
            Rights(
                ("enableWithdrawals", "enableInternalTransfer", "permitsUniversalTransfer"),
                spot=False,
                futures=False,
                bound=False,
            ),
            "1",
        ),
    ],
)
def test_rights_and_money_are_read(
    exchange: Running, key: str, mode: TradingMode, rights: Rights, holds: str
) -> None:
    one = asks(exchange, key, mode)
    assert one.rights() == rights
    assert one.holds("USDT") == Decimal(holds)
    assert one.holds("DOGE") == 0


@pytest.mark.parametrize(("key", "secret"), [("nobody", "s"), ("spot", "wrong"), ("away", "s")])
def test_a_key_that_is_not_taken_is_a_no(exchange: Running, key: str, secret: str) -> None:
    one = asks(exchange, key, secret=secret)
    answer = one.rights()
    assert isinstance(answer, NotAccepted)
    assert "signature=" not in answer.said
    assert one.holds("USDT") is None


def test_an_exchange_that_fails_has_said_nothing(exchange: Running) -> None:
    exchange.fault("server_error", times=1)
    failed = asks(exchange, "spot").rights()
    exchange.clear()
    nobody = freqtrade_settings("http://127.0.0.1:9", "", "")["exchange"]
    for answer in (failed, asking(nobody, "k", "s", "", "spot").rights()):
        assert isinstance(answer, Unread)
        assert not answer.never


def test_an_exchange_that_cannot_be_asked_is_never_asked() -> None:
    answer = asking({"name": "kraken"}, "k", "s", "", "spot").rights()
    assert answer == Unread("kraken has no way to ask", never=True)
    with pytest.raises(CannotTell, match="ccxt knows no exchange nowhere"):
        asking({"name": "nowhere"}, "k", "s", "", "spot")


class Says:
    """An exchange that answers so; ccxt's own methods are its answers."""

    id = "binance"

    def __init__(self, answer: object) -> None:
        self.sapi_get_account_apirestrictions = lambda: answer


WHOLE = {
    "enableWithdrawals": False,
    "enableInternalTransfer": False,
    "permitsUniversalTransfer": False,
    "enableSpotAndMarginTrading": True,
    "enableFutures": False,
    "ipRestrict": True,
}


@pytest.mark.parametrize(
    "answer",
    [
        *({name: value for name, value in WHOLE.items() if name != missing} for missing in WHOLE),
        *(WHOLE | {name: "false"} for name in WHOLE),
        {},
        [],
        None,
    ],
)
def test_what_an_answer_does_not_say_is_never_taken_for_a_no(answer: object) -> None:
    assert Asking(Says(WHOLE)).rights() == Rights((), True, False, True)
    assert isinstance(Asking(Says(answer)).rights(), Unread)


def test_asking_changes_nothing_in_how_this_process_rounds(exchange: Running) -> None:
    before = getcontext().copy()
    asks(exchange, "spot").holds("USDT")
    assert str(getcontext()) == str(before)
