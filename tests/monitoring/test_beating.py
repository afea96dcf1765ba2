"""What counts inside a bot: it sees what the bot does, and never gets in its way."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from runner.bots.beating import Beat
from runner.monitoring import pulse

pytestmark = pytest.mark.freqtrade

ANSWER = {"orderId": 1}


class Api:
    """A client of an exchange whose key cannot even be looked at."""

    @property
    def apiKey(self) -> str:  # noqa: N802 - ccxt's name
        raise RuntimeError("no key for you")

    def fetch(self, *_: Any) -> dict[str, int]:
        return ANSWER


def bot(turns: list[int], **config: str) -> Any:
    exchange = SimpleNamespace(_api=Api(), _api_async=Api())
    pairs: list[str] = []
    return SimpleNamespace(
        exchange=exchange,
        config=config,
        active_pair_whitelist=pairs,
        process=lambda: turns.append(1),
    )


def test_what_cannot_be_watched_ends_no_turn_and_loses_no_answer(tmp_path: Path) -> None:
    turns: list[int] = []
    watched = bot(turns)  # a configuration without a timeframe: nothing can be written
    Beat(tmp_path / pulse.FILE).follow(watched)
    assert watched.exchange._api.fetch("https://exchange/order", "POST") is ANSWER
    watched.process()
    assert turns == [1]
    assert pulse.read(tmp_path / pulse.FILE) is None


def test_a_turn_is_counted(tmp_path: Path) -> None:
    watched = bot([], timeframe="1h")
    Beat(tmp_path / pulse.FILE).follow(watched)
    watched.process()
    watched.process()
    said = pulse.read(tmp_path / pulse.FILE)
    assert said is not None
    assert (said.turns, said.timeframe) == (2, 3600)
