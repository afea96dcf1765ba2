"""Ways around the static policy. It refuses what it knows; isolation stops all of them.

All pieces become functions of one strategy. Outside of any isolation every one of them must reach
what it is after, or it would prove nothing; in a real child none may, seen from our side.
"""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import indent
from typing import Any, Literal

import pytest

from pipelines.checks import policy
from pipelines.documents import load
from pipelines.domain.document import Document
from pipelines.domain.strategy import SourceFile
from pipelines.domain.verdict import Status

HEAD = """
import numpy as np
import pandas as pd
from freqtrade.strategy import IStrategy
from pandas import DataFrame

SECRET = "@secret@"
OUTSIDE = "@outside@"
VARIABLE = "@variable@"
VICTIM = int("@victim@")
PORT = int("@port@")

"""
TAIL = '''

def tried():
    """What every piece came to, told shortly: it has to fit into an error."""
    told = []
    for number, piece in enumerate(PIECES):
        try:
            reached = piece()
            told.append(f"{number}:{'reached' if reached else 'nothing'} {str(reached)[:50]!r}")
        except BaseException as error:
            told.append(f"{number}:{type(error).__name__}")
    return " | ".join(told)


class Plugin(IStrategy):
    INTERFACE_VERSION = 3
    timeframe = "1h"
    stoploss = -0.1
    minimal_roi = {"0": 10}

    def populate_indicators(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        raise ValueError(tried())

    populate_entry_trend = populate_exit_trend = populate_indicators
'''


class Piece(Document):
    """One way around the policy, the body of a function."""

    policy: Literal["refuses", "misses"]
    code: str


class Corpus(Document):
    """`evasions.yaml`."""

    pieces: dict[str, Piece]


PIECES = load(Path(__file__).with_name("evasions.yaml"), Corpus).pieces


def function(number: int, piece: Piece) -> str:
    return f"def piece_{number}():\n{indent(piece.code, '    ')}\n\n"


def whole() -> str:
    """All pieces in one module."""
    functions = "\n".join(function(number, each) for number, each in enumerate(PIECES.values()))
    names = ", ".join(f"piece_{number}" for number in range(len(PIECES)))
    return f"{HEAD}{functions}\nPIECES = [{names}]\n{TAIL}"


def endings(told: str) -> dict[str, str]:
    """How each piece ended, by its title."""
    found = dict(each.strip().split(":", 1) for each in told.split(" | "))
    return {title: found[str(number)] for number, title in enumerate(PIECES)}


def test_there_are_enough() -> None:
    assert len(PIECES) >= 25


@pytest.mark.parametrize("title", PIECES)
def test_the_policy_says_of_it_what_the_corpus_says(title: str) -> None:
    piece = PIECES[title]
    source = HEAD.replace('int("@victim@")', "1").replace('int("@port@")', "1")
    found = policy.findings((SourceFile("x/strategy.py", (source + function(0, piece)).encode()),))
    assert bool(found) is (piece.policy == "refuses"), found


@pytest.mark.freqtrade
def test_each_reaches_what_it_is_after_where_nothing_shuts_it_in(bait: Any, tmp_path: Path) -> None:
    (tmp_path / "evasions.py").write_text(bait.planted_in(whole()))
    program = "import evasions; print(evasions.tried())"
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    told = endings(ended.stdout.strip().splitlines()[-1])
    assert {t: said for t, said in told.items() if not said.startswith("reached")} == {}
    assert len(bait.touched(ended.stdout.encode())) >= 3


@pytest.mark.freqtrade
@pytest.mark.parametrize("check", ["backtest", "unit"])
def test_none_reaches_anything_in_a_child(
    check: str, bait: Any, examine: Callable[..., Any], plugin: Callable[..., Any]
) -> None:
    run = examine(check, plugin(bait.planted_in(whole())), {}, {})
    assert bait.touched(run.told) == []
    assert bait.children_left() == []
    assert run.verdict.status is Status.FAILED
    told = next(f.actual for f in run.verdict.findings if "0:" in f.actual)
    told = told.partition("ValueError: ")[2].rpartition(" (")[0]
    reached = {title: said for title, said in endings(told).items() if said.startswith("reached")}
    assert reached == {}
