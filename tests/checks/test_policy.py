"""The policy on the syntax tree: what it lets through and what it shows to a human."""

from pathlib import Path
from textwrap import dedent

import pytest

from pipelines.checks import policy
from pipelines.domain.strategy import SourceFile
from pipelines.domain.verdict import Finding

HEAD = """
import numpy as np
import pandas as pd
import talib.abstract as ta
from freqtrade.persistence import Trade
from freqtrade.strategy import IStrategy, informative
from pandas import DataFrame
"""


def judged(source: str, path: str = "x/strategy.py", *more: SourceFile) -> tuple[Finding, ...]:
    return policy.findings((SourceFile(path, dedent(source).encode()), *more))


CASES = Path(__file__).with_name("policy")


def cases(name: str) -> dict[str, str]:
    """Pieces of code by title. The usual imports are not among them."""
    pieces = (CASES / f"{name}.txt").read_text("utf-8").split("\n### ")[1:]
    return {title: code.strip("\n") for title, _, code in (p.partition("\n") for p in pieces)}


ORDINARY, EVASIONS = cases("ordinary"), cases("evasions")


@pytest.mark.parametrize("source", ORDINARY.values(), ids=ORDINARY)
def test_accepts_what_strategies_ordinarily_do(source: str) -> None:
    assert judged(HEAD + source) == ()


@pytest.mark.parametrize("source", EVASIONS.values(), ids=EVASIONS)
def test_objects_to(source: str) -> None:
    assert judged(HEAD) == ()
    assert judged(source if source.startswith("#") else HEAD + source)


def test_the_tables_are_long_enough_to_mean_something() -> None:
    assert len(ORDINARY) >= 25
    assert len(EVASIONS) >= 60


def test_says_where_what_and_what_to_do() -> None:
    (finding,) = judged("x = 1\nimport requests\n")
    assert finding.what == "strategies/x/strategy.py:2: imports requests"
    assert finding.hint == (
        "a strategy reaches no files, no network, no processes and no clock of its own"
    )


def test_tells_all_objections_at_once_in_the_order_of_lines() -> None:
    found = judged("import os\nimport sys\neval('1')\n")
    assert [finding.what.rsplit(": ", 1)[1] for finding in found] == [
        "imports os",
        "imports sys",
        "uses eval",
    ]


def test_says_the_same_thing_of_one_line_only_once() -> None:
    assert len(judged("x = [eval, eval]")) == 1


def test_names_the_way_out_for_a_package_that_is_not_pinned() -> None:
    (finding,) = judged("import pandas_ta as pta")
    assert finding.hint == "not among the pinned packages: use talib, technical, pandas or numpy"


def test_tests_may_import_what_tests_need_and_strategies_may_not() -> None:
    source = "import pytest\nfrom hypothesis import given\n\n@pytest.fixture\ndef a():\n    pass\n"
    assert judged(source, "x/test_x.py") == ()
    assert len(judged(source, "x/strategy.py")) == 2


def test_tests_may_shift_candles_into_the_past() -> None:
    assert judged("def test_a(frame):\n    frame['close'].shift(-1)\n", "x/test_x.py") == ()


def test_tests_are_held_to_the_rest_of_the_policy() -> None:
    assert judged("import os", "x/test_x.py")
    assert judged("import pytest\npytest.importorskip('os')", "x/test_x.py")


def test_files_of_a_plugin_may_import_each_other() -> None:
    other = SourceFile("x/levels.py", b"import math\n\ndef level():\n    return 1\n")
    assert judged("import levels\nlevels.level()", "x/strategy.py", other) == ()
    assert judged("from levels import level", "x/strategy.py", other) == ()


def test_another_file_is_no_way_to_the_modules_that_it_imports() -> None:
    other = SourceFile("shared/levels_v1.py", b"import pandas as pd\nLEVEL = 1\n")
    assert judged("from shared.levels_v1 import LEVEL", "x/strategy.py", other) == ()
    assert judged("from shared.levels_v1 import pd", "x/strategy.py", other)
    assert judged("import shared.levels_v1 as s\ns.pd.io", "x/strategy.py", other)


def test_shared_code_is_held_to_the_policy_too() -> None:
    (finding,) = judged("x = 1", "x/strategy.py", SourceFile("shared/a_v1.py", b"import os"))
    assert finding.what.startswith("strategies/shared/a_v1.py:1: ")


def test_a_file_may_not_hide_a_module() -> None:
    (finding,) = judged("x = 1", "x/numpy.py")
    assert "hides a module" in finding.what


@pytest.mark.parametrize("path", ["x/lib.so", "x/model.pkl", "x/run.sh", "x/pytest.ini"])
def test_objects_to_files_that_are_no_part_of_a_plugin(path: str) -> None:
    (finding,) = policy.findings((SourceFile(path, b""),))
    assert finding.what == f"strategies/{path}: is of a kind that does not belong into a plugin"


def test_a_file_that_is_no_text_is_named() -> None:
    (finding,) = policy.findings((SourceFile("x/strategy.py", b"a = 1\nb = '\xff'\n"),))
    assert finding.what == "strategies/x/strategy.py:2: is not UTF-8 text"


def test_the_shipped_strategies_pass() -> None:
    folder = Path(__file__).resolve().parents[2] / "strategies"
    files = tuple(
        SourceFile(path.relative_to(folder).as_posix(), path.read_bytes())
        for path in sorted(folder.rglob("*.py"))
        if "__pycache__" not in path.parts
    )
    assert policy.findings(files) == ()
