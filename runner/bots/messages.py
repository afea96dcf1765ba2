"""What the agent says to the process that turns into bots, and what it hears from it.

Messages are single packets of JSON on a Unix socket; descriptors travel with a launch.
"""

from typing import Literal

from pydantic import AwareDatetime, Field, JsonValue

from pipelines.domain.document import Document

LARGEST = 64 * 1024
"""Bytes of a packet."""


class User(Document):
    """Who a bot runs as."""

    uid: int = Field(ge=1)
    gid: int = Field(ge=1)


class Follow(Document):
    """The clock that a bot follows in steps: the control port of a rehearsal exchange."""

    control_url: str
    control_token: str


class Launch(Document):
    """Start one bot. With it come two descriptors: its `Told` to read, and its lock to hold.

    It runs in `folder` and writes to `log` and `loaded`, paths in there. `modules` are folders that
    it imports from. `identity` is what it says of itself in its lock. While there is a file
    `paused` it enters no trades, whenever it reads its configuration. Without `follow` it has the
    system's clock. `exchange` is where it trades, by freqtrade's name.
    """

    name: str
    folder: str
    log: str
    loaded: str
    paused: str = ""
    modules: tuple[str, ...] = ()
    identity: dict[str, str] = Field(default_factory=dict)
    user: User | None = None
    follow: Follow | None = None
    exchange: str = ""


class Told(Document):
    """What a bot is told where nobody else can read it: freqtrade's configuration, all of it.

    `hidden` are the texts that appear in no log.
    """

    configuration: dict[str, JsonValue]
    hidden: tuple[str, ...] = ()


class Launched(Document):
    """A bot was started."""

    kind: Literal["launched"] = "launched"
    name: str
    pid: int


class Ended(Document):
    """A bot that was started here is dead. A negative code is the signal that ended it."""

    kind: Literal["ended"] = "ended"
    name: str
    pid: int
    code: int


class Holder(Document):
    """What a bot writes into its lock before it does anything else."""

    name: str
    pid: int
    identity: dict[str, str]


class Loaded(Document):
    """What a bot really runs, and which Python runs it. Digests are sha256 in hex.

    `files` are those of the release that were imported, `source` is the strategy as it was
    executed, `parameters` what decides how it trades, `config` the configuration as it was read,
    with what is secret in it and without its initial state, `key` the exchange's key.
    """

    pid: int
    freqtrade: str
    python: str
    strategy: str
    files: dict[str, str]
    source: str
    parameters: str
    config: str
    initial_state: str
    dry_run: bool
    trading_mode: str
    exchange: str
    key: str
    database: str


class Import(Document):
    """An entry that a bot lost: into which database it goes, and what the exchange says of it.

    `amount` is what was ordered in the base asset, `price` the limit of one, `fee` a share,
    `timeframe` minutes.
    """

    database: str
    pair: str
    order: str
    amount: float = Field(gt=0)
    price: float = Field(gt=0)
    fee: float = Field(ge=0)
    at: AwareDatetime
    strategy: str
    timeframe: int = Field(ge=1)
    stake_currency: str
    exchange: str


TALLY = "orders.jsonl"
"""Beside what a bot has loaded: what it does with orders, one line each."""

Deed = Literal["began", "sent", "placed", "rejected", "cancelled"]


class Done(Document):
    """What a bot has done with an order. Sent is also what is refused then.

    One that was placed has its number, and the close of the candle that it was sent by.
    """

    at: AwareDatetime
    deed: Deed
    order: str = ""
    signal: float | None = None
