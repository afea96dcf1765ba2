"""Every rule of the linter: what it finds, and an innocent twin in which it finds nothing."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pipelines.domain import couplings
from pipelines.domain.couplings import RULES, host
from pipelines.domain.couplings.arrangement import Arrangement, Bot, Clash, Host, Kept, Pin
from pipelines.domain.environment import Environment
from pipelines.domain.secret import Scope, SecretName

ROOT = Path(__file__).resolve().parents[3]
NAMES = ("test", "sandbox", "prod")
TEST, SANDBOX, PROD = (f"environments/{name}.yaml" for name in NAMES)
PINNED = Pin("freqtrade==2026.9", "2026.9", "2026.9")


BESIDE: dict[str, Any] = {"handover": {"way": "side_by_side", "account": "other"}}


@cache
def shipped(where: str) -> dict[str, Any]:
    keys: dict[str, Any] = yaml.safe_load((ROOT / where).read_text())
    return keys


def read(where: str, changes: Mapping[str, Any]) -> Environment:
    """A shipped environment with some keys changed; None takes a key out."""
    return Environment.model_validate_json(json.dumps(merged(shipped(where), changes)))


def merged(keys: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    both = dict(keys)
    for name, value in changes.items():
        deeper = isinstance(value, dict) and isinstance(both.get(name), dict)
        both[name] = merged(both[name], value) if deeper else value
    return {name: value for name, value in both.items() if value is not None}


@dataclass(frozen=True)
class Case:
    """Changes to the shipped train, by environment; `bots` and `host` come on top."""

    changes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    bots: tuple[Bot, ...] = ()
    host: Host = field(default_factory=Host)
    demo: bool = False

    def arranged(self) -> Arrangement:
        folder = "environments/demo" if self.demo else "environments"
        files = {name: f"{folder}/{name}.yaml" for name in NAMES}
        environments = {w: read(w, self.changes.get(n, {})) for n, w in files.items()}
        strategies = frozenset({"one", "two"})
        return Arrangement(environments, strategies, self.bots, self.host)


def found(case: Case) -> tuple[Clash, ...]:
    return couplings.clashes(case.arranged())


def test_the_shipped_trains_have_no_clashes() -> None:
    bots = tuple(Bot(name, "one", ("BTC/USDT", "ETH/USDT")) for name in NAMES)
    assert found(Case(bots=bots, host=Host(freqtrade=PINNED))) == ()
    assert found(Case(bots=bots, host=Host(freqtrade=PINNED), demo=True)) == ()


def bots(environment: str = "prod", **more: Any) -> tuple[Bot, Bot]:
    """Two spot bots that trade different coins."""
    one = Bot(environment, "one", ("BTC/USDT",))
    return one, replace(Bot(environment, "two", ("ETH/USDT",)), **more)


KEY, SECRET = SecretName.EXCHANGE_KEY, SecretName.EXCHANGE_SECRET
PASSWORD = SecretName.EXCHANGE_PASSWORD
MORE = {"secrets": ["exchange_key", "exchange_secret", "exchange_password"]}
SHARED = {"prod": {"portfolio": {"available_capital": 4000}}}


def kept(environment: str, account: str, name: SecretName, fingerprint: str = "x") -> Kept:
    return Kept(Scope(environment, account), name, fingerprint)


OPENED = tuple(kept("prod", "prod", name) for name in (KEY, SECRET))

# What is wrong, where it is told, and the twin that is innocent.
CASES: dict[str, tuple[Case, tuple[str, str], Case]] = {
    "name: another than the file's": (
        Case({"prod": {"name": "production"}}),
        (PROD, "name"),
        Case(),
    ),
    "name: the demo's flag outside of its folder": (
        Case({"prod": {"demo": True, "exchange": {"rehearsal": True}}}),
        (PROD, "demo"),
        Case(demo=True),
    ),
    "name: no flag in the folder of the demo": (
        Case({"prod": {"demo": False}}, demo=True),
        ("environments/demo/prod.yaml", "demo"),
        Case(demo=True),
    ),
    "upstream: one that is not there": (
        Case({"prod": {"policy": {"upstream": "sandbx"}}}),
        (PROD, "policy.upstream"),
        Case({"prod": {"policy": {"upstream": "test"}}}),
    ),
    "upstream: a circle": (
        Case({"test": {"policy": {"upstream": "prod", "soak": {"days": 14, "trades": 30}}}}),
        (TEST, "policy.upstream"),
        Case(),
    ),
    "upstream: itself": (
        Case({"sandbox": {"policy": {"upstream": "sandbox"}}}),
        (SANDBOX, "policy.upstream"),
        Case(),
    ),
    "upstream: money without paper before it": (
        Case({"prod": {"policy": {"upstream": None, "soak": None}}}),
        (PROD, "policy.upstream"),
        Case(),
    ),
    "upstream: paper after money": (
        Case({"test": {"policy": {"upstream": "sandbox", "soak": {"days": 14, "trades": 30}}},
              "sandbox": {"policy": {"upstream": None, "soak": None}}}),
        (TEST, "policy.upstream"),
        Case(),
    ),
    "size: a sandbox as large as prod": (
        Case({"sandbox": {"portfolio": {"stake": None, "available_capital": 9500}}}),
        (PROD, "portfolio"),
        Case({"sandbox": {"portfolio": {"stake": None, "available_capital": 9499}}}),
    ),
    "size: small stakes in many slots": (
        Case({"sandbox": {"portfolio": {"max_open_trades": 475, "available_capital": None,
                                        "starting_balance": 10000}}}),
        (PROD, "portfolio"),
        Case({"sandbox": {"portfolio": {"max_open_trades": 474, "available_capital": None,
                                        "starting_balance": 10000}}}),
    ),
    "size: another currency": (
        Case({"sandbox": {"portfolio": {"stake_currency": "BTC"}}}),
        (PROD, "portfolio.stake_currency"),
        Case({"test": {"portfolio": {"stake_currency": "BTC"}}}),
    ),
    "soak: none": (
        Case({"prod": {"policy": {"soak": None}}}),
        (PROD, "policy.soak"),
        Case({"prod": {"policy": {"soak": {"days": 1, "trades": 1}}}}),
    ),
    "soak: shortened outside of the demo": (
        Case({"prod": {"policy": {"soak": {"days": None, "hours": 23, "trades": 30}}}}),
        (PROD, "policy.soak"),
        Case({"prod": {"policy": {"soak": {"days": None, "hours": 24, "trades": 30}}}}),
    ),
    "soak: without trades": (
        Case({"prod": {"policy": {"soak": {"trades": 0}}}}),
        (PROD, "policy.soak.trades"),
        Case({"prod": {"policy": {"soak": {"trades": 1}}}}),
    ),
    "approval: a merge lets it trade with money": (
        Case({"sandbox": {"policy": {"approval": "merge"}}}),
        (SANDBOX, "policy.approval"),
        Case({"sandbox": {"policy": {"approval": "tag"}}}),
    ),
    "approval: nobody lets it trade with money": (
        Case({"sandbox": {"policy": {"approval": "automatic"}}}),
        (SANDBOX, "policy.approval"),
        Case({"test": {"policy": {"approval": "automatic"}}}),
    ),
    "approval: signed by nobody": (
        Case({"prod": {"policy": {"signatures": 0}}}),
        (PROD, "policy.signatures"),
        Case({"prod": {"policy": {"signatures": 1}}}),
    ),
    "stoploss: an order at the exchange on paper": (
        Case({"test": {"stoploss_on_exchange": True}}),
        (TEST, "stoploss_on_exchange"),
        Case({"prod": {"stoploss_on_exchange": True}}),
    ),
    "initial state: money at once": (
        Case({"prod": {"initial_state": "running"}}),
        (PROD, "initial_state"),
        Case({"prod": {"initial_state": "stopped"}}),
    ),
    "paper: an account": (Case({"test": {"account": "main"}}), (TEST, "account"), Case()),
    "paper: an account for a strategy": (
        Case({"test": {"accounts": {"one": "main"}}}),
        (TEST, "accounts.one"),
        Case({"prod": {"accounts": {"one": "main"}}}),
    ),
    "paper: keys": (
        Case({"test": {"secrets": ["exchange_key"]}}),
        (TEST, "secrets"),
        Case({"test": {"secrets": []}}),
    ),
    "paper: keys that lie on the host": (
        Case(host=Host(kept=(kept("test", "prod", KEY),))),
        (TEST, "secrets"),
        Case(host=Host(kept=(kept("prod", "prod", KEY),))),
    ),
    "keys: no account": (
        Case({"prod": {"account": None}}),
        (PROD, "account"),
        Case({"prod": {"account": "main"}}),
    ),
    "keys: no secret": (
        Case({"prod": {"secrets": ["exchange_key"]}}),
        (PROD, "secrets"),
        Case({"prod": MORE}),
    ),
    "keys: one for two accounts": (
        Case(host=Host(kept=(kept("sandbox", "sandbox", KEY), kept("prod", "prod", KEY)))),
        (SANDBOX, "secrets"),
        Case(host=Host(kept=(kept("sandbox", "sandbox", KEY, "y"), kept("prod", "prod", KEY)))),
    ),
    "keys: one that an account has in two environments": (
        Case({"prod": {"account": "a"}, "sandbox": {"account": "b"}},
             host=Host(kept=(kept("sandbox", "b", KEY), kept("prod", "a", KEY)))),
        (SANDBOX, "secrets"),
        Case({"prod": {"account": "a"}, "sandbox": {"account": "a"}},
             host=Host(kept=(kept("sandbox", "a", KEY), kept("prod", "a", KEY)))),
    ),
    "demo: at a real exchange": (
        Case({"prod": {"exchange": {"rehearsal": False}}}, demo=True),
        ("environments/demo/prod.yaml", "exchange.rehearsal"),
        Case({"prod": {"exchange": {"rehearsal": True}}}),
    ),
    "account: the same coin": (
        Case(SHARED, bots(pairs=("BTC/USDT", "ETH/USDT"))),
        (PROD, "account"),
        Case(SHARED, bots()),
    ),
    "account: the same coin for another currency": (
        Case(SHARED, bots(pairs=("BTC/EUR",))),
        (PROD, "account"),
        Case({"prod": {**SHARED["prod"], "accounts": {"two": "second"}}}, bots(pairs=("BTC/EUR",))),
    ),
    "account: one of a strategy's own, taken by both": (
        Case({"prod": {**SHARED["prod"], "accounts": {"one": "a", "two": "a"}}},
             bots(pairs=("BTC/USDT",))),
        (PROD, "accounts.two"),
        Case({"prod": {**SHARED["prod"], "accounts": {"one": "a", "two": "b"}}},
             bots(pairs=("BTC/USDT",))),
    ),
    "account: futures": (
        Case(SHARED, bots(trading_mode="futures")),
        (PROD, "account"),
        Case({"prod": {**SHARED["prod"], "accounts": {"two": "second"}}},
             bots(trading_mode="futures")),
    ),
    "account: shared without a limit": (
        Case({"prod": {"portfolio": {"available_capital": None}}}, bots()),
        (PROD, "portfolio.available_capital"),
        Case({"prod": {"portfolio": {"available_capital": None}}}, bots()[:1]),
    ),
    "account: the sandbox's": (
        Case({"prod": {"account": "sandbox", "portfolio": {"available_capital": 250}},
              "sandbox": {"portfolio": {"available_capital": 50}}},
             tuple(Bot(name, "one", ("BTC/USDT",)) for name in ("sandbox", "prod"))),
        (SANDBOX, "account"),
        Case({"prod": {"account": "sandbox", "exchange": {"name": "kraken"}}},
             tuple(Bot(name, "one", ("BTC/USDT",)) for name in ("sandbox", "prod"))),
    ),
    "account: the second ones of two strategies": (
        Case({"prod": {**BESIDE, "accounts": {"two": "own"}}}, bots(pairs=("BTC/USDT",))),
        (PROD, "handover.account"),
        Case({"prod": {**BESIDE, "portfolio": {"available_capital": 400}}}, bots()),
    ),
    "second account: none": (
        Case({"prod": {"handover": {"way": "side_by_side"}}}),
        (PROD, "handover.account"),
        Case({"prod": BESIDE}),
    ),
    "second account: the first": (
        Case({"prod": {"handover": {"way": "side_by_side", "account": "prod"}}}),
        (PROD, "handover.account"),
        Case({"test": {"handover": {"way": "side_by_side"}}}),
    ),
    "second account: on paper": (
        Case({"test": {"handover": {"way": "side_by_side", "account": "other"}}}),
        (TEST, "handover.account"),
        Case({"test": {"handover": {"way": "drain"}}}),
    ),
    "balance: more than there is at the start": (
        Case({"prod": {"portfolio": {"available_capital": 5001}}}, bots()),
        (PROD, "portfolio.available_capital"),
        Case({"prod": {"portfolio": {"available_capital": 5000}}}, bots()),
    ),
    "balance: more than there was seen": (
        Case(SHARED, bots(), Host(balances={"prod at binance": Decimal(7999)})),
        (PROD, "portfolio.available_capital"),
        Case(SHARED, bots(), Host(balances={"prod at binance": Decimal(8000)})),
    ),
    "balance: more than the step of the ramp needs": (
        Case({}, bots()[:1], Host(balances={"prod at binance": Decimal(2400)})),
        (PROD, "portfolio.available_capital"),
        Case({}, (replace(bots()[0], percent=25),),
             Host(balances={"prod at binance": Decimal(2400)})),
    ),
    "database: of two bots": (
        Case(bots=tuple(replace(bot, kept_in="old.sqlite") for bot in bots("test"))),
        (TEST, "mode"),
        Case(bots=bots("test")),
    ),
    "database: with trades of money, on paper": (
        Case(bots=(replace(bots("test")[0], kept_in="old.sqlite"),),
             host=Host(databases={"old.sqlite": "live"})),
        (TEST, "mode"),
        Case(bots=(replace(bots("test")[0], kept_in="old.sqlite"),),
             host=Host(databases={"old.sqlite": "dry_run", "other.sqlite": "live"})),
    ),
    "database: with trades on paper, for money": (
        Case(bots=bots("prod")[:1], host=Host(databases={"bots/prod/one/live.sqlite": "dry_run"})),
        (PROD, "mode"),
        Case(bots=bots("prod")[:1], host=Host(databases={"bots/prod/one/live.sqlite": "live"})),
    ),
    "variables: one that overrides a bot's configuration": (
        Case(host=Host(variables=frozenset({"PATH", "FREQTRADE__EXCHANGE__KEY"}))),
        ("the host's variables", "FREQTRADE__EXCHANGE__KEY"),
        Case(host=Host(variables=frozenset({"PATH", "FREQTRADE_HOME", "XFREQTRADE__A"}))),
    ),
    "freqtrade: at least": (
        Case(host=Host(freqtrade=replace(PINNED, required="freqtrade>=2026.9"))),
        ("requirements/runtime.in", "freqtrade"),
        Case(host=Host(freqtrade=PINNED)),
    ),
    "freqtrade: any of a year": (
        Case(host=Host(freqtrade=replace(PINNED, required="freqtrade==2026.*"))),
        ("requirements/runtime.in", "freqtrade"),
        Case(host=Host(freqtrade=PINNED)),
    ),
    "freqtrade: not required": (
        Case(host=Host(freqtrade=replace(PINNED, required=""))),
        ("requirements/runtime.in", "freqtrade"),
        Case(host=Host(freqtrade=PINNED)),
    ),
    "freqtrade: another in the lock": (
        Case(host=Host(freqtrade=Pin("freqtrade==2026.9", "2026.8", "2026.8"))),
        ("requirements/runtime.txt", "freqtrade"),
        Case(host=Host(freqtrade=Pin("freqtrade==2026.8", "2026.8", "2026.8"))),
    ),
    "freqtrade: another installed": (
        Case(host=Host(freqtrade=replace(PINNED, installed="2026.8"))),
        ("the installation", "freqtrade"),
        Case(host=Host(freqtrade=PINNED)),
    ),
    "secrets: one that is missing": (
        Case(host=Host(examined=frozenset({"prod"}), kept=OPENED[:1])),
        (PROD, "secrets"),
        Case(host=Host(examined=frozenset({"prod"}), kept=OPENED)),
    ),
    "secrets: another account's": (
        Case({"prod": {"accounts": {"one": "second"}}},
             host=Host(examined=frozenset({"prod"}), kept=OPENED)),
        (PROD, "secrets"),
        Case({"prod": {"accounts": {"one": "prod"}}},
             host=Host(examined=frozenset({"prod"}), kept=OPENED)),
    ),
    "strategies: one that is not there": (
        Case({"prod": {"accounts": {"tow": "second"}}}),
        (PROD, "accounts.tow"),
        Case({"prod": {"accounts": {"two": "second"}}}),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_finds(name: str) -> None:
    bad, (where, key), _ = CASES[name]
    rule = RULES[name.partition(":")[0]]
    told = list(rule(bad.arranged()))
    assert (where, key) in {(clash.where, clash.key) for clash in told}, told
    assert set(told) <= set(found(bad))
    assert all(clash.expected and clash.actual and clash.hint for clash in told)


@pytest.mark.parametrize("name", CASES)
def test_the_innocent_twin_of(name: str) -> None:
    _, _, innocent = CASES[name]
    assert list(RULES[name.partition(":")[0]](innocent.arranged())) == []


def test_every_rule_has_a_case() -> None:
    assert {name.partition(":")[0] for name in CASES} == set(RULES)


def test_what_was_not_looked_at_is_not_judged() -> None:
    assert list(host.secrets(Case().arranged())) == []
    assert list(host.pinned(Case().arranged())) == []


EVERYTHING = Case(
    {
        "test": {"account": "main", "stoploss_on_exchange": True},
        "sandbox": {"policy": {"approval": "merge"}, "account": "prod"},
        "prod": {"initial_state": "running", "portfolio": {"available_capital": 9999}, **MORE},
    },
    (*bots("test"), *bots("sandbox"), *bots("prod", pairs=("BTC/USDT",))),
    Host(
        frozenset({"FREQTRADE__A", "FREQTRADE__B"}),
        replace(PINNED, installed="1"),
        frozenset(NAMES),
        (kept("test", "a", KEY), kept("sandbox", "", PASSWORD)),
        databases={"bots/prod/one/live.sqlite": "dry_run"},
    ),
)


def test_everything_is_told_at_once() -> None:
    told = found(EVERYTHING)
    assert len(told) > 15
    assert len(set(told)) == len(told)
    files = {TEST, SANDBOX, PROD, "the host's variables", "the installation"}
    assert {clash.where for clash in told} == files


# Two environments of one name: which of them is meant must not depend on chance.
DOUBLED = replace(EVERYTHING, changes={**EVERYTHING.changes, "sandbox": {"name": "prod"}})


@given(
    st.sampled_from([EVERYTHING, DOUBLED]),
    st.permutations(range(3)),
    st.permutations(range(6)),
    st.permutations(range(2)),
)
def test_the_order_of_files_bots_and_secrets_never_matters(
    case: Case, files: list[int], order: list[int], secrets: list[int]
) -> None:
    arranged = case.arranged()
    items = list(arranged.environments.items())
    there = replace(arranged.host, kept=tuple(arranged.host.kept[n] for n in secrets))
    shuffled = replace(
        arranged,
        environments=dict(items[n] for n in files),
        bots=tuple(arranged.bots[n] for n in order),
        host=there,
    )
    assert couplings.clashes(shuffled) == couplings.clashes(arranged)


COINS = st.sets(st.sampled_from(["BTC", "ETH", "SOL", "ADA"]), min_size=1)


@given(COINS, COINS, st.integers(1, 9000), st.integers(1, 9000), st.booleans())
def test_spot_bots_share_an_account_exactly_when_nothing_of_it_is_both_s(
    one: set[str], two: set[str], capital: int, there: int, futures: bool
) -> None:
    pairs = [tuple(f"{coin}/USDT" for coin in sorted(coins)) for coins in (one, two)]
    mode: Any = "futures" if futures else "spot"
    together = (Bot("prod", "one", pairs[0]), Bot("prod", "two", pairs[1], mode))
    case = Case(
        {
            "prod": {"portfolio": {"available_capital": capital}},
            "sandbox": {"portfolio": {"available_capital": 1}},
        },
        together,
        Host(balances={"prod at binance": Decimal(there)}),
    )
    told = [c for name in ("account", "balance") for c in RULES[name](case.arranged())]
    assert (not told) is (not futures and not one & two and 2 * capital <= there)
