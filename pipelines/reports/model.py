"""What every report tells. The renderers beside this module only choose the form."""

from dataclasses import dataclass, field
from pathlib import Path

from pipelines.domain.evidence import Evidence
from pipelines.domain.thresholds import WindowThresholds
from pipelines.domain.trades.equity import Curve
from pipelines.domain.trades.trade import TradeLog
from pipelines.domain.verdict import Status, Verdict, overall


@dataclass(frozen=True)
class WindowView:
    """One window as pictures need it: the trades, the account and holding the same pairs."""

    window: str
    log: TradeLog
    account: Curve
    held: Curve


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
