"""A real freqtrade bot that processes once whenever it is told what time it is."""

import logging
from pathlib import Path
from typing import TextIO

import time_machine
from freqtrade.configuration import Configuration
from freqtrade.enums import State
from freqtrade.exceptions import OperationalException, TemporaryError
from freqtrade.freqtradebot import FreqtradeBot

from runner.rehearsal.turns import Done, Turn

logger = logging.getLogger(__name__)


def start(configs: list[str]) -> FreqtradeBot:
    """A bot that is ready to process, as freqtrade's worker makes it.

    :raises OperationalException: when freqtrade cannot trade like this.
    """
    Path("user_data").mkdir(exist_ok=True)
    arguments = {"config": configs, "user_data_dir": "user_data", "verbosity": 0}
    bot = FreqtradeBot(Configuration(arguments, None).get_config())
    bot.state = State.RUNNING
    bot.startup()
    return bot


def process(bot: FreqtradeBot) -> str:
    """One loop of freqtrade's worker; what it would try again after a while, in words."""
    try:
        bot.process()
    except TemporaryError as error:
        logger.warning("Error: %s", error)
        return f"{type(error).__name__}: {error}"
    except OperationalException as error:
        logger.exception("OperationalException. Stopping trader.")
        bot.state = State.STOPPED
        return f"{type(error).__name__}: {error}"
    return ""


def live(turns: TextIO, answers: TextIO, configs: list[str]) -> None:
    """Process once for every line, until there are no more."""
    bot: FreqtradeBot | None = None
    for line in turns:
        turn = Turn.model_validate_json(line)
        with time_machine.travel(turn.now, tick=False):
            bot = bot or start(configs)
            trouble = process(bot) if bot.state is State.RUNNING else ""
        state, timeframe = bot.state.name.lower(), str(bot.strategy.timeframe)
        done = Done(now=turn.now, state=state, timeframe=timeframe, trouble=trouble)
        print(done.model_dump_json(), file=answers, flush=True)
    if bot is not None:
        bot.cleanup()
