"""Every setting of a freqtrade is told where it belongs; what counted and counts no more first."""

from pathlib import Path
from typing import Any

import pytest

from pipelines import documents
from pipelines.domain.environment import Environment
from pipelines.domain.strategy import Manifest
from pipelines.freqtrade import bot
from pipelines.freqtrade.existing import Setting, Settings
from pipelines.freqtrade.moving import ENVIRONMENT, MANIFEST, SECRETS, Place, moved

MANIFEST_YAML = """\
class: Beat
version: 1.0.0
owner: us
summary: x
pairs: [BTC/USDT]
timeframe: 1h
handover: drain
"""
VALUE = "nobody-may-see-this"


def rows(root: Path, **settings: Any) -> list[tuple[str, Place, str, str]]:
    environment = documents.load(root / "environments/demo/sandbox.yaml", Environment)
    manifest = documents.parse(MANIFEST_YAML.encode(), Manifest, "strategy.yaml")
    dotted = {key.replace("__", "."): value for key, value in settings.items()}
    found = {key: Setting(key, value, Path("config.json")) for key, value in dotted.items()}
    told = moved(Settings(found), environment, manifest)
    assert VALUE not in str(told)
    return [(row.key, row.place, row.to, row.note) for row in told]


@pytest.mark.parametrize(
    ("key", "value", "to", "note"),
    [
        ("dry_run", False, "mode", "the same there"),
        ("dry_run", True, "mode", 'was "dry_run", is "live" there'),
        ("stake_amount", 20, "portfolio.stake", "the same there"),
        ("stake_amount", "unlimited", "portfolio.stake", 'was null, is "20" there'),
        ("max_open_trades", 3, "portfolio.max_open_trades", "was 3, is 5 there"),
        ("exchange__name", "binance", "exchange.name", "the same there"),
        ("order_types__stoploss_on_exchange", True, "stoploss_on_exchange", "the same there"),
    ],
)
def test_what_an_environment_says_is_compared(
    root: Path, key: str, value: Any, to: str, note: str
) -> None:
    ((_, place, where, told),) = rows(root, **{key: value})
    assert (place, where, told) == (Place.ENVIRONMENT, to, note)


def test_every_key_leads_to_something_that_is_there(root: Path) -> None:
    told = rows(root, **{key.replace(".", "__"): 1 for key in (*ENVIRONMENT, *MANIFEST)})
    assert len(told) == len(ENVIRONMENT) + len(MANIFEST)


@pytest.mark.parametrize("key", list(SECRETS))
def test_a_secret_is_named_and_never_shown(root: Path, key: str) -> None:
    ((_, place, to, note),) = rows(root, **{key.replace(".", "__"): VALUE})
    assert (place, to, note) == (Place.SECRETS, SECRETS[key].value, "its value is not shown")
    ((_, _, _, note),) = rows(root, **{key.replace(".", "__"): ""})
    assert note == "is empty"


def test_a_value_that_belongs_nowhere_is_not_shown_either(root: Path) -> None:
    told = rows(root, webhook__url=VALUE, api_server__password=VALUE, exchange__uid=VALUE)
    assert [(key, place) for key, place, _, _ in told] == [
        ("exchange.uid", Place.NOWHERE),
        ("webhook.url", Place.NOWHERE),
        ("api_server.password", Place.SLUICE),
    ]


def test_what_overrode_the_strategy_comes_first(root: Path) -> None:
    told = rows(
        root, timeframe="1h", minimal_roi__0=0.1, stoploss=-0.1, pairlists=[{"method": "X"}]
    )
    assert [(key, place) for key, place, _, _ in told] == [
        ("minimal_roi.0", Place.STRATEGY),
        ("stoploss", Place.STRATEGY),
        ("pairlists", Place.NOWHERE),
        ("timeframe", Place.MANIFEST),
    ]


def test_what_sluice_tells_its_bots_has_a_place(root: Path) -> None:
    """A setting that `pipelines.freqtrade.bot` writes is never told to be lost."""
    environment = documents.load(root / "environments/demo/sandbox.yaml", Environment)
    manifest = documents.parse(MANIFEST_YAML.encode(), Manifest, "strategy.yaml")
    declared = bot.configuration("beat", manifest, environment, "deployed/x/beat")
    told = rows(root, **{key: value for key, value in declared.items() if key != "exchange"})
    assert [key for key, place, _, _ in told if place is Place.NOWHERE] == []
