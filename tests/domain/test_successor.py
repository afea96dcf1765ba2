"""What the source of a release tells about the trades that it would take over."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from pipelines.domain.adoption import Successor
from pipelines.domain.strategy import Manifest
from pipelines.domain.successor import successor

ROOT = Path(__file__).resolve().parents[2]
PLAIN = """
from freqtrade.strategy import IStrategy

class Calm(IStrategy):
    stoploss = -0.1
    {more}

    def populate_entry_trend(self, dataframe, metadata):
        {entry}
        return dataframe
"""


def manifest(**more: Any) -> Manifest:
    told = {
        "class": "Calm",
        "version": "1.0.0",
        "owner": "us",
        "summary": "s",
        "pairs": ["BTC/USDT"],
        "timeframe": "1h",
        "handover": "adopt",
    }
    return Manifest.model_validate_json(json.dumps(told | more))


def read(
    entry: str = "pass", more: str = "pass", files: dict[str, bytes] | None = None, **keys: Any
) -> Successor:
    code = PLAIN.format(entry=entry, more=more).encode()
    found = successor("calm", manifest(**keys), {"calm/strategy.py": code, **(files or {})})
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("entry", "tags", "told"),
    [
        ("pass", set(), True),
        ('dataframe["enter_tag"] = "a"', {"a"}, True),
        ('dataframe.loc[x, "enter_tag"] = "a"', {"a"}, True),
        ('dataframe.loc[x, ["enter_long", "enter_tag"]] = (1, "a")', {"a"}, True),
        ('dataframe.loc[x, ["enter_tag", "enter_long"]] = ["a", 1]', {"a"}, True),
        ('dataframe["enter_tag"] = np.where(x, "a", None)', {"a"}, True),
        ('dataframe["enter_tag"] = np.where(x, "a", np.where(y, "b", ""))', {"a", "b"}, True),
        ('dataframe["enter_tag"] = "a" if x else "b"', {"a", "b"}, True),
        ('dataframe["enter_tag"] = "a"; y = dataframe["enter_tag"]', {"a"}, True),
        ('dataframe["enter_tag"] = f"a{x}"', set(), False),
        ('dataframe["enter_tag"] = name', set(), False),
        ('dataframe["enter_tag"] = "a"; dataframe["enter_tag"] += "b"', {"a"}, False),
        ('dataframe["enter_tag"] = np.where(x, "a", y)', set(), False),
        ('dataframe.loc[x, ["enter_long", "enter_tag"]] = pair', set(), False),
        ('dataframe = dataframe.assign(enter_tag="a")', set(), False),
        ('column = "enter_tag"; dataframe[column] = "a"', set(), False),
        ('dataframe["enter_tag"] = x.where(a, "b", c)', {"b"}, False),
        ('dataframe["enter_tag"] = np.where(x)', set(), False),
        ('dataframe["enter_tag"] = np.where(x, "a", "b", other=c)', set(), False),
        ('dataframe["enter_tag"] = where(x, "a", "b")', set(), False),
        ('dataframe["enter_tag"] = x.y.where(x, "a", "b")', set(), False),
        ('dataframe["enter_tag"] = f"a{x}"; dataframe["enter_tag"] = "a"', {"a"}, False),
        ('dataframe["enter_tag"] = 5', set(), False),
        (
            'c = "enter_tag"; dataframe["enter_tag"] = "a"; dataframe.assign(enter_tag="b")',
            {"a"},
            False,
        ),
    ],
)
def test_entry_tags_that_are_written_out(entry: str, tags: set[str], told: bool) -> None:
    found = read(entry)
    if not told:
        assert not found.tags_told
        return
    assert (set(found.tags), found.tags_told) == (tags, True)


def test_a_constant_of_the_file_is_a_tag_unless_it_is_given_twice() -> None:
    entry = 'dataframe["enter_tag"] = TAG'
    once = PLAIN.format(entry=entry, more="pass") + '\nTAG = "a"\n'
    found = successor("calm", manifest(), {"calm/strategy.py": once.encode()})
    assert found is not None
    assert found.tags == {"a"}
    twice = successor("calm", manifest(), {"calm/strategy.py": (once + 'TAG = "b"\n').encode()})
    assert twice is not None
    assert not twice.tags_told


@pytest.mark.parametrize(
    ("below", "more", "tags"),
    [
        ('TAG = "a"', "pass", {"a"}),
        ('TAG = "a"\nOTHER.name = "b"', "pass", {"a"}),
        ("TAG = 5", "pass", None),
        ('TAG = "a"', "def other(self, TAG): pass", None),
        ('TAG = "a"\ndel TAG', "pass", None),
    ],
)
def test_what_a_name_of_the_file_stands_for(below: str, more: str, tags: set[str] | None) -> None:
    entry = 'dataframe["enter_tag"] = TAG'
    code = f"{PLAIN.format(entry=entry, more=more)}\n{below}\n"
    found = successor("calm", manifest(), {"calm/strategy.py": code.encode()})
    assert found is not None
    assert (set(found.tags) if found.tags_told else None) == tags


def test_the_manifest_tells_tags_that_are_made_up() -> None:
    found = read('dataframe["enter_tag"] = f"a{x}"', entry_tags=["a1", "a2"])
    assert (set(found.tags), found.tags_told) == ({"a1", "a2"}, True)


def test_shared_code_counts_and_tests_do_not() -> None:
    shared = b'def tag(frame):\n    frame["enter_tag"] = "b"\n'
    test = b'def test_it(frame):\n    frame["enter_tag"] = "c"\n'
    found = read(files={"shared/t_v1.py": shared, "calm/test_calm.py": test})
    assert set(found.tags) == {"b"}


@pytest.mark.parametrize(
    ("more", "parameters", "stoploss"),
    [
        ("pass", None, "-0.1"),
        ("stoploss = 0.2", None, "-0.2"),
        ("stoploss = -1", None, "-1"),
        ("stoploss = LIMIT", None, None),
        ("stoploss = True", None, None),
        ("pass", {"params": {"stoploss": {"stoploss": -0.3}}}, "-0.3"),
        ("pass", {"params": {}}, "-0.1"),
        ("pass", {"params": {"stoploss": {"stoploss": "x"}}}, None),
        ("pass", {"other": 1}, None),
        ("pass", [], None),
        ("pass", {"params": []}, None),
        ("stoploss = 1e999", None, None),
    ],
)
def test_the_stop_that_will_be_in_force(more: str, parameters: Any, stoploss: str | None) -> None:
    files = (
        {"calm/strategy.json": json.dumps(parameters).encode()} if parameters is not None else {}
    )
    assert read(more=more, files=files).stoploss == (Decimal(stoploss) if stoploss else None)


def test_parameters_that_cannot_be_read_tell_no_stop() -> None:
    assert read(files={"calm/strategy.json": b"{"}).stoploss is None
    code = PLAIN.format(entry="pass", more="pass").replace("stoploss = -0.1", "pass").encode()
    found = successor("calm", manifest(), {"calm/strategy.py": code})
    assert found is not None
    assert found.stoploss is None


@pytest.mark.parametrize(
    ("more", "leverage", "shorts", "adjusts", "remembers"),
    [
        ("pass", 1, False, False, False),
        ("def leverage(self, pair, **kwargs): return 3.0", 3, False, False, False),
        ("def leverage(self, pair, **kwargs): return self.x", None, False, False, False),
        ("can_short = True", 1, True, False, False),
        ("can_short = X", 1, None, False, False),
        ("position_adjustment_enable = True", 1, False, True, False),
        ("position_adjustment_enable = ON", 1, False, None, False),
        ("def f(self, trade): trade.get_custom_data('a')", 1, False, False, True),
        ("def f(self, trade): trade.set_custom_data('a', 1)", 1, False, False, True),
        ("def f(self, trade): trade.get_all_custom_data()", 1, False, False, True),
    ],
)
def test_what_else_decides(
    more: str, leverage: int | None, shorts: bool | None, adjusts: bool | None, remembers: bool
) -> None:
    found = read(more=more)
    assert found.leverage == (None if leverage is None else Decimal(leverage))
    assert (found.shorts, found.adjusts, found.remembers) == (shorts, adjusts, remembers)


def test_classes_that_inherit_from_each_other_are_no_endless_matter() -> None:
    code = PLAIN.format(entry="pass", more="pass").replace("Calm(IStrategy)", "Calm(Circle)")
    code += "\nclass Circle(Calm):\n    pass\n"
    assert successor("calm", manifest(), {"calm/strategy.py": code.encode()}) is not None


@pytest.mark.parametrize("above", ["Other", "other.Base", "Circle", "Other, IStrategy"])
def test_of_a_class_that_inherits_from_elsewhere_less_can_be_told(above: str) -> None:
    code = PLAIN.format(entry="pass", more="pass").replace("Calm(IStrategy)", f"Calm({above})")
    code += "\nclass Circle(Calm, Other):\n    pass\n"
    found = successor("calm", manifest(), {"calm/strategy.py": code.encode()})
    assert found is not None
    assert (found.adjusts, found.shorts) == (None, None)


@pytest.mark.parametrize("code", [b"def", b"\xff\xfe", b"# coding: latin-1\nx = 1\n"])
def test_of_what_is_no_python_nothing_can_be_told(code: bytes) -> None:
    assert successor("calm", manifest(), {"calm/strategy.py": code}) is None
    assert successor("calm", manifest(), {}) is None


@pytest.mark.parametrize("name", ["bollinger_rsi", "calm_momentum", "trend_breakout"])
def test_everything_can_be_told_of_the_shipped_strategies(name: str) -> None:
    from pipelines import documents

    folder = ROOT / "strategies" / name
    files = {
        f"{name}/{path.name}": path.read_bytes() for path in folder.iterdir() if path.is_file()
    }
    found = successor(name, documents.load(folder / "strategy.yaml", Manifest), files)
    assert found is not None
    assert found.tags_told
    assert len(found.tags) == 1
    assert None not in (found.stoploss, found.leverage, found.shorts, found.adjusts)
