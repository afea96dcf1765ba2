"""Where each setting of a freqtrade that somebody runs already belongs from now on. Pure."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pipelines.domain.environment import Environment
from pipelines.domain.secret import SecretName
from pipelines.domain.strategy import Manifest
from pipelines.freqtrade.existing import Setting, Settings


class Place(StrEnum):
    """Where a setting belongs; first what somebody has to look at."""

    STRATEGY = "strategy.py"
    NOWHERE = "nowhere"
    SECRETS = "secrets"
    ENVIRONMENT = "environment"
    MANIFEST = "manifest"
    SLUICE = "sluice"


@dataclass(frozen=True)
class Moved:
    """A setting, and what becomes of it. A secret's value is never part of `note`."""

    key: str
    file: str
    place: Place
    to: str
    note: str


SECRETS = {
    "exchange.key": SecretName.EXCHANGE_KEY,
    "exchange.api_key": SecretName.EXCHANGE_KEY,
    "exchange.secret": SecretName.EXCHANGE_SECRET,
    "exchange.password": SecretName.EXCHANGE_PASSWORD,
    "telegram.token": SecretName.TELEGRAM_TOKEN,
}
"""Settings that are secrets."""

ENVIRONMENT = {
    "dry_run": "mode",
    "exchange.name": "exchange.name",
    "stake_currency": "portfolio.stake_currency",
    "stake_amount": "portfolio.stake",
    "max_open_trades": "portfolio.max_open_trades",
    "available_capital": "portfolio.available_capital",
    "dry_run_wallet": "portfolio.starting_balance",
    "fee": "portfolio.fee",
    "initial_state": "initial_state",
    "order_types.stoploss_on_exchange": "stoploss_on_exchange",
}
"""Settings that `environments/<name>.yaml` says."""

MANIFEST = {
    "strategy": "class",
    "timeframe": "timeframe",
    "trading_mode": "trading_mode",
    "exchange.pair_whitelist": "pairs",
}
"""Settings that the plugin's `strategy.yaml` says."""

OVERRIDES = (
    "minimal_roi",
    "stoploss",
    "trailing_stop",
    "trailing_stop_positive",
    "trailing_stop_positive_offset",
    "trailing_only_offset_is_reached",
    "use_exit_signal",
    "exit_profit_only",
    "exit_profit_offset",
    "ignore_roi_if_entry_signal",
    "ignore_buying_expired_candle_after",
    "position_adjustment_enable",
    "max_entry_position_adjustment",
    "order_time_in_force",
    "protections",
)
"""With these freqtrade overrides the strategy: what was traded is not what its file says."""

OWN = (
    "add_config_files",
    "api_server",
    "bot_name",
    "cancel_open_orders_on_exit",
    "config_files",
    "datadir",
    "dataformat_ohlcv",
    "db_url",
    "dry_run_wallet",
    "entry_pricing",
    "exchange.ccxt_config",
    "exchange.ccxt_sync_config",
    "exchange.ccxt_async_config",
    "exchange.enable_ws",
    "exchange.pair_blacklist",
    "exit_pricing",
    "fiat_display_currency",
    "force_entry_enable",
    "internals",
    "margin_mode",
    "order_types",
    "pairlists",
    "strategy_path",
    "tradable_balance_ratio",
    "unfilledtimeout",
    "user_data_dir",
)
"""What Sluice tells its bots by itself."""


def moved(settings: Settings, environment: Environment, manifest: Manifest) -> tuple[Moved, ...]:
    """What becomes of every setting, those that somebody has to look at first."""
    rows = [_moved(each, environment, manifest) for each in settings.all.values()]
    order = list(Place)
    return tuple(sorted(rows, key=lambda row: (order.index(row.place), row.key)))


def _moved(setting: Setting, environment: Environment, manifest: Manifest) -> Moved:
    key, file = setting.key, str(setting.file)
    if key in SECRETS:
        given = "" if setting.value in ("", None) else "its value is not shown"
        return Moved(key, file, Place.SECRETS, SECRETS[key].value, given or "is empty")
    if key in ENVIRONMENT:
        there = _there(environment, ENVIRONMENT[key])
        was = _as_declared(key, setting.value)
        return Moved(key, file, Place.ENVIRONMENT, ENVIRONMENT[key], _compared(was, there))
    if key in MANIFEST:
        there = manifest.model_dump(mode="json", by_alias=True)[MANIFEST[key]]
        return Moved(key, file, Place.MANIFEST, MANIFEST[key], _compared(setting.value, there))
    return Moved(key, file, *_elsewhere(key, setting.value))


def _elsewhere(key: str, value: Any) -> tuple[Place, str, str]:
    if any(_is_under(key, each) for each in OVERRIDES):
        note = "overrode the strategy: write it into strategy.py, it counts no more"
        return Place.STRATEGY, key, note
    if key == "pairlists" and value != [{"method": "StaticPairList"}]:
        note = "pairs are fixed in strategy.yaml: no list chooses them while a bot runs"
        return Place.NOWHERE, "", note
    if any(_is_under(key, each) for each in OWN):
        return Place.SLUICE, "", "is told to every bot by Sluice itself"
    return Place.NOWHERE, "", "has no place here"


def secrets_in(settings: Settings) -> Iterator[tuple[SecretName, Setting]]:
    """Every secret that has a value."""
    for key, name in SECRETS.items():
        found = settings.all.get(key)
        if found is not None and found.value not in ("", None):
            yield name, found


def _is_under(key: str, other: str) -> bool:
    return key == other or key.startswith(f"{other}.")


def _there(environment: Environment, path: str) -> Any:
    tree: Any = environment.model_dump(mode="json")
    for name in path.split("."):
        tree = tree[name]
    return tree


def _as_declared(key: str, value: Any) -> Any:
    """A value in the words of an environment."""
    if key == "dry_run":
        return "dry_run" if value else "live"
    if key == "stake_amount" and value == "unlimited":
        return None
    return value


def _compared(was: Any, there: Any) -> str:
    if was == there or _number(was) == _number(there) is not None:
        return "the same there"
    return f"was {_shown(was)}, is {_shown(there)} there"


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."
