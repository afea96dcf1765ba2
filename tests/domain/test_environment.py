"""What an environment's file may say, and what evidence is bound to."""

from decimal import Decimal
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pipelines import documents
from pipelines.domain.environment import Door, Environment
from pipelines.errors import BadInput

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = sorted(
    path.relative_to(ROOT / "environments").as_posix()
    for path in (ROOT / "environments").rglob("*.yaml")
    if path.name in {"test.yaml", "sandbox.yaml", "prod.yaml"}
)


def text(name: str) -> str:
    return (ROOT / "environments" / name).read_text()


def read(content: str) -> Environment:
    return documents.parse(content.encode(), Environment, "environments/prod.yaml", "environment")


def door(content: str) -> Door:
    return documents.parse(content.encode(), Door, "environments/test.yaml")


def changed(file: str, **keys: object) -> str:
    return yaml.safe_dump({**yaml.safe_load(text(file)), **keys}, sort_keys=False)


def test_two_trains_are_shipped() -> None:
    names = ("prod.yaml", "sandbox.yaml", "test.yaml")
    assert [*(f"demo/{name}" for name in names), *names] == SHIPPED


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_environment_is_read_and_called_by_its_file(name: str) -> None:
    environment = read(text(name))
    assert f"{environment.name}.yaml" == name.removeprefix("demo/")
    assert environment.demo is name.startswith("demo/")


@pytest.mark.parametrize("name", [name for name in SHIPPED if name.startswith("demo/")])
def test_a_demo_environment_is_labelled_as_shortened_and_meets_no_real_exchange(name: str) -> None:
    assert text(name).startswith("# SHORTENED for the demo")
    assert read(text(name)).exchange.rehearsal


# Evidence that was taken before is kept by its digest: a changed one would make all of it stale.
PINNED = "7872110515fe6260b748c6dff355a38d72eafb804264c1e7d34936d1c38dfdfa"


def test_the_thresholds_digest_of_the_shipped_door_is_what_it_always_was() -> None:
    assert door(text("test.yaml")).thresholds_digest() == PINNED


@pytest.mark.parametrize(
    "keys",
    [
        {"host": "elsewhere"},
        {"protections": {"max_drawdown": 0.1, "max_orders_per_hour": 1}},
        {"policy": {"approval": "tag"}},
        {"initial_state": "stopped"},
        {"secrets": ["exchange_password"]},
        {
            "portfolio": {
                **yaml.safe_load(text("test.yaml"))["portfolio"],
                "stake": 20,
                "available_capital": 100,
            }
        },
    ],
    ids=lambda keys: next(iter(keys)),
)
def test_what_backtests_do_not_depend_on_makes_no_evidence_stale(keys: dict[str, object]) -> None:
    assert door(changed("test.yaml", **keys)).thresholds_digest() == PINNED


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("starting_balance: 10000 ", "starting_balance: 5000 "),
        ("min_trades: 100", "min_trades: 99"),
    ],
)
def test_what_backtests_depend_on_makes_evidence_stale(old: str, new: str) -> None:
    assert old in text("test.yaml")
    assert door(text("test.yaml").replace(old, new)).thresholds_digest() != PINNED


def test_a_door_without_admission_is_none() -> None:
    with pytest.raises(BadInput, match="admission: is missing"):
        door(text("sandbox.yaml"))


REFUSED = {
    "an unknown key": ({"dry_run": False}, "dry_run: is not a known key"),
    "a name that is no folder": ({"name": "../prod"}, "name: should match"),
    "an unknown mode": ({"mode": "paper"}, "mode: should be 'dry_run' or 'live'"),
    "an unknown runtime": ({"runtime": "vm"}, "runtime: should be 'process' or 'container'"),
    "the exchange as a text": ({"exchange": "binance"}, "exchange: should be keys and values"),
    "a value for a secret": ({"secrets": ["abc123"]}, "secrets[0]: should be 'exchange_key'"),
    "an unknown approval": ({"policy": {"approval": "ask"}}, "policy.approval: should be 'merge'"),
    "a ramp that does not end": ({"ramp": [25, 50]}, "ramp: should rise with every step"),
    "a ramp that falls": ({"ramp": [50, 25, 100]}, "ramp: should rise with every step"),
    "a step beyond the whole": ({"ramp": [50, 200]}, "ramp[1]: should be at most 100"),
    "no step at all": ({"ramp": []}, "ramp: should have at least 1 entries"),
    "an account that is no name": ({"account": "a b"}, "account: should match"),
    "an initial state": ({"initial_state": "trading"}, "initial_state: should be 'running'"),
}


@pytest.mark.parametrize(("keys", "said"), REFUSED.values(), ids=REFUSED)
def test_refuses(keys: dict[str, object], said: str) -> None:
    with pytest.raises(BadInput) as caught:
        read(changed("prod.yaml", **keys))
    assert said in caught.value.message
    assert "sluice docs environment" in caught.value.hint


@given(st.sets(st.integers(1, 99)))
def test_any_ramp_that_rises_to_the_whole_is_taken(steps: set[int]) -> None:
    ramp = (*sorted(steps), 100)
    assert read(changed("prod.yaml", ramp=list(ramp))).ramp == ramp


AT_RISK = {
    "everything": ({}, "1000"),
    "what the bot may use": ({"available_capital": 800}, "800"),
    "every slot's stake": ({"stake": 50}, "250"),
    "stakes beyond the capital": ({"stake": 500, "available_capital": 800}, "800"),
}


@pytest.mark.parametrize(("keys", "expected"), AT_RISK.values(), ids=AT_RISK)
def test_what_is_at_risk(keys: dict[str, object], expected: str) -> None:
    portfolio = {"stake_currency": "USDT", "starting_balance": 1000, "max_open_trades": 5, "fee": 0}
    environment = read(changed("prod.yaml", portfolio={**portfolio, **keys}))
    assert environment.portfolio.at_risk == Decimal(expected)


def test_a_strategy_may_have_an_account_of_its_own() -> None:
    environment = read(changed("prod.yaml", accounts={"trend_breakout": "trend"}))
    assert environment.account_of("trend_breakout") == "trend"
    assert environment.account_of("calm_momentum") == "prod"


MODES = st.sampled_from(["dry_run", "live"])
NAMES = st.sampled_from(["test", "prod", "demo-test"])
PLACES = st.tuples(MODES, NAMES, st.booleans(), st.sampled_from(["one", "two"]))


@given(PLACES, PLACES)
def test_no_two_bots_share_a_database(
    one: tuple[str, str, bool, str], other: tuple[str, str, bool, str]
) -> None:
    files = []
    for mode, name, demo, strategy in (one, other):
        environment = read(changed("prod.yaml", mode=mode, name=name, demo=demo))
        files.append(environment.database(strategy))
    assert (files[0] == files[1]) is (one == other)
