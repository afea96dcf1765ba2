"""freqtrade's configuration for a bot that trades, on paper or with money.

It has two parts. What an environment and a strategy declare is digested, holds no secret, and may
lie on a disk. What is private is laid over it at a start: secrets, and what differs between two
starts of the same bot. freqtrade gets both as one text on standard input (`--config -`), for it
drops every file that stands before `-`. All paths are relative to the home folder, which is where
a bot runs; its own folder in it must be there.
"""

import json
import secrets as dice
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipelines.domain.document import Digest, sha256
from pipelines.domain.environment import Environment
from pipelines.domain.handover import FIRST
from pipelines.domain.secret import Secret, SecretName
from pipelines.domain.strategy import Manifest
from pipelines.errors import BadInput

VARIABLES = {"TZ": "UTC", "LC_ALL": "C.UTF-8", "PYTHONUNBUFFERED": "1"}
"""All that stands in a bot's environment besides PATH: freqtrade reads its times in TZ."""

_BEGINS = {"running": "paused"}

_TRADABLE = 0.99
"""The share of an account that freqtrade uses by itself; the rest pays fees and rounding."""


@dataclass(frozen=True)
class Access:
    """How the agent reaches a bot, on loopback. Made anew for every start."""

    port: int
    username: str
    password: Secret
    jwt_secret: Secret
    ws_token: Secret


def new_access(port: int) -> Access:
    """Credentials that nobody has seen."""
    drawn = (Secret(dice.token_urlsafe(32)) for _ in range(3))
    return Access(port, "agent", *drawn)


def configuration(
    name: str,
    manifest: Manifest,
    environment: Environment,
    strategy_path: str,
    percent: int = 100,
    berth: int = FIRST,
) -> dict[str, Any]:
    """What is declared: the same for every start of this version here, and free of secrets.

    `strategy_path` is the unpacked release's folder, `percent` the step of the ramp, `berth` the
    place of one of two bots that run side by side.
    """
    portfolio = environment.portfolio
    futures = manifest.trading_mode == "futures"
    return {
        "bot_name": f"{environment.name} {name} {manifest.version}",
        "dry_run": environment.mode == "dry_run",
        "dry_run_wallet": float(portfolio.starting_balance),
        "db_url": f"sqlite:///{environment.database(name, berth)}",
        "user_data_dir": environment.folder(name, berth),
        "initial_state": environment.initial_state,
        "trading_mode": manifest.trading_mode,
        "margin_mode": "isolated" if futures else "",
        "strategy": manifest.class_name,
        "strategy_path": strategy_path,
        "timeframe": manifest.timeframe,
        "stake_currency": portfolio.stake_currency,
        **_capital(environment, percent),
        "max_open_trades": portfolio.max_open_trades,
        "fiat_display_currency": "",
        "dataformat_ohlcv": "feather",
        "order_types": _order_types(environment),
        "unfilledtimeout": {"entry": 10, "exit": 10, "exit_timeout_count": 0, "unit": "minutes"},
        "entry_pricing": {"price_side": "same", "use_order_book": True, "order_book_top": 1},
        "exit_pricing": {"price_side": "same", "use_order_book": True, "order_book_top": 1},
        "cancel_open_orders_on_exit": False,
        "force_entry_enable": False,
        "exchange": _exchange(manifest, environment),
        "pairlists": [{"method": "StaticPairList"}],
        # Requests of freqtrade's own API once ran code that they carried: never beyond loopback.
        "api_server": {"enabled": True, "listen_ip_address": "127.0.0.1", "verbosity": "error"},
    }


def _capital(environment: Environment, percent: int) -> dict[str, Any]:
    portfolio, share = environment.portfolio, percent / 100
    own, stake = portfolio.available_capital, portfolio.stake
    # freqtrade takes one of the two: the first fixes the capital, the second follows the balance.
    capital = (
        {"available_capital": float(own) * share}
        if own
        else {"tradable_balance_ratio": _TRADABLE * (1 if stake else share)}
    )
    return {"stake_amount": float(stake) * share if stake else "unlimited", **capital}


def _order_types(environment: Environment) -> dict[str, Any]:
    """Said whole, since freqtrade takes a strategy's own otherwise."""
    on_exchange = environment.stoploss_on_exchange
    return {
        "entry": "limit",
        "exit": "limit",
        "emergency_exit": "market",
        "force_entry": "limit",
        "force_exit": "market",
        # A stop that rests at the exchange is a limit order there, as Binance's spot market has it.
        "stoploss": "limit" if on_exchange else "market",
        "stoploss_on_exchange": on_exchange,
    }


def _exchange(manifest: Manifest, environment: Environment) -> dict[str, Any]:
    rehearsal = environment.exchange.rehearsal
    settings = {
        "name": environment.exchange.name,
        "enable_ws": not rehearsal,
        "pair_whitelist": list(manifest.pairs),
        "pair_blacklist": [],
    }
    # ccxt cannot use this: a rehearsal that is told no address never reaches the real exchange.
    return {**settings, "ccxt_config": {"urls": {"api": "rehearsal"}}} if rehearsal else settings


def digest(declared: Mapping[str, Any]) -> Digest:
    """The configuration digest, over what is declared."""
    return sha256(json.dumps(declared, sort_keys=True, separators=(",", ":")).encode())


def private(
    environment: Environment,
    held: Mapping[SecretName, Secret],
    access: Access,
    rehearsal: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """What is laid over the declared part at a start; it belongs on no disk and in no log.

    `rehearsal` is freqtrade's part `exchange` as `sluice-exchange config` prints it.

    :raises BadInput: when a secret is missing, or one is there that must not be.
    """
    _refuse(environment, held, rehearsal)
    # The rehearsal's settings name an account of their own, which is not this bot's.
    exchange = {key: value for key, value in (rehearsal or {}).items() if key not in _ACCOUNT}
    for name, key in _KEYS.items():
        if name in environment.needs:
            exchange[key] = held[name].reveal()
    laid: dict[str, Any] = {
        # Nothing enters before the agent has read it back and let it, nor when it is reloaded.
        "initial_state": _BEGINS.get(environment.initial_state, environment.initial_state),
        "exchange": exchange,
        "api_server": {
            "listen_port": access.port,
            "username": access.username,
            "password": access.password.reveal(),
            "jwt_secret_key": access.jwt_secret.reveal(),
            "ws_token": access.ws_token.reveal(),
        },
    }
    return laid


def whole(declared: Mapping[str, Any], laid: Mapping[str, Any]) -> dict[str, Any]:
    """Both parts as freqtrade reads them: what is laid over wins, key by key."""
    both = dict(declared)
    for key, value in laid.items():
        under = both.get(key)
        if isinstance(value, Mapping) and isinstance(under, Mapping):
            both[key] = whole(under, value)
        else:
            both[key] = value
    return both


_KEYS = {
    SecretName.EXCHANGE_KEY: "api_key",
    SecretName.EXCHANGE_SECRET: "secret",
    SecretName.EXCHANGE_PASSWORD: "password",
}
_ACCOUNT = ("key", "api_key", "secret", "password")


def _refuse(
    environment: Environment,
    held: Mapping[SecretName, Secret],
    rehearsal: Mapping[str, Any] | None,
) -> None:
    live, name = environment.mode == "live", environment.name
    if missing := sorted(set(environment.needs) - held.keys()):
        hint = f"'sluice secrets set' keeps it, 'sluice secrets list {name}' says what is there"
        raise BadInput(f"{name}: {', '.join(missing)}: no such secret is kept here", hint)
    if not live and (given := sorted(secret for secret in held if secret.of_account)):
        hint = "a bot on paper never holds what opens an account with money"
        raise BadInput(f"{name}: {', '.join(given)}: is for live environments only", hint)
    if environment.exchange.rehearsal != (rehearsal is not None):
        hint = "'sluice-exchange config' prints the settings of a rehearsal exchange that runs"
        said = "is needed" if rehearsal is None else "does not belong"
        raise BadInput(f"{name}: the address of a rehearsal exchange {said} here", hint)
