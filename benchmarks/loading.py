"""Loads the candles of one backtest and says how long that took: `loading.py stock|warm START-END`.

Runs in a folder that was laid out for a child. `stock` is freqtrade's own loading; `warm` reads the
files as our server does before its forks and loads from there, all of it timed. The time is that of
the processor, which a busy machine bends least: both sides have one thread and warm files. Then the
last 30 days are backtested. One line of JSON: the seconds, a digest of all that was loaded, and the
trades.
"""

import hashlib
import json
import sys
import time
from pathlib import Path
from typing import Any

from pipelines.freqtrade.lean import lean

LAST = 30 * 288
"""Candles of five minutes that are backtested."""


def main() -> None:
    """Load, backtest, tell."""
    kind, timerange = sys.argv[1:]
    lean()
    import pandas as pd
    from freqtrade.optimize.backtesting import Backtesting
    from freqtrade.persistence import LocalTrade

    from pipelines.backtesting import offline, windows
    from pipelines.freqtrade.messages import BacktestRequest

    class_name = json.loads(Path("config.json").read_text())["strategy"]
    config = offline.configuration(
        class_name, user_data_dir=f"user_data-{kind}", timerange=timerange
    )
    backtesting = Backtesting(config, offline.exchange(config))
    backtesting.progress = None
    began = time.process_time()
    if kind == "warm":
        windows.prepare(BacktestRequest(class_name=class_name, windows={}))
    data, span = backtesting.load_bt_data()
    seconds = time.process_time() - began
    loaded = hashlib.sha256()
    for pair, frame in data.items():
        loaded.update(pair.encode() + pd.util.hash_pandas_object(frame).to_numpy().tobytes())
        loaded.update(backtesting.price_pair_prec[pair].to_csv().encode())
    last = {pair: frame.tail(LAST).reset_index(drop=True) for pair, frame in data.items()}
    span.startts = int(next(iter(last.values()))["date"].iloc[0].timestamp())
    backtesting.backtest_one_strategy(backtesting.strategylist[0], last, span)
    trades: list[Any] = [
        (t.pair, str(t.open_date), str(t.close_date), t.open_rate, t.close_rate, t.close_profit_abs)
        for t in LocalTrade.bt_trades
    ]
    told = {"seconds": seconds, "loaded": loaded.hexdigest(), "trades": trades}
    print(json.dumps(told))


if __name__ == "__main__":
    main()
