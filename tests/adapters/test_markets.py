"""Market metadata: recorded where there is any, made up in the same shape where not."""

import json
from pathlib import Path
from typing import Any

import pytest

from pipelines.adapters.markets import made_up, markets
from pipelines.domain.candles import TradingMode
from pipelines.errors import BadInput


def record(folder: Path, name: str, **markets: dict[str, Any]) -> None:
    (folder / "markets").mkdir(exist_ok=True)
    by_symbol = {symbol.replace("_", "/"): market for symbol, market in markets.items()}
    (folder / "markets" / name).write_text(json.dumps(by_symbol))


def test_recorded_markets_come_from_the_last_file_and_without_bulk(tmp_path: Path) -> None:
    record(tmp_path, "binance_spot_markets_2021.json", BTC_USDT={"id": "old", "info": {}})
    record(tmp_path, "binance_spot_markets_2022.json", BTC_USDT={"id": "new", "info": {"a": 1}})
    record(tmp_path, "binance_usdm_markets_2025.json", BTC_USDT={"id": "futures"})
    found = json.loads(markets(("BTC/USDT",), "spot", tmp_path))
    assert found == {"BTC/USDT": {"id": "new", "info": {}}}


def test_pairs_that_were_not_recorded_are_made_up(tmp_path: Path) -> None:
    record(tmp_path, "binance_spot_markets_2021.json", BTC_USDT={"id": "recorded"})
    found = json.loads(markets(("ETH/USDT", "BTC/USDT"), "spot", tmp_path))
    assert list(found) == ["ETH/USDT", "BTC/USDT"]
    assert found["BTC/USDT"]["id"] == "recorded"
    assert found["ETH/USDT"] == made_up("ETH/USDT")


@pytest.mark.parametrize("content", ["", "[]", "[" * 100_000, '{"BTC/USDT": 3}', "\x00"])
def test_a_recording_that_is_none_is_refused(tmp_path: Path, content: str) -> None:
    record(tmp_path, "binance_spot_markets_2021.json")
    path = tmp_path / "markets" / "binance_spot_markets_2021.json"
    path.write_text(content)
    with pytest.raises(BadInput) as caught:
        markets(("BTC/USDT",), "spot", tmp_path)
    assert caught.value.message == f"{path}: should hold markets as ccxt parses them, by symbol"


def test_ticks_and_lots_of_the_embedded_market_are_those_of_its_candles() -> None:
    precision = made_up("SOL/USDT")["precision"]
    assert (precision["price"], precision["amount"]) == (0.001, 0.001)


def test_what_is_no_pair_is_refused() -> None:
    with pytest.raises(BadInput, match="'BTC' is no pair"):
        made_up("BTC")


@pytest.mark.needs("candles")
@pytest.mark.parametrize(("mode", "pair"), [("spot", "BTC/USDT"), ("futures", "BTC/USDT:USDT")])
def test_a_made_up_market_has_the_shape_of_a_recorded_one(
    candles_folder: Path, mode: TradingMode, pair: str
) -> None:
    real = json.loads(markets((pair,), mode, candles_folder))[pair]
    ours = made_up(pair)
    assert set(ours) == set(real)
    for key in ("precision", "limits", "marginModes"):
        assert set(ours[key]) == set(real[key])
    for key in ("id", "symbol", "type", "spot", "swap", "linear", "settle", "contractSize"):
        assert ours[key] == real[key]
