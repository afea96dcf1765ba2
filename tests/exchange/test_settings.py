"""The settings leave no way to the real exchange."""

from collections.abc import Iterator
from typing import Any, get_args

import ccxt
import ccxt.async_support
import ccxt.pro
import pytest

from runner.exchange.settings import Market, ccxt_settings, freqtrade_settings, of_market

HERE = "http://127.0.0.1:4321"


def hosts(urls: dict[str, Any]) -> Iterator[str]:
    for url in urls.values():
        if isinstance(url, dict):
            yield from hosts(url)
        else:
            yield url


@pytest.mark.parametrize("market", get_args(Market))
@pytest.mark.parametrize("library", [ccxt, ccxt.async_support, ccxt.pro])
def test_every_host_that_ccxt_knows_is_this_one(library: Any, market: Market) -> None:
    there = library.binance(ccxt_settings(HERE, market=market)).urls["api"]
    found = set(hosts(there))
    assert len(found) > 15
    assert {
        url for url in found if not url.startswith((f"{HERE}/", "ws://127.0.0.1:4321/"))
    } == set()
    real = library.binance().urls["api"]
    assert set(real) <= set(there)


def test_futures_are_isolated_and_in_usdt() -> None:
    settings = freqtrade_settings(HERE, "k", "s", market="futures")
    assert (settings["trading_mode"], settings["margin_mode"]) == ("futures", "isolated")
    assert settings["exchange"]["enable_ws"] is False
    options = settings["exchange"]["ccxt_config"]["options"]
    assert options["fetchMarkets"] == {"types": ["linear"]}


def test_spot_has_no_margin_mode() -> None:
    settings = freqtrade_settings(HERE, "k", "s")
    assert settings["trading_mode"] == "spot"
    assert "margin_mode" not in settings
    assert settings["exchange"]["ccxt_config"]["options"]["fetchMarkets"] == {"types": ["spot"]}


@pytest.mark.parametrize("made_for", get_args(Market))
@pytest.mark.parametrize("market", get_args(Market))
def test_settings_of_one_market_become_those_of_another(made_for: Market, market: Market) -> None:
    """The agent is told of an exchange once, and its bots trade both."""
    there = freqtrade_settings(HERE, "", "", 60, made_for)["exchange"]
    expected = freqtrade_settings(HERE, "", "", 60, market)["exchange"]
    assert of_market(there, market) == expected
