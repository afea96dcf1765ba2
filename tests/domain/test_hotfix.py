"""What a hotfix may change: freqtrade or ccxt, and nothing that anybody could see in a trade."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.domain.candles import milliseconds
from pipelines.domain.evidence import Isolation
from pipelines.domain.hotfix import mends, remainder, trades_digest
from pipelines.domain.release import Pins, release_of
from pipelines.domain.statement import EvidenceSummary, Packed
from pipelines.domain.strategy import Manifest, SourceFile, Strategy
from pipelines.domain.trades.trade import Fill, Trade, TradeLog
from pipelines.domain.verdict import Status

NOW = datetime(2026, 11, 1, tzinfo=UTC)
OPENED = milliseconds(datetime(2022, 3, 1, tzinfo=UTC))
HOUR = 3_600_000

LOCK = """\
# This file was made by a tool.
ccxt==4.5.90 \\
    --hash=sha256:aa \\
    --hash=sha256:bb
    # via freqtrade
freqtrade==2026.9 \\
    --hash=sha256:cc
    # via -r runtime.in
freqtrade-client==2026.9 \\
    --hash=sha256:dd
numpy==2.4.1 \\
    --hash=sha256:ee
    # via
    #   ccxt
    #   freqtrade
"""
NEWER = (
    LOCK.replace("4.5.90", "4.5.91")
    .replace("2026.9", "2026.9.1")
    .replace("sha256:aa", "sha256:a1")
    .replace("sha256:cc", "sha256:c1")
    .replace("    #   ccxt\n", "")
)
PINS = Pins(freqtrade="2026.9", requirements="a" * 64, python="3.11")
NEWER_PINS = Pins(freqtrade="2026.9.1", requirements="b" * 64, python="3.11")


def strategy(version: str = "1.0.0", code: str = "calm", **changed: Any) -> Strategy:
    told: dict[str, Any] = {
        "class": "Calm",
        "version": version,
        "owner": "us",
        "summary": "calm",
        "pairs": ("BTC/USDT",),
        "timeframe": "1h",
        "handover": "drain",
    }
    manifest = Manifest.model_validate(told | changed)
    files = (
        SourceFile("calm/strategy.py", code.encode()),
        SourceFile("calm/strategy.yaml", f"version: {version}\n".encode()),
    )
    return Strategy("calm", manifest, files, (SourceFile("shared/means_v1.py", b"MEAN = 1\n"),))


OTHER_MEANS = SourceFile("shared/means_v1.py", b"MEAN = 2\n")


def trade(hour: int = 0, **changed: Any) -> Trade:
    fills = (
        Fill(at=OPENED + hour * HOUR, price=38_000.12, amount=0.05, entry=True),
        Fill(at=OPENED + (hour + 2) * HOUR, price=38_500.5, amount=0.05, entry=False),
    )
    told: dict[str, Any] = {
        "pair": "BTC/USDT",
        "opened": OPENED + hour * HOUR,
        "closed": OPENED + (hour + 2) * HOUR,
        "fills": fills,
        "exit_reason": "exit_signal",
        "fee": 0.001,
        "profit": 21.0,
    }
    return Trade(**told | changed)


def log(*trades: Trade, **changed: Any) -> TradeLog:
    told: dict[str, Any] = {
        "window": "whole",
        "starting_balance": 10_000.0,
        "final_balance": 10_021.0,
        "left_open": 0,
    }
    return TradeLog(trades=trades, **told | changed)


LOGS: Mapping[str, TradeLog] = {"whole": log(trade(0), trade(5), trade(9)), "bear": log()}


def packed(
    of: Strategy,
    pins: Pins,
    lock: str,
    logs: Mapping[str, TradeLog] = LOGS,
    **changed: Any,
) -> Packed:
    evidence: dict[str, Any] = {
        "digest": "1" * 64,
        "data_digest": "2" * 64,
        "data_name": "recorded",
        "thresholds_digest": "3" * 64,
        "status": Status.PASSED,
        "complete": True,
        "isolation": Isolation.FULL,
        "synthetic": False,
        "trades_digest": trades_digest(logs),
    }
    said: dict[str, Any] = {"remainder": remainder(of, pins, lock)}
    said |= {name: changed.pop(name) for name in tuple(changed) if name == "remainder"}
    return Packed(
        release=release_of(of, pins),
        label=None,
        evidence=EvidenceSummary(**evidence | changed),
        taken_at=NOW,
        **said,
    )


OLD = packed(strategy(), PINS, LOCK)


def newer(logs: Mapping[str, TradeLog] = LOGS, lock: str = NEWER, **changed: Any) -> Packed:
    of = changed.pop("of", strategy("1.0.1"))
    return packed(of, changed.pop("pins", NEWER_PINS), lock, logs, **changed)


def test_another_freqtrade_and_ccxt_with_the_same_trades_is_a_hotfix() -> None:
    assert mends(newer(), OLD)


@pytest.mark.parametrize(
    "twin",
    [
        newer({**LOGS, "whole": log(trade(0), trade(5), trade(10))}),
        newer({**LOGS, "whole": log(trade(0), trade(5))}),
        newer({"whole": LOGS["bear"], "bear": LOGS["whole"]}),
        newer({"whole": log(), "bear": log()}),
        newer(trades_digest=None),
        newer(data_digest="4" * 64),
        newer(thresholds_digest="4" * 64),
        newer(remainder=None),
        newer(of=strategy("1.0.1", code="wild")),
        newer(of=replace(strategy("1.0.1"), shared=(OTHER_MEANS,))),
        newer(of=strategy("1.0.1", handover="adopt")),
        newer(lock=NEWER.replace("numpy==2.4.1", "numpy==2.4.2")),
        newer(lock=NEWER.replace("sha256:ee", "sha256:e1")),
        newer(lock=NEWER + "requests==2.0 \\\n    --hash=sha256:ff\n"),
        newer(pins=NEWER_PINS.model_copy(update={"python": "3.12"})),
        newer(pins=PINS, lock=LOCK),
    ],
    ids=[
        "one trade an hour later",
        "one trade less",
        "the same trades in other windows",
        "no trades at all",
        "trades that nobody kept",
        "other candles",
        "other thresholds",
        "a remainder that nobody kept",
        "other code",
        "other shared code",
        "another manifest",
        "another numpy",
        "another build of numpy",
        "another package",
        "another Python",
        "the same pins",
    ],
)
def test_its_twin_with_one_thing_more_that_differs_is_none(twin: Packed) -> None:
    assert not mends(twin, OLD)


def test_no_strategy_is_a_hotfix_of_another() -> None:
    other = newer().release.model_copy(update={"name": "wild"})
    assert not mends(newer().model_copy(update={"release": other}), OLD)


def test_two_statements_that_say_nothing_have_nothing_in_common() -> None:
    unsaid: dict[str, Any] = {"trades_digest": None, "remainder": None}
    silent = packed(strategy(), PINS, LOCK, **unsaid)
    assert not mends(newer(**unsaid), silent)
    for name in unsaid:
        assert not mends(newer(**{name: None}), packed(strategy(), PINS, LOCK, **{name: None}))


@pytest.mark.parametrize(
    "changed",
    [
        {"pair": "ETH/USDT"},
        {"short": True},
        {"leverage": 2.0},
        {"tag": "breakout"},
        {"exit_reason": "roi"},
        {"fee": 0.002},
        {"funding": 0.5},
        {"opened": OPENED + HOUR},
        {"closed": OPENED + HOUR},
        {"fills": (*trade().fills, trade().fills[0])},
        {"fills": (trade().fills[0].model_copy(update={"price": 38_000.13}), trade().fills[1])},
        {"fills": (trade().fills[0].model_copy(update={"amount": 0.050001}), trade().fills[1])},
        {"fills": (trade().fills[0].model_copy(update={"entry": False}), trade().fills[1])},
        {"fills": (trade().fills[0].model_copy(update={"at": OPENED + 1}), trade().fills[1])},
    ],
    ids=str,
)
def test_everything_that_a_trade_is_counts(changed: dict[str, Any]) -> None:
    twin = {"whole": log(trade(0, **changed), trade(5), trade(9)), "bear": log()}
    assert trades_digest(twin) != trades_digest(LOGS)


@pytest.mark.parametrize(("price", "same"), [(38_000.1234, True), (38_000.124, False)])
def test_prices_agree_in_eight_digits(price: float, same: bool) -> None:
    def bought(at: float) -> str | None:
        fill = trade().fills[0].model_copy(update={"price": at})
        return trades_digest({"whole": log(trade(fills=(fill, trade().fills[1])))})

    assert (bought(price) == bought(38_000.123)) is same


def test_trades_that_were_never_closed_count() -> None:
    twin = {**LOGS, "whole": LOGS["whole"].model_copy(update={"left_open": 1})}
    assert trades_digest(twin) != trades_digest(LOGS)


def test_without_a_trade_there_is_no_digest() -> None:
    assert trades_digest({"whole": log(), "bear": log()}) is None
    assert trades_digest({}) is None


@given(st.permutations([trade(0), trade(5), trade(9)]), st.floats(-1e-12, 1e-12))
def test_neither_the_order_nor_noise_of_the_arithmetic_makes_other_trades(
    order: list[Trade], noise: float
) -> None:
    bought = order[0].fills[0]
    noisy = bought.model_copy(update={"price": bought.price * (1 + noise)})
    first = order[0].model_copy(update={"fills": (noisy, *order[0].fills[1:]), "profit": 20.9})
    twin = {"bear": log(), "whole": log(first, *order[1:])}
    assert trades_digest(twin) == trades_digest(LOGS)


def test_the_remainder_is_the_same_whoever_asked_for_a_package() -> None:
    commented = LOCK.replace("    # via freqtrade\n", "    # via\n    #   freqtrade\n    #   us\n")
    assert remainder(strategy(), PINS, commented) == remainder(strategy(), PINS, LOCK)
