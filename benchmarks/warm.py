"""Backtests of some strategies on some windows: a server for each strategy, side by side.

`python benchmarks/warm.py HOME CANDLES STRATEGY,… WINDOW,…` (CANDLES `-` for the embedded market)
prints each strategy's answer as one line of JSON. `gate.py` times the whole program, from the start
of its interpreter to the answers, each of them checked against its schema.
"""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from pipelines.adapters import plugins
from pipelines.adapters.candles import open_shelf
from pipelines.adapters.clock import SystemClock
from pipelines.adapters.processes import Processes
from pipelines.adapters.ruff import Ruff
from pipelines.adapters.storage import FolderCache
from pipelines.checks import backtest_job
from pipelines.checks.workbench import Workbench
from pipelines.domain.child import Job
from pipelines.freqtrade.messages import BacktestReply
from pipelines.workflow.isolation import enclosure
from pipelines.workflow.place import Place

ROOT = Path(__file__).resolve().parent.parent


class Silence:
    """Progress that nobody watches."""

    def say(self, text: str) -> None:
        """Say nothing."""


@dataclass(frozen=True)
class Plan:
    """What is measured: shipped strategies on windows of the gate's environment."""

    home: Path
    candles: Path | None
    strategies: tuple[str, ...]
    windows: tuple[str, ...]

    def arguments(self) -> list[str]:
        """The plan as this program takes it."""
        candles = str(self.candles) if self.candles else "-"
        return [str(self.home), candles, ",".join(self.strategies), ",".join(self.windows)]

    def bench(self) -> Workbench:
        """What `sluice check` would give its checks."""
        place, clock = self.place, SystemClock()
        return Workbench(
            shell=Processes(place.home, enclosure(place, Silence(), weak=False)),
            shelf=open_shelf(self.candles, place.data_lock(), place.candles, clock.now()),
            clock=clock,
            progress=Silence(),
            cache=FolderCache(place.home / "cache"),
            linter=Ruff(),
            # The processors are shared out among the servers.
            jobs=max(1, (os.cpu_count() or 1) // len(self.strategies)),
        )

    @property
    def place(self) -> Place:
        """This checkout, with a state folder of the benchmark's own."""
        return Place(ROOT, self.home)

    def jobs(self, bench: Workbench) -> list[Job]:
        """A job for each strategy: its server, asked for every window."""
        environment = self.place.door()
        windows = {name: bench.shelf.data.windows[name] for name in self.windows}
        strategies = [plugins.read(ROOT, name) for name in self.strategies]
        return [backtest_job.job(one, environment, windows, bench) for one in strategies]


def main() -> None:
    """Run the plan that the arguments name."""
    home, candles, strategies, windows = sys.argv[1:]
    plan = Plan(
        Path(home),
        None if candles == "-" else Path(candles),
        tuple(strategies.split(",")),
        tuple(windows.split(",")),
    )
    bench = plan.bench()
    with ThreadPoolExecutor(len(plan.strategies)) as side_by_side:
        for ended in side_by_side.map(bench.shell.run, plan.jobs(bench)):
            if ended.reply is None:
                raise RuntimeError(f"{ended.killed or ended.exit_code}: {ended.output}")
            print(BacktestReply.model_validate_json(ended.reply).model_dump_json())


if __name__ == "__main__":
    main()
