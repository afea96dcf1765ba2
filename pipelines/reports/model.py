"""What every report tells. The renderers beside this module only choose the form."""

from dataclasses import dataclass, field
from pathlib import Path

from pipelines.domain.candles import Candles, Window
from pipelines.domain.evidence import Evidence
from pipelines.domain.thresholds import WindowThresholds
from pipelines.domain.trades.equity import Curve
from pipelines.domain.trades.trade import Trade, TradeLog
from pipelines.domain.verdict import Status, Verdict, overall


@dataclass(frozen=True)
class ChosenTrade:
    """A trade worth looking at: why (`best, longest`), and the candles around it."""

    why: str
    trade: Trade
    candles: Candles


@dataclass(frozen=True)
class WindowView:
    """One window as pictures need it: the trades, the account and holding the same pairs.

    `moved` says by pair how far its price went in the window, as a fraction without fees: every
    pair of the strategy is there, whether it was traded or not. None where it has no candles.
    """

    window: str
    span: Window
    log: TradeLog
    account: Curve
    held: Curve
    moved: dict[str, float | None]
    chosen: tuple[ChosenTrade, ...]


@dataclass(frozen=True)
class StrategyReport:
    """Everything said about one strategy.

    `evidence` is None when the manifest could not be read; `path` is where evidence was written;
    `views` are empty when there was no backtest; `cached` says that nothing was run again.
    `thresholds` are what was asked, by window; where they are empty, only what was missed shows
    its threshold.
    """

    name: str
    summary: str
    verdicts: tuple[Verdict, ...]
    evidence: Evidence | None
    path: Path | None
    views: tuple[WindowView, ...] = ()
    cached: bool = False
    thresholds: dict[str, WindowThresholds] = field(default_factory=dict)

    @property
    def status(self) -> Status:
        return overall(self.verdicts)

    def view(self, window: str) -> WindowView | None:
        """The window of this name, when a backtest left one."""
        return next((view for view in self.views if view.window == window), None)

    @property
    def main(self) -> WindowView | None:
        """The longest window: by it a strategy is known best."""
        return max(self.views, key=lambda view: len(view.account.time), default=None)


@dataclass(frozen=True)
class Report:
    """A whole run of the gate, or one piece of evidence retold."""

    strategies: tuple[StrategyReport, ...]

    @property
    def status(self) -> Status:
        statuses = {report.status for report in self.strategies}
        if Status.FAILED in statuses:
            return Status.FAILED
        if statuses <= {Status.PASSED}:
            return Status.PASSED
        return Status.ERRORED

    @property
    def worst_first(self) -> tuple[StrategyReport, ...]:
        """What blocks comes before what does not, and a no before a don't-know."""
        order = (Status.FAILED, Status.ERRORED, Status.SKIPPED, Status.PASSED)
        return tuple(sorted(self.strategies, key=lambda report: order.index(report.status)))
