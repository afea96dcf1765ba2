"""The verbs of danger, asked of an agent that has no bots: what they write down."""

from collections.abc import Iterator

import pytest

from pipelines.errors import ExitCode
from tests.agent.conftest import Lay
from tests.agent.train import Train


@pytest.fixture(scope="module")
def train(lay: Lay) -> Iterator[Train]:
    with lay() as made:
        made.start()
        yield made


def written(train: Train, since: int) -> list[tuple[str, str, str]]:
    """What is new, but for who holds the lease."""
    fresh = [entry for entry in train.entries()[since:] if entry["entry"] != "lease"]
    return [(entry["entry"], entry["environment"], entry["strategy"]) for entry in fresh]


def test_halting_without_an_environment_halts_every_one_of_the_host(train: Train) -> None:
    before = len(train.entries())
    ended = train.sluice("halt", "--reason", "it looks wrong")
    assert ended.returncode == 0, ended.stderr
    assert sorted(ended.stdout.splitlines()) == ["halt prod *", "halt sandbox *", "halt test *"]
    names = ["prod", "sandbox", "test"]
    assert sorted(written(train, before)) == [("halted", name, "*") for name in names]
    assert all(environment.halted for environment in train.round().environments)


def test_resuming_an_environment_lifts_what_was_halted_there_one_by_one(train: Train) -> None:
    assert train.sluice("halt", "sandbox", "beat").returncode == 0
    before = len(train.entries())
    assert train.sluice("resume", "sandbox").returncode == 0
    told = [("resumed", "sandbox", "*"), ("resumed", "sandbox", "beat")]
    assert written(train, before) == told
    halted = {each.name: each.halted for each in train.round().environments}
    assert halted == {"prod": True, "sandbox": False, "test": True}


def test_resuming_without_an_environment_lifts_everything(train: Train) -> None:
    assert train.sluice("resume").returncode == 0
    assert not any(environment.halted for environment in train.round().environments)


def test_flattening_needs_an_environment(train: Train) -> None:
    before = train.entries()
    ended = train.sluice("flatten", "*")
    assert ended.returncode == ExitCode.BAD_INPUT
    assert "should be one environment" in ended.stderr
    assert train.sluice("flatten", "mars").returncode == ExitCode.BAD_INPUT
    assert train.entries() == before


def test_flattening_where_nothing_ever_traded_says_so(train: Train) -> None:
    before = len(train.entries())
    ended = train.sluice("flatten", "sandbox")
    assert (ended.returncode, ended.stdout) == (0, "there is no bot, and none ever traded there\n")
    assert written(train, before) == [("flattened", "sandbox", "*")]
    assert train.sluice("resume").returncode == 0


def test_without_an_agent_the_agent_s_own_command_does_the_same(train: Train) -> None:
    before = len(train.entries())
    refused = train.agent("halt", "sandbox")
    assert refused.wait(60) == ExitCode.CANNOT_TELL
    train.stop()
    assert train.agent("halt", "sandbox").wait(60) == 0, train.log
    assert "halt sandbox *" in train.log
    assert train.agent("resume").wait(60) == 0, train.log
    assert "resume prod *" in train.log
    assert train.agent("flatten", "sandbox").wait(60) == 0, train.log
    assert "there is no bot, and none ever traded there" in train.log
    assert train.agent("resume").wait(60) == 0, train.log
    told = written(train, before)
    assert told[0] == ("halted", "sandbox", "*")
    assert ("resumed", "sandbox", "*") in told
    train.start()


def test_without_an_agent_people_are_told_what_stops_bots_all_the_same(train: Train) -> None:
    train.stop()
    for words in (["halt"], ["resume"], ["flatten", "sandbox"]):
        ended = train.sluice(*words)
        assert ended.returncode == ExitCode.AGENT_UNREACHABLE
        assert f"hint: 'sluice-agent {words[0]}' does it without one" in ended.stderr
    assert "does it without one" not in train.sluice("status").stderr
    train.start()


def test_a_halt_that_would_stop_nothing_is_no_halt(train: Train) -> None:
    """As when somebody forgets with which options his agent is started."""
    train.stop()
    before = len(train.entries())
    stranger = train.agent("--host", "elsewhere", "halt")
    assert stranger.wait(60) == ExitCode.BAD_INPUT
    assert "elsewhere: no environment is this host's" in train.log
    assert written(train, before) == []
    train.start()


def test_what_is_to_be_started_again_has_to_be_there(train: Train) -> None:
    ended = train.sluice("restart", "sandbox", "beat")
    assert (ended.returncode, ended.stdout) == (ExitCode.REFUSED, "")
    assert "no bot runs there" in ended.stderr
    assert train.sluice("restart", "mars").returncode == ExitCode.BAD_INPUT
