"""A Bot API on loopback, shared: every test has a token of its own there."""

from collections.abc import Iterator

import pytest

from tests.telegram.bot_api import BotApi, StandIn, standing_in


@pytest.fixture(scope="session")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    with standing_in(tmp_path_factory.mktemp("bot-api")) as there:
        yield there


@pytest.fixture
def api(stand_in: StandIn) -> BotApi:
    return stand_in.bot()
