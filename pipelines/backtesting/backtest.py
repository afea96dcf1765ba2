"""Backtests one strategy on several windows: `python -m pipelines.backtesting.backtest`."""

import gc

from pipelines.backtesting import replies
from pipelines.freqtrade.lean import lean
from pipelines.freqtrade.messages import BacktestRequest


def main() -> None:
    """Answer the request in the current folder."""
    replies.die_with_parent()
    # While modules are loaded nothing becomes garbage, and looking for it takes its time.
    gc.disable()
    lean()
    from pipelines.backtesting import windows

    replies.write(windows.answer(replies.request(BacktestRequest)))


if __name__ == "__main__":
    main()
