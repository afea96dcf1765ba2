"""The configuration of a bot: the real freqtrade reads it, and secrets stay out of what is kept."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pipelines.adapters import plugins
from pipelines.domain.environment import Environment
from pipelines.domain.secret import Secret, SecretName
from pipelines.domain.strategy import Strategy
from pipelines.errors import BadInput
from pipelines.freqtrade import bot
from runner.exchange.settings import freqtrade_settings

ROOT = Path(__file__).resolve().parents[2]
NAME = "trend_breakout"
HELD = {
    SecretName.EXCHANGE_KEY: Secret("12345678901234567890"),
    SecretName.EXCHANGE_SECRET: Secret("1e5"),
}
OPEN = {name: secret for name, secret in HELD.items() if name.of_account}
ACCESS = bot.Access(8081, "agent", Secret("p" * 20), Secret("j" * 40), Secret("w" * 20))
REHEARSAL = freqtrade_settings("http://127.0.0.1:1", "its own key", "its own secret")["exchange"]

READ = """
import json, logging, sys
from freqtrade.configuration import Configuration
from freqtrade.configuration.config_validation import validate_config_consistency
from freqtrade.enums import RunMode
from freqtrade.resolvers import StrategyResolver

logging.disable(logging.CRITICAL)
config = Configuration({"config": ["-"]}, RunMode(sys.argv[1])).get_config()
strategy = StrategyResolver.load_strategy(config)
validate_config_consistency(config)
config["order_types"] = strategy.order_types
for key in ("original_config", "internals"):
    config.pop(key)
print(json.dumps(config, default=str))
"""
"""What `freqtrade trade` does with its configuration before it talks to an exchange."""


@pytest.fixture(scope="module")
def strategy() -> Strategy:
    return plugins.read(ROOT, NAME)


def environment(file: str, **keys: Any) -> Environment:
    read: dict[str, Any] = yaml.safe_load((ROOT / f"environments/{file}.yaml").read_text())
    return Environment.model_validate_json(json.dumps({**read, **keys}))


def declared(strategy: Strategy, there: Environment, percent: int = 100) -> dict[str, Any]:
    path = str(ROOT / "strategies" / NAME)
    return bot.configuration(NAME, strategy.manifest, there, path, percent)


def freqtrade(
    folder: Path, config: Mapping[str, Any], laid: Mapping[str, Any], mode: str
) -> subprocess.CompletedProcess[str]:
    """Read by the real one, in the variables that a bot has and no others."""
    (folder / config["user_data_dir"]).mkdir(parents=True)
    return subprocess.run(
        [sys.executable, "-c", READ, mode],
        cwd=folder,
        env={**bot.VARIABLES, "PATH": os.environ["PATH"]},
        input=json.dumps(bot.whole(config, laid)),
        capture_output=True,
        text=True,
        check=False,
    )


CASES = [("test", {}), ("prod", OPEN), ("demo/prod", OPEN)]


@pytest.mark.freqtrade
@pytest.mark.parametrize(("name", "held"), CASES, ids=[name for name, _ in CASES])
def test_freqtrade_takes_it_as_it_is_meant(
    tmp_path: Path, strategy: Strategy, name: str, held: dict[SecretName, Secret]
) -> None:
    there = environment(name)
    live = there.mode == "live"
    laid = bot.private(there, held, ACCESS, REHEARSAL if there.demo else None)
    ended = freqtrade(tmp_path, declared(strategy, there), laid, "live" if live else "dry_run")
    assert ended.returncode == 0, ended.stderr[-2000:]
    read = json.loads(ended.stdout.splitlines()[-1])
    assert read["dry_run"] is not live
    assert read["runmode"] == ("live" if live else "dry_run")
    assert read["db_url"] == f"sqlite:///{there.database(NAME)}"
    assert read["user_data_dir"] == there.folder(NAME)
    assert read["order_types"]["stoploss_on_exchange"] is live
    # What is declared holds once the agent has read it back: nothing enters before.
    assert read["initial_state"] == "paused"
    assert read["bot_name"] == f"{there.name} {NAME} {strategy.manifest.version}"
    assert read["api_server"]["listen_ip_address"] == "127.0.0.1"
    assert read["api_server"]["jwt_secret_key"] == "j" * 40
    assert read["exchange"]["pair_whitelist"] == list(strategy.manifest.pairs)
    # freqtrade guesses what a variable means; what comes as JSON stays the text that it is.
    assert read["exchange"].get("api_key") == ("12345678901234567890" if live else None)
    assert read["exchange"].get("secret") == ("1e5" if live else None)
    assert ("urls" in read["exchange"].get("ccxt_config", {})) is there.demo


@pytest.mark.freqtrade
@pytest.mark.parametrize("broken", ["declared", "private"])
def test_freqtrade_would_have_refused_a_wrong_one(
    tmp_path: Path, strategy: Strategy, broken: str
) -> None:
    there = environment("test")
    config, laid = declared(strategy, there), bot.private(there, {}, ACCESS)
    if broken == "declared":
        config["stake_amount"] = "everything"
    else:
        laid["api_server"]["jwt_secret_key"] = "short"
    ended = freqtrade(tmp_path, config, laid, "dry_run")
    assert ended.returncode != 0
    assert "ConfigurationError" in ended.stderr


def test_what_is_laid_over_wins_key_by_key_and_leaves_the_rest() -> None:
    under = {"a": {"b": 1, "c": {"d": 2}}, "e": [1, 2], "f": "text"}
    over = {"a": {"c": {"g": 3}}, "e": [3], "f": {"h": 4}}
    assert bot.whole(under, over) == {"a": {"b": 1, "c": {"d": 2, "g": 3}}, "e": [3], "f": {"h": 4}}
    assert under["a"] == {"b": 1, "c": {"d": 2}}


CAPITAL = {
    "everything": ({}, 100, {"stake_amount": "unlimited", "tradable_balance_ratio": 0.99}),
    "a quarter of everything": (
        {}, 25, {"stake_amount": "unlimited", "tradable_balance_ratio": 0.2475},
    ),
    "a limit": (
        {"available_capital": 400}, 100, {"stake_amount": "unlimited", "available_capital": 400},
    ),
    "half of a limit": (
        {"available_capital": 400}, 50, {"stake_amount": "unlimited", "available_capital": 200},
    ),
    "a stake": ({"stake": 20}, 100, {"stake_amount": 20, "tradable_balance_ratio": 0.99}),
    "half of a stake and of a limit": (
        {"stake": 20, "available_capital": 400}, 50, {"stake_amount": 10, "available_capital": 200},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("keys", "percent", "expected"), CAPITAL.values(), ids=CAPITAL)
def test_capital(
    strategy: Strategy, keys: dict[str, Any], percent: int, expected: dict[str, Any]
) -> None:
    portfolio = {"stake_currency": "USDT", "starting_balance": 500, "max_open_trades": 5, "fee": 0}
    there = environment("prod", portfolio={**portfolio, **keys})
    made = declared(strategy, there, percent)
    names = ("stake_amount", "available_capital", "tradable_balance_ratio")
    assert {name: made[name] for name in names if name in made} == pytest.approx(expected)


def test_the_digest_is_of_what_is_declared_and_no_secret_is_in_it(strategy: Strategy) -> None:
    there = environment("prod")
    kept = json.dumps(declared(strategy, there))
    for secret in HELD.values():
        assert secret.reveal() not in kept
    before = bot.digest(declared(strategy, there))
    assert bot.digest(dict(reversed(declared(strategy, there).items()))) == before


CHANGED = {
    "mode": {"mode": "dry_run"},
    "initial_state": {"initial_state": "stopped"},
    "exchange": {"exchange": {"name": "kraken"}},
    "rehearsal": {"exchange": {"name": "binance", "rehearsal": True}},
    "stoploss_on_exchange": {"stoploss_on_exchange": False},
    "name": {"name": "other"},
}


@pytest.mark.parametrize("keys", CHANGED.values(), ids=CHANGED)
def test_what_a_bot_does_differently_changes_its_digest(
    strategy: Strategy, keys: dict[str, Any]
) -> None:
    before = bot.digest(declared(strategy, environment("prod")))
    assert bot.digest(declared(strategy, environment("prod", **keys))) != before
    assert bot.digest(declared(strategy, environment("prod"), 50)) != before


def test_the_rehearsal_s_own_account_is_not_the_bot_s() -> None:
    laid = json.dumps(bot.private(environment("demo/prod"), OPEN, ACCESS, REHEARSAL))
    assert "its own" not in laid
    assert "127.0.0.1:1" in laid


def test_a_bot_is_given_no_more_than_it_needs() -> None:
    more = {**HELD, SecretName.EXCHANGE_PASSWORD: Secret("not asked for")}
    laid = bot.private(environment("prod"), more, ACCESS)
    assert laid["exchange"].keys() == {"api_key", "secret"}


@pytest.mark.parametrize("name", ["test", "prod", "demo/prod"])
def test_no_bot_is_ever_told_of_telegram(strategy: Strategy, name: str) -> None:
    """One token has one poller: freqtrade asks Telegram only where its configuration says so."""
    there = environment(name)
    rehearsal = REHEARSAL if there.demo else None
    laid = bot.private(there, {} if there.mode == "dry_run" else OPEN, ACCESS, rehearsal)
    assert "telegram" not in bot.whole(declared(strategy, there), laid)
    with pytest.raises(ValidationError, match="no bot asks Telegram"):
        environment(name, secrets=[*there.secrets, "telegram_token"])


REFUSED: dict[str, tuple[str, dict[SecretName, Secret], bool, str]] = {
    "live without keys": ("prod", {}, False, "exchange_key, exchange_secret: no such secret"),
    "paper with keys": ("test", OPEN, False, "exchange_key, exchange_secret: is for live"),
    "a rehearsal without an address": ("demo/prod", OPEN, False, "rehearsal exchange is needed"),
    "an address where money is": ("prod", OPEN, True, "rehearsal exchange does not belong"),
}


@pytest.mark.parametrize(("name", "held", "rehearsal", "said"), REFUSED.values(), ids=REFUSED)
def test_refuses(name: str, held: dict[SecretName, Secret], rehearsal: bool, said: str) -> None:
    with pytest.raises(BadInput, match=said) as caught:
        bot.private(environment(name), held, ACCESS, REHEARSAL if rehearsal else None)
    assert caught.value.hint
    assert not any(secret.reveal() in caught.value.message for secret in held.values())


def test_a_rehearsal_that_is_told_no_address_cannot_reach_the_real_exchange(
    strategy: Strategy,
) -> None:
    made = declared(strategy, environment("demo/prod"))
    assert made["exchange"]["ccxt_config"]["urls"]["api"] == "rehearsal"
    assert made["exchange"]["enable_ws"] is False


def test_access_is_new_every_time_and_does_not_show_itself() -> None:
    one, other = bot.new_access(8081), bot.new_access(8081)
    drawn = [getattr(a, n).reveal() for a in (one, other)
             for n in ("password", "jwt_secret", "ws_token")]  # fmt: skip
    assert len(set(drawn)) == 6
    assert all(len(value) >= 32 and value not in f"{one} {one!r}" for value in drawn)


@given(st.text(min_size=1))
def test_a_secret_does_not_show_itself(value: str) -> None:
    secret = Secret(value)
    assert f"{secret} {secret!r} {[secret]}" == "Secret(***) Secret(***) [Secret(***)]"
    assert secret.reveal() == value
