"""A real freqtrade bot that lives in steps: `python -m runner.bots.stepped CONFIG...`.

For every line `{"now": "2023-01-02T00:00:00Z"}` on standard input it moves its clock there, lets
freqtrade process once, and answers with one line on what was standard output. Between two lines
its time stands still. The bot itself starts with the first line. When the input ends, so does it.
"""

import ctypes
import gc
import os
import signal
import sys

from pipelines.freqtrade.lean import lean

_GRACE_SECONDS = 30


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
    # While modules are loaded nothing becomes garbage, and looking for it takes its time.
    gc.disable()
    lean()
    from runner.bots import living

    gc.freeze()
    gc.enable()
    living.live(sys.stdin, answers, sys.argv[1:])


if __name__ == "__main__":
    main()
