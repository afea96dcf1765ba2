"""What people and machines are told of the train."""

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from pipelines.adapters.agent import (
    EnvironmentStatus,
    Explained,
    Flattening,
    Said,
    Status,
    StrategyStatus,
)
from pipelines.adapters.health import HealthReason
from pipelines.errors import ExitCode
from pipelines.workflow import tell_train

NOW = datetime(2022, 3, 1, 12, tzinfo=UTC)

BEAT = StrategyStatus(
    name="beat",
    desired="beat@1.1.0+22222222",
    running="beat@1.0.0+11111111",
    verified=False,
    phase="running",
    healthy=False,
    open_trades=None,
    equity=Decimal("249.5"),
    since=NOW,
    decision="open trades",
    handover="beat@1.0.0+11111111 goes, open trades: 2, way: drain",
    reasons=(HealthReason(check="candles", text="old", since=NOW),),
)
STATUS = Status(
    environments=(
        EnvironmentStatus(name="sandbox", mode="live", hold=True, halted=True, strategies=(BEAT,)),
        EnvironmentStatus(name="test", mode="dry_run", hold=False, halted=False, strategies=()),
    )
)
EXPLAINED = Explained(
    release="beat@1.0.0+11111111",
    digest="1" * 64,
    environment="sandbox",
    eligible=False,
    reasons=(Said(because="hold", text="it is on hold", hint="lift it"),),
    grounds=(Said(because="upstream", text="verified in test"),),
    predecessor=None,
    sequence=1,
    at=NOW,
)

Capture = pytest.CaptureFixture[str]

EMPTY = Flattening(environment="sandbox", strategy="beat")
STUCK = Flattening(environment="sandbox", strategy="calm", left=("BTC/USDT: 0.1 left: closed",))


def test_a_flatten_says_what_is_left_and_its_exit_code_says_so_too(capsys: Capture) -> None:
    assert tell_train.flattened((EMPTY,), as_json=False) is ExitCode.DONE
    assert capsys.readouterr().out == "sandbox beat: nothing is left\n"
    assert tell_train.flattened((EMPTY, STUCK), as_json=False) is ExitCode.REFUSED
    said = capsys.readouterr().out.splitlines()
    assert said[1:3] == ["sandbox calm: could not be closed:", "  ✗ BTC/USDT: 0.1 left: closed"]
    assert "sluice docs stopping" in said[3]
    assert tell_train.flattened((STUCK,), as_json=True) is ExitCode.REFUSED
    assert json.loads(capsys.readouterr().out)[0]["left"] == ["BTC/USDT: 0.1 left: closed"]


def test_a_flatten_of_nothing_says_that_there_was_no_bot(capsys: Capture) -> None:
    assert tell_train.flattened((), as_json=False) is ExitCode.DONE
    assert capsys.readouterr().out == "there is no bot, and none ever traded there\n"


def test_people_see_what_is_wanted_what_runs_and_what_keeps_them_apart(capsys: Capture) -> None:
    assert tell_train.status(STATUS, as_json=False) is ExitCode.DONE

    said = capsys.readouterr().out
    assert "sandbox · live · hold · halted" in said
    assert "test · dry-run" in said
    row = next(line for line in said.splitlines() if line.strip().startswith("beat "))
    cells = ["beat", "1.1.0+22222222", "1.0.0+11111111", "running, not verified", "?", "249.50"]
    assert all(cell in row for cell in (*cells, "2022-03-01 12:00")), row
    assert "beat: open trades" in said
    assert "beat: beat@1.0.0+11111111 goes, open trades: 2, way: drain" in said
    assert "beat: ✗ candles: old, since 2022-03-01 12:00 UTC" in said


def test_machines_get_one_line_with_money_as_text(capsys: Capture) -> None:
    tell_train.status(STATUS, as_json=True)

    (line,) = capsys.readouterr().out.splitlines()
    told = json.loads(line)["environments"][0]
    assert set(told) == {"name", "mode", "hold", "halted", "strategies"}
    (beat,) = told["strategies"]
    assert set(beat) == {
        "name", "desired", "running", "verified", "phase", "healthy", "open_trades", "equity",
        "since", "decision", "handover", "pid", "reasons",
    }  # fmt: skip
    assert (beat["equity"], beat["since"]) == ("249.5", "2022-03-01T12:00:00Z")
    assert Status.model_validate_json(line) == STATUS


def test_what_speaks_against_comes_with_its_hint_and_its_exit_code(capsys: Capture) -> None:
    assert tell_train.explained(EXPLAINED, as_json=False) is ExitCode.REFUSED

    assert capsys.readouterr().out.splitlines() == [
        "beat@1.0.0+11111111 may not enter sandbox",
        "  ✗ hold: it is on hold — lift it",
        "  ✓ upstream: verified in test",
    ]


@pytest.mark.parametrize("as_json", [True, False])
def test_what_may_not_enter_is_refused_for_people_and_machines_alike(
    capsys: Capture, as_json: bool
) -> None:
    may = EXPLAINED.model_copy(update={"eligible": True, "reasons": ()})

    assert tell_train.explained(may, as_json=as_json) is ExitCode.DONE
    assert tell_train.explained(EXPLAINED, as_json=as_json) is ExitCode.REFUSED


def test_a_delivery_names_where_it_is_wanted_and_where_not(capsys: Capture) -> None:
    told = {
        "release": "beat@1.0.0+11111111",
        "digest": "1" * 64,
        "promoted": ["test"],
        "refused": {"other": ["hold: other is on hold by ann"]},
    }
    tell_train.delivered(told, as_json=False)

    assert capsys.readouterr().out.splitlines() == [
        "delivered beat@1.0.0+11111111",
        "wanted in test: 'sluice status' shows how far it is",
        "not wanted in other: hold: other is on hold by ann",
    ]


def test_history_is_a_line_for_each_entry(capsys: Capture) -> None:
    entry = {
        "number": 3, "entry": "halted", "environment": "test", "strategy": "*", "by": "ann",
        "reason": "", "at": "2022-03-01T12:00:00Z",
    }  # fmt: skip
    tell_train.history([entry], as_json=False)

    assert capsys.readouterr().out == "     3  2022-03-01T12:00  halted     test *  by=ann\n"
