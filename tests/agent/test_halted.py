"""A halted bot is paused by itself, whoever dies, and is so before anybody looks at it again.

Bots are light: what keeps a real one from entering is held in test_stopping.py. Here nothing but
the agent's plan halts, as where it has lost its lease and the ledger knows of no halt.
"""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from pipelines.domain.deployment import Phase
from runner.agent import records
from runner.agent.preparing import PAUSED
from tests.agent.light import Light, files, launched_by, light, project

pytestmark = pytest.mark.slow


@pytest.fixture
def there(root: Path, tmp_path: Path) -> Iterator[Light]:
    """A bot in test that trades."""
    train = project(root, tmp_path / "train", None)
    launcher = launched_by(tmp_path, root)
    with light(train, launcher, tmp_path / "home") as light_:
        light_.deliver(files(train, "1.0.0", "class Beat: ...\n")[1:])
        light_.settle()
        assert stands(light_) == (Phase.RUNNING, "running", False)
        yield light_
    launcher.close()


def stands(there: Light) -> tuple[Phase, str, bool]:
    """What the agent takes it for, how it says itself that it runs, and what it will read again."""
    (member,) = there.agent.members(there.agent.declared(), there.now).values()
    record = records.load(there.house.record("test", "beat"))
    assert record is not None
    marker = (member.database.parent / PAUSED).exists()
    return member.bot.phase, record.rest.shown().state, marker


HALTED = Phase.HALTED, "paused", True


def test_a_halt_pauses_the_bot_itself_and_a_resume_lets_it_in(there: Light) -> None:
    there.ask("halt", environment="test", strategy="beat")
    there.agent.tick()
    assert stands(there) == HALTED
    there.settle()
    assert stands(there) == HALTED
    there.ask("resume", environment="test", strategy="beat")
    there.settle()
    assert stands(there) == (Phase.RUNNING, "running", False)


def test_it_is_halted_again_after_the_bot_the_agent_or_both_have_died(there: Light) -> None:
    there.ask("halt", environment="test", strategy="beat")
    there.settle()
    for dies in (("bot",), ("agent",), ("bot", "agent")):
        if "bot" in dies:
            there.end_bot("test")
        if "agent" in dies:
            there.agent.ledger.close()
            there.open()
        there.agent.tick()
        there.now += timedelta(hours=1)
        there.settle()
        assert stands(there) == HALTED, dies


def test_a_bot_that_was_halted_while_nobody_looked_after_it_starts_halted(there: Light) -> None:
    """The halt is in the ledger, and its bot dead, before any agent has acted on it."""
    there.end_bot("test")
    there.ask("halt", environment="test", strategy="*")
    there.agent.ledger.close()
    there.open()
    there.agent.tick()
    there.now += timedelta(hours=1)
    there.settle()
    assert stands(there) == HALTED
