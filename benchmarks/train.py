"""What the agent costs, beside doing it by hand: `python benchmarks/train.py [--json]`.

promote_to_verified_vs_manual, rollback_to_verified_vs_manual
    Seconds from typing the command until the other release was read back, over the seconds from
    SIGTERM to a stock `freqtrade trade` until one that was started after it says by its API that it
    runs the strategy. Turn by turn, so often each; the medians.
tick_cpu_seconds_20_bots
    Seconds of its processor that the agent takes for a round in which there is nothing to do.
agent_memory_mb
    What the agent's process takes of the machine's memory (PSS: what it shares counts in part).
bots_per_gb_vs_separate
    How many bots go into a gigabyte when they are forked from one process, that process included,
    over how many go in when each is started by itself. By PSS, while all of them run.
unmanaged_seconds, unmanaged_restart_seconds, unmanaged_vs_restart
    With open trades and money: from the end of one release's process until the next one's, which
    adopts them, has done a round; beside the same for a stock bot that is started anew by hand.
flatten_seconds
    From asking for a flatten of three such trades until the exchange says that nothing is left.
orphan_detection_ticks, request_weight_share
    As `books.py` measures them, with twenty bots.
"""

import os
import socket
import statistics
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import books
import exchange
import holding
from figures import Figure, show
from fleet import Fleet, Stock, settings

BOTS, SEPARATE, TURNS, ROUNDS = 20, 6, 3, 20
MB = 1024.0


def changing(kept: Fleet, stock: Stock, turns: int) -> list[Figure]:
    """Promoting and rolling back, each beside stopping and starting by hand."""
    promoted, taken_back, by_hand = [], [], []
    with kept.running():
        kept.seconds("deliver", str(kept.release("bot01", "1.0.0").id))
        stock.start()
        try:
            for turn in range(turns):
                release = kept.release("bot01", f"1.{turn + 1}.0")
                promoted.append(kept.seconds("deliver", str(release.id)))
                by_hand.append(_restarted(stock))
                taken_back.append(kept.seconds("rollback", "test", "bot01"))
                by_hand.append(_restarted(stock))
        finally:
            stock.stop()
    manual = statistics.median(by_hand)
    seconds = {"promote": statistics.median(promoted), "rollback": statistics.median(taken_back)}
    return [
        *(
            Figure(f"{k}_to_verified_vs_manual", s / manual, "x", "< 1.5")
            for k, s in seconds.items()
        ),
        *(Figure(f"{k}_to_verified_seconds", s, "s") for k, s in seconds.items()),
        Figure("manual_seconds", manual, "s"),
    ]


def keeping(kept: Fleet, stocks: list[Stock], bots: int) -> list[Figure]:
    """The agent with so many bots, and what they take beside bots that share nothing."""
    with kept.running(), ExitStack() as stack:
        for number in range(bots):
            release = kept.release(f"bot{number + 1:02}", "2.0.0")
            kept.seconds("deliver", str(release.id))
        for stock in stocks:
            stack.callback(stock.stop)
            stock.start()
        assert kept.process is not None
        pid = kept.process.pid
        kept.round()
        before = _processor(pid)
        for _ in range(ROUNDS):
            kept.round()
        tick = (_processor(pid) - before) / ROUNDS
        memory = _pss(pid) / MB
        apart = [_pss(stock.process.pid) for stock in stocks if stock.process]
        ours = _family(pid)
        together = sum(_pss(each) for each in ours if each != pid)
        if len(ours) != bots + 2:
            raise RuntimeError(f"{len(ours)} processes, should be {bots} bots and two more")
    per_bot, per_stock = together / bots, sum(apart) / len(apart)
    return [
        Figure("tick_cpu_seconds_20_bots", tick, "s", "< 1"),
        Figure("agent_memory_mb", memory, "MB", "< 120"),
        Figure("bots_per_gb_vs_separate", per_stock / per_bot, "x", ">= 2.5"),
        Figure("bot_memory_mb", per_bot / MB, "MB"),
        Figure("separate_bot_memory_mb", per_stock / MB, "MB"),
    ]


def _restarted(stock: Stock) -> float:
    began = time.monotonic()
    stock.stop()
    stock.start()
    return time.monotonic() - began


def _processor(pid: int) -> float:
    """Seconds of a processor that a process has had."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _pss(pid: int) -> int:
    """kB of memory, what is shared divided among those who share it."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    raise RuntimeError(f"{pid}: has no memory")


def _family(pid: int) -> list[int]:
    """A process and all that descend from it."""
    children: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        children += map(int, (task / "children").read_text().split())
    return [pid, *(each for child in children for each in _family(child))]


def _port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port


def measure(candles: Path | None, home: Path) -> list[Figure]:
    """Every figure."""
    os.environ["XDG_RUNTIME_DIR"] = str(home / "run")
    (home / "run").mkdir()
    (home / "books").mkdir()
    together = {"orphan_detection_ticks", "request_weight_share"}
    told = [each for each in books.measure(candles, home / "books") if each.name in together]
    return [*_beside_a_hand(candles, home), *_open_trades(home), *told]


def _open_trades(home: Path) -> list[Figure]:
    """With open trades: handovers and a flatten, in real time."""
    (home / "open").mkdir()
    accounts = [f"--account={name}:{name}:secret:USDT=1000:ip=127.0.0.1" for name in holding.KEYS]
    made = holding.market(home / "made")
    # An exchange takes orders from its past, and hardly any from its future.
    now = f"{datetime.now(UTC) + timedelta(seconds=8):%Y-%m-%dT%H:%M:%SZ}"
    at = {"start": now, "root": made, "environment": holding.later()}
    with exchange.serving(made / "candles", home / "open", *accounts, **at):
        ready_file = home / "open" / "ready.json"
        by_hand = settings(ready_file, holding.KEYS[1], "secret") | holding.LIVE
        stock = Stock(home / "held", by_hand, _port(), holding.STRATEGY)
        return holding.measure(Fleet(home / "kept", ready_file), stock, TURNS)


def _beside_a_hand(candles: Path | None, home: Path) -> list[Figure]:
    (home / "exchange").mkdir()
    with exchange.serving(candles, home / "exchange", "--clock", "real"):
        ready_file = home / "exchange" / "ready.json"
        one = settings(ready_file)
        changed = changing(
            Fleet(home / "one", ready_file), Stock(home / "stock", one, _port()), TURNS
        )
        stocks = [Stock(home / f"stock{number}", one, _port()) for number in range(SEPARATE)]
        return [*changed, *keeping(Fleet(home / "all", ready_file), stocks, BOTS)]


if __name__ == "__main__":
    show("Measure the agent, beside doing it by hand.", measure)
