"""The settings that make a stock freqtrade trade here instead of at Binance."""

from collections.abc import Mapping
from typing import Any, Literal

Market = Literal["spot", "futures"]

_HOSTS = {
    "public": "/api/v3",
    "private": "/api/v3",
    "v1": "/api/v1",
    "sapi": "/sapi/v1",
    "sapiV2": "/sapi/v2",
    "sapiV3": "/sapi/v3",
    "sapiV4": "/sapi/v4",
    "fapiPublic": "/fapi/v1",
    "fapiPublicV2": "/fapi/v2",
    "fapiPublicV3": "/fapi/v3",
    "fapiPrivate": "/fapi/v1",
    "fapiPrivateV2": "/fapi/v2",
    "fapiPrivateV3": "/fapi/v3",
    "fapiData": "/futures/data",
    "dapiPublic": "/dapi/v1",
    "dapiPrivate": "/dapi/v1",
    "dapiPrivateV2": "/dapi/v2",
    "dapiData": "/futures/data",
    "eapiPublic": "/eapi/v1",
    "eapiPrivate": "/eapi/v1",
    "papi": "/papi/v1",
    "papiV2": "/papi/v2",
}
"""Every host that ccxt knows of Binance: one that is left out would be the real one."""

_LISTENS = ("spot", "margin", "linear", "inverse", "stock", "option", "optionMarket")
_STREAMS = (*_LISTENS, "optionPrivate", "papi")
_CALLS = ("spot", "linear", "inverse")
"""Where ccxt would listen, and send orders over a stream. Nothing of that is served."""

_TYPES = {"spot": "spot", "futures": "linear"}
"""What ccxt calls the markets that are to be loaded."""


_TIMEOUT = 10_000  # ccxt's own, in milliseconds


def ccxt_settings(api_url: str, speed: int = 1, market: Market = "spot") -> dict[str, Any]:
    """What ccxt's `binance` is made with; `speed` is that of the exchange's clock."""
    hosts: dict[str, Any] = {name: f"{api_url}{path}" for name, path in _HOSTS.items()}
    nowhere = f"{api_url.replace('http', 'ws', 1)}/ws"
    hosts["ws"] = dict.fromkeys(_STREAMS, nowhere) | {"ws-api": dict.fromkeys(_CALLS, nowhere)}
    return {
        "enableRateLimit": False,
        "options": _options(market),
        "timeout": _TIMEOUT * max(speed, 1),
        "urls": {"api": hosts},
    }


def _options(market: Market) -> dict[str, Any]:
    options: dict[str, Any] = {"fetchMarkets": {"types": [_TYPES[market]]}}
    return options | ({"defaultType": "swap"} if market == "futures" else {})


def of_market(exchange: Mapping[str, Any], market: Market) -> dict[str, Any]:
    """freqtrade's part `exchange`, whatever market it was made for, for bots of this one."""
    there = exchange.get("ccxt_config", {})
    return {**exchange, "ccxt_config": {**there, "options": _options(market)}}


def freqtrade_settings(
    api_url: str, key: str, secret: str, speed: int = 1, market: Market = "spot"
) -> dict[str, Any]:
    """A part of freqtrade's configuration: pass it as one more `--config`."""
    modes: dict[str, str] = {"trading_mode": market}
    if market == "futures":
        modes["margin_mode"] = "isolated"
    return {
        **modes,
        "exchange": {
            "name": "binance",
            "key": key,
            "secret": secret,
            # The stream of Binance itself would otherwise be listened to.
            "enable_ws": False,
            "ccxt_config": ccxt_settings(api_url, speed, market),
        },
    }
