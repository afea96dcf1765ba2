"""What the guard has measured of a bot anyway, for whoever else wants to know."""

from dataclasses import dataclass

from pipelines.domain.protections import Measure, Measured, Unknown
from pipelines.domain.watch import Watch
from pipelines.domain.worth import Exposure
from runner.agent.kept import Tally


@dataclass(frozen=True)
class Noted:
    """One bot at a round. `tally` counts an hour's orders, `blind` are limits not evaluated."""

    equity: Measure
    exposure: Exposure | Unknown
    tally: Tally | Unknown
    blind: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, measured: Measured, watch: Watch, exposed: Exposure | Unknown, tally: Tally | Unknown
    ) -> "Noted":
        """The same, as the guard has it."""
        worth: Measure = Unknown("it was never measured") if watch.last is None else watch.last
        if isinstance(measured.drawdown, Unknown):
            worth = measured.drawdown
        return cls(worth, exposed, tally, tuple(watch.blind))
