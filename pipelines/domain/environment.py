"""An environment: where a release runs, and what it must have shown to get there."""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field

from pipelines.domain.document import Document
from pipelines.domain.thresholds import Admission, Share


class Portfolio(Document):
    """The capital of an environment, split evenly over the slots.

    `fee` is paid on entry and on exit, as a fraction of the traded value.
    """

    stake_currency: str
    starting_balance: Annotated[Decimal, Field(gt=0)]
    max_open_trades: Annotated[int, Field(ge=1)]
    fee: Share


class Environment(Document):
    """`environments/<name>.yaml`."""

    name: str
    mode: Literal["dry_run", "live"]
    exchange: str
    portfolio: Portfolio
    admission: Admission

    def thresholds_digest(self) -> str:
        """What evidence is bound to: the thresholds and the portfolio they were measured with."""
        return _Terms(portfolio=self.portfolio, admission=self.admission).content_digest()


class _Terms(Document):
    portfolio: Portfolio
    admission: Admission
