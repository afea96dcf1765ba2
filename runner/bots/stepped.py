"""A real freqtrade bot that lives in steps: `python -m runner.bots.stepped CONFIG...`.

For every line `{"now": "2023-01-02T00:00:00Z"}` on standard input it moves its clock there, lets
freqtrade process once, and answers with one line on what was standard output. Between two lines
its time stands still. The bot itself starts with the first line. When the input ends, so does it.
"""

import ctypes
import logging
import os
import signal
import sys
from pathlib import Path
from typing import TextIO

import time_machine
from freqtrade.configuration import Configuration
from freqtrade.enums import State
from freqtrade.exceptions import OperationalException, TemporaryError
from freqtrade.freqtradebot import FreqtradeBot

from runner.rehearsal.turns import Done, Turn

logger = logging.getLogger(__name__)

_GRACE_SECONDS = 30


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


def end_with_parent() -> None:
    """End soon after whoever drives this bot, also in a turn that has no end (Linux only).

    Not at once: a bot that is killed between an order and its database forgets the order.
    """
    signal.signal(signal.SIGTERM, lambda *_: signal.alarm(_GRACE_SECONDS))
    set_parent_death_signal = 1
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGTERM)


def main() -> None:
    """Keep standard output for answers: what strategies print goes to standard error."""
    end_with_parent()
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    live(sys.stdin, answers, sys.argv[1:])


if __name__ == "__main__":
    main()
