"""The settings that make a stock freqtrade trade here instead of at Binance."""

from typing import Any

_HOSTS = {
    "public": "/api/v3",
    "private": "/api/v3",
    "v1": "/api/v1",
    "sapi": "/sapi/v1",
    "sapiV2": "/sapi/v2",
    "sapiV3": "/sapi/v3",
    "sapiV4": "/sapi/v4",
}
"""Every host that ccxt may ask for a spot market: one that is left out would be the real one."""

_TIMEOUT = 10_000  # ccxt's own, in milliseconds
_LONGEST_WINDOW = 60_000  # what Binance allows at most, in milliseconds


def ccxt_settings(api_url: str, speed: int = 1) -> dict[str, Any]:
    """What ccxt's `binance` is made with; `speed` is that of the exchange's clock."""
    return {
        "enableRateLimit": False,
        "options": {"fetchMarkets": {"types": ["spot"]}, **_window(speed)},
        "timeout": _TIMEOUT * max(speed, 1),
        "urls": {"api": {name: f"{api_url}{path}" for name, path in _HOSTS.items()}},
    }


def _window(speed: int) -> dict[str, int]:
    """Where time is scaled, a request is old before it arrives: it may be as old as there is."""
    return {"recvWindow": _LONGEST_WINDOW} if speed > 1 else {}


def freqtrade_settings(api_url: str, key: str, secret: str, speed: int = 1) -> dict[str, Any]:
    """A part of freqtrade's configuration: pass it as one more `--config`."""
    return {
        "trading_mode": "spot",
        "exchange": {
            "name": "binance",
            "key": key,
            "secret": secret,
            # The stream of Binance itself would otherwise be listened to.
            "enable_ws": False,
            "ccxt_config": ccxt_settings(api_url, speed),
        },
    }
