"""A strategy's manifest and its digest."""

from typing import Any

import pytest
from pydantic import ValidationError

from pipelines.domain.strategy import Manifest, SourceFile, Strategy

VALUES: dict[str, Any] = {
    "class": "Trend",
    "version": "1.4.0",
    "owner": "me",
    "summary": "text",
    "pairs": ("BTC/USDT",),
    "timeframe": "1h",
    "handover": "drain",
}


def manifest(**changed: Any) -> Manifest:
    return Manifest.model_validate({**VALUES, **changed})


def strategy(*files: tuple[str, bytes], shared: tuple[tuple[str, bytes], ...] = ()) -> Strategy:
    return Strategy(
        "trend",
        manifest(),
        tuple(SourceFile(*file) for file in files),
        tuple(SourceFile(*file) for file in shared),
    )


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("class", "1x"),
        ("class", "A-B"),
        ("version", "1.0"),
        ("version", "1.0.0-rc1"),
        ("version", "01.0.0"),
        ("version", "1١.0.0"),
        ("owner", ""),
        ("summary", ""),
        ("summary", "x" * 201),
        ("pairs", ()),
        ("pairs", ("BTCUSDT",)),
        ("pairs", ("btc/usdt",)),
        ("pairs", ("BTC/USDT\n",)),
        ("timeframe", "2h"),
        ("trading_mode", "margin"),
        ("handover", "hope"),
        ("thresholds", {"bear": {"max_drawdown": 2}}),
    ],
)
def test_refuses_in_a_manifest(key: str, value: object) -> None:
    with pytest.raises(ValidationError):
        manifest(**{key: value})


def test_its_own_timeframe_comes_first_and_only_once() -> None:
    held = manifest(informative=("1h", "1d"))
    assert held.timeframes == ("1h", "1d")


def test_versions_are_compared_as_numbers() -> None:
    assert manifest(version="1.10.0").release_number > manifest(version="1.9.9").release_number


def test_the_digest_does_not_depend_on_the_order_of_files() -> None:
    a, b = ("trend/a.py", b"a"), ("trend/b.py", b"b")
    assert strategy(a, b).digest == strategy(b, a).digest


@pytest.mark.parametrize(
    "other",
    [
        strategy(("trend/a.py", b"x")),
        strategy(("trend/b.py", b"a")),
        strategy(("trend/a.py", b"a"), ("trend/b.py", b"")),
        strategy(("trend/a.py", b"a"), shared=(("shared/a_v1.py", b"a"),)),
        strategy(),
    ],
)
def test_the_digest_changes_with_content_name_and_number_of_files(other: Strategy) -> None:
    assert strategy(("trend/a.py", b"a")).digest != other.digest


def test_the_digest_covers_shared_code() -> None:
    one = strategy(shared=(("shared/a_v1.py", b"1"),))
    two = strategy(shared=(("shared/a_v1.py", b"2"),))
    assert one.digest != two.digest


def test_finds_its_own_files_by_name() -> None:
    held = strategy(("trend/strategy.py", b"X = 1"), shared=(("shared/a_v1.py", b""),))
    assert held.source == "X = 1"
    assert held.file("a_v1.py") is None
    assert strategy().source == ""
