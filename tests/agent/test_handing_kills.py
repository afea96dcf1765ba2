"""kill -9 in the middle of handovers: every position keeps exactly one who looks after it.

The same where the line to the exchange is cut then: for the bots and for the agent.
A run takes so many steps of each way, drawn by a seed: `SLUICE_KILLED_STEPS` and
`SLUICE_KILLED_SEED` say how many, and which.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.agent.conftest import stepping
from tests.agent.handing import HOLD, UNLIMITED
from tests.agent.line import Line, through
from tests.agent.train import laid

pytestmark = pytest.mark.freqtrade

WAYS: dict[str, dict[str, Any]] = {
    "adopt": {"way": "adopt"},
    "drain": {"way": "drain", "deadline": {"hours": 1}, "then": "close_at_market"},
    "side_by_side": {
        "way": "side_by_side",
        "account": "aside",
        "deadline": {"hours": 1},
        "then": "close_at_market",
    },
}
PORTFOLIO = {
    "stake_currency": "USDT",
    "starting_balance": 250,
    "stake": 32,
    "max_open_trades": 5,
    "available_capital": 200,
    "fee": 0.001,
}
"""Half of such a stake can be sold: freqtrade never cancels the rest of an entry where it can't."""

STATES = ["stop", "none", "partial entry", "partial exit", "exit in flight"]
MOST_STEPS = int(os.environ.get("SLUICE_KILLED_STEPS", "3"))
"""How many steps of each way are deadly in one run, with positions that have their stops."""
SEED = int(os.environ.get("SLUICE_KILLED_SEED", "1"))
"""Which steps these are, and who dies: another number, another part of the whole."""

ESCALATED = ("warning: ", "money: ")

Lines = list[dict[str, Any]]


@pytest.fixture(scope="module", params=list(WAYS))
def played(
    root: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Lines]:
    """What became of the cases of one way, on an exchange where nobody traded before."""
    new = tmp_path_factory.mktemp
    with (
        stepping(root, new("exchange")) as exchange,
        Line.to(httpx.URL(exchange.ready.api_url).port or 0) as line,
        closing(laid(root, new("train"), exchange)) as train,
    ):
        train.secret("sandbox")
        train.secret("sandbox", "akey", "as", account="aside")
        train.declare("sandbox", handover=WAYS[request.param], portfolio=PORTFOLIO)
        train.declare("sandbox", protections=UNLIMITED)
        made = [train.release(v, HOLD, handover=request.param) for v in ("1.0.0", "1.1.0")]
        given = {
            "project": str(train.project),
            "home": str(train.home),
            "ready": str(through(line, exchange.ready, new("line"))),
            "line": asdict(line),
            "releases": str(train.home),
            "versions": [(str(each.id), each.digest) for each in made],
            "states": STATES,
            "most": MOST_STEPS,
            "seed": SEED,
        }
        argv = [sys.executable, "-m", "tests.agent.doomed_handing", json.dumps(given)]
        cases = new("cases") / "lines"
        with cases.open("w") as told:
            ended = subprocess.run(
                argv,
                cwd=root,
                stdout=told,
                stderr=subprocess.PIPE,
                text=True,
                timeout=300 + 60 * MOST_STEPS,
                check=False,
            )
        said = cases.read_text()
        assert ended.returncode == 0, said + ended.stderr + train.told()
        print(said)
        yield [json.loads(line) for line in said.splitlines()]


def test_a_position_has_exactly_one_manager_and_a_stop_whoever_died(played: Lines) -> None:
    assert {line["state"] for line in played} == set(STATES)
    assert {line["healed"] for line in played} == {0}
    for line in played:
        died = -signal.SIGKILL if line["victim"] in ("agent", "both") else 0
        # With fewer trades there are fewer steps: it may have been done before the deadly one.
        was_done = (line["ended"], line["counted"] < line["at"]) == (0, True)
        assert line["ended"] == died or was_done, line
    for line in played:
        assert all(told == [1, 1] for told in line["after"].values()), line


def test_within_two_rounds_it_has_both_or_a_human_knows(played: Lines) -> None:
    for line in played:
        # An exit that is on its way takes the place of a stop.
        stops = (1,) if line["state"] == "stop" else (0, 1)
        unsafe = [told for told in line["second"].values() if told[0] != 1 or told[1] not in stops]
        assert not unsafe or any(each.startswith(ESCALATED) for each in line["told"]), line


def test_there_never_are_two(played: Lines) -> None:
    assert {line["bots"] for line in played} <= {0, 1}
    for line in played:
        for told in (*line["between"].values(), *line["second"].values()):
            assert told[0] <= 1, line
            assert told[1] <= 1, line
