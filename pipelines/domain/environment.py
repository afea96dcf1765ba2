"""An environment: where a release runs, and what it must have shown to get there."""

from decimal import Decimal
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, field_validator

from pipelines.domain.document import Document
from pipelines.domain.handover import FIRST, Handover, berthed
from pipelines.domain.limits import Protections
from pipelines.domain.promotion import PromotionPolicy
from pipelines.domain.secret import OPENS, Name, SecretName
from pipelines.domain.thresholds import Admission, Share

Mode = Literal["dry_run", "live"]
Amount = Annotated[Decimal, Field(gt=0)]
Percent = Annotated[int, Field(ge=1, le=100)]


class BacktestPortfolio(Document):
    """The capital of a backtest, split evenly over the slots.

    `fee` is paid on entry and on exit, as a fraction of the traded value.
    """

    stake_currency: str
    starting_balance: Amount
    max_open_trades: Annotated[int, Field(ge=1)]
    fee: Share


class Portfolio(BacktestPortfolio):
    """The capital of an environment, in stake currency.

    `stake` is what one entry costs; without it the capital is split evenly over the slots.
    `available_capital` is what a bot may use of its account; without it everything.
    """

    stake: Amount | None = None
    available_capital: Amount | None = None

    @property
    def backtested(self) -> BacktestPortfolio:
        """What a backtest is measured with: evidence does not depend on the rest."""
        fields = BacktestPortfolio.model_fields
        return BacktestPortfolio(**{name: getattr(self, name) for name in fields})

    @property
    def capital(self) -> Decimal:
        """What a bot is given to trade with: losses are told as fractions of it."""
        return self.available_capital or self.starting_balance

    @property
    def at_risk(self) -> Decimal:
        """The most that can be in open trades at once."""
        stake, capital = self.stake, self.capital
        return min(capital, stake * self.max_open_trades) if stake else capital


class Exchange(Document):
    """Where bots trade: the exchange that freqtrade knows by this name.

    With `rehearsal` it is the rehearsal exchange that the host runs in its place.
    """

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*$")]
    rehearsal: bool = False


class Environment(Document):
    """`environments/<name>.yaml`, or `environments/demo/<name>.yaml`.

    `accounts` names strategies that trade on an account of their own, `ramp` the steps in percent
    in which the capital is raised: each is a promotion. Of `secrets` only the names are here.
    `holdings` are coins on its accounts that are the owner's, by account, and `fee_asset` is what
    fees are paid in: neither is a bot's.
    """

    name: Name
    demo: bool = False
    mode: Mode
    host: Name
    runtime: Literal["process", "container"]
    exchange: Exchange
    account: Name | None = None
    accounts: dict[str, Name] = Field(default_factory=dict)
    holdings: dict[Name, dict[str, Amount]] = Field(default_factory=dict)
    fee_asset: Annotated[str, Field(pattern=r"^[A-Z0-9]+$")] | None = None
    portfolio: Portfolio
    initial_state: Literal["running", "paused", "stopped"]
    stoploss_on_exchange: bool = False
    handover: Handover = Field(default_factory=Handover)
    policy: PromotionPolicy
    ramp: Annotated[tuple[Percent, ...], Field(min_length=1)] = (100,)
    protections: Protections
    secrets: tuple[SecretName, ...] = ()
    admission: Admission | None = None

    @field_validator("ramp")
    @classmethod
    def _rises_to_the_whole(cls, ramp: tuple[int, ...]) -> tuple[int, ...]:
        if ramp[-1] != 100 or any(after <= before for before, after in pairwise(ramp)):
            raise ValueError("should rise with every step and end at 100")
        return ramp

    @field_validator("secrets")
    @classmethod
    def _bots_ask_no_telegram(cls, secrets: tuple[SecretName, ...]) -> tuple[SecretName, ...]:
        if SecretName.TELEGRAM_TOKEN in secrets:
            # One token has one poller, and that is the agent's own: a second one ends its asking.
            raise ValueError("no bot asks Telegram, the agent does: see 'sluice docs telegram'")
        return secrets

    @property
    def needs(self) -> tuple[SecretName, ...]:
        """Every secret that a bot here is given."""
        opens = OPENS if self.mode == "live" else ()
        return tuple(dict.fromkeys((*opens, *self.secrets)))

    def account_of(self, strategy: str, berth: int = FIRST) -> str | None:
        """The exchange account that a strategy's bot trades on."""
        own = self.accounts.get(strategy, self.account)
        return own if berth == FIRST else self.handover.account

    def folder(self, strategy: str, berth: int = FIRST) -> str:
        """What a bot keeps, below the home folder."""
        place = f"demo.{self.name}" if self.demo else self.name
        return f"bots/{place}/{berthed(strategy, berth)}"

    def database(self, strategy: str, berth: int = FIRST) -> str:
        """The file of a bot's trades, below the home folder.

        The mode is part of it: what an environment traded on paper is never taken for money,
        also when the environment goes live one day.
        """
        return f"{self.folder(strategy, berth)}/{self.mode}.sqlite"


class Door(Environment):
    """The first environment of the train, with what a strategy must show on recorded candles."""

    admission: Admission

    def thresholds_digest(self) -> str:
        """What evidence is bound to: the thresholds and the portfolio they were measured with."""
        terms = _Terms(portfolio=self.portfolio.backtested, admission=self.admission)
        return terms.content_digest()


class _Terms(Document):
    portfolio: BacktestPortfolio
    admission: Admission
