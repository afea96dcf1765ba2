"""May a release take over the open trades of another? And has it got them in hand?

freqtrade adopts whatever open trades it finds. On the way it sets the stop of each anew from its
own `stoploss`, unless the stop has trailed, and forgets what it does not know: here that is worked
out before it happens. What cannot be told is an objection.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from pipelines.domain.handover import Objection
from pipelines.domain.promotion import Risk

MINUTES = {"1m": 1, "5m": 5, "15m": 15, "30m": 30, "1h": 60, "4h": 240, "1d": 1440}
"""Timeframes as freqtrade keeps them with a trade."""


@dataclass(frozen=True)
class OpenTrade:
    """An open trade as freqtrade's database has it. Prices are in stake currency.

    `stop_share` is the stop as a share of the open price when it was set, below 0, and none while
    nothing is bought. `tick` is the step of prices. `entries` counts filled ones. `stops` and
    `orders` are the ids of open stop orders and of other open orders, `filled` is true when one of
    the latter has bought or sold something already. `remembers` are the keys of its custom data.
    """

    id: int
    pair: str
    amount: Decimal
    open_rate: Decimal
    stop: Decimal
    stop_share: Decimal | None
    tick: Decimal = Decimal()
    trailed: bool = False
    is_short: bool = False
    leverage: Decimal = Decimal(1)
    tag: str | None = None
    minutes: int | None = None
    entries: int = 1
    stops: tuple[str, ...] = ()
    orders: tuple[str, ...] = ()
    filled: bool = False
    remembers: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"trade {self.id} ({self.pair})"

    @property
    def is_held(self) -> bool:
        """Something was bought: freqtrade forgets a trade whose entry is cancelled before that."""
        return bool(self.entries or self.filled)


@dataclass(frozen=True)
class Place:
    """Where trades were opened: elsewhere they mean nothing."""

    mode: str
    exchange: str
    account: str | None
    currency: str
    trading_mode: str


@dataclass(frozen=True)
class Successor:
    """What a release makes of trades that it finds. None is what its source does not tell.

    `tags` are the entry tags that it gives, `tags_told` is false when there may be more.
    `leverage` is the most that it takes, `adjusts` whether it adds to positions, `remembers`
    whether it reads what was noted at a trade.
    """

    pairs: frozenset[str]
    timeframe: str
    stoploss: Decimal | None
    tags: frozenset[str] = frozenset()
    tags_told: bool = True
    leverage: Decimal | None = Decimal(1)
    shorts: bool | None = False
    adjusts: bool | None = False
    remembers: bool | None = False


def objections(
    trades: Iterable[OpenTrade] | None,
    before: Place | None,
    after: Place,
    old: Successor | None,
    new: Successor | None,
) -> tuple[Objection, ...]:
    """Everything that speaks against it, all at once.

    `trades` is none when they cannot be read, `before` and `old` when nobody knows who opened
    them, `new` when nothing can be told of the release that comes.
    """
    if trades is None:
        return (Objection(None, "its trades cannot be read"),)
    found = [*_moved(before, after)]
    if old is None:
        found.append(_unknown("nobody knows which release opened its trades"))
    if new is None:
        return (*found, Objection(None, "nothing can be told of the release that comes"))
    for trade in trades:
        found += [*_looser(trade, new), *_strange(trade, new), *_forgotten(trade, old, new)]
    return tuple(found)


def stop_after(trade: OpenTrade, stoploss: Decimal) -> Decimal:
    """Where freqtrade puts the stop of a trade that it finds when it starts, before rounding."""
    if trade.trailed or trade.stop_share == stoploss:
        return trade.stop
    share = abs(stoploss / trade.leverage)
    return trade.open_rate * (1 + share if trade.is_short else 1 - share)


def _moved(before: Place | None, after: Place) -> Iterator[Objection]:
    if before is None:
        return
    for name in Place.__dataclass_fields__:
        was, is_ = getattr(before, name), getattr(after, name)
        if was != is_:
            what = name.replace("_", " ")
            yield Objection(None, f"the {what} was {was or 'none'} and becomes {is_ or 'none'}")


def _looser(trade: OpenTrade, new: Successor) -> Iterator[Objection]:
    if not trade.stop or trade.stop_share is None:
        return  # nothing is bought yet, so there is no stop either
    if new.stoploss is None:
        yield Objection(Risk.LOOSER_STOP, f"{trade}: where its stop will be cannot be told")
        return
    after = stop_after(trade, new.stoploss)
    # freqtrade rounds to a tick, towards the price: less than one is no difference.
    gap = after - trade.stop if trade.is_short else trade.stop - after
    if gap > 0 and gap >= trade.tick:
        stops = f"from {trade.stop.normalize():f} to {after.normalize():f}"
        yield Objection(Risk.LOOSER_STOP, f"{trade}: its stop is loosened {stops}")


def _strange(trade: OpenTrade, new: Successor) -> Iterator[Objection]:
    if trade.pair not in new.pairs:
        yield _unknown(f"{trade}: the pair is not traded any more")
    if trade.minutes != MINUTES.get(new.timeframe):
        yield _unknown(f"{trade}: its timeframe is not {new.timeframe}")
    if trade.leverage > 1 and (new.leverage is None or trade.leverage > new.leverage):
        most = "what cannot be told" if new.leverage is None else f"{new.leverage.normalize():f}"
        yield _unknown(f"{trade}: its leverage {trade.leverage.normalize():f} is beyond {most}")
    if trade.is_short and not new.shorts:
        yield _unknown(f"{trade}: it is short")
    if trade.tag in new.tags or (not trade.tag and not new.tags and new.tags_told):
        return
    tags = ", ".join(sorted(new.tags)) or "none"
    told = tags if new.tags_told else f"{tags} and some that cannot be told"
    yield _unknown(f"{trade}: its entry tag {trade.tag or 'none'} is none of {told}")


def _forgotten(trade: OpenTrade, old: Successor | None, new: Successor) -> Iterator[Objection]:
    if (trade.entries > 1 or (old and old.adjusts is not False)) and not new.adjusts:
        text = "its position was to be adjusted, and the release that comes does not"
        yield Objection(Risk.LOST_ADJUSTMENT, f"{trade}: {text}")
    if trade.remembers and not new.remembers:
        noted = ", ".join(trade.remembers)
        yield Objection(Risk.LOST_ADJUSTMENT, f"{trade}: nobody reads what was noted: {noted}")


def _unknown(text: str) -> Objection:
    return Objection(Risk.UNKNOWN_TRADE, text)


@dataclass(frozen=True)
class Facts:
    """What is known of a bot that was started over open trades.

    `inherited` are the ids of those that were held before, `known` of those that the bot itself
    tells, none when it tells nothing yet; `kept` are all open ones in its database and `ids` every
    trade in it, none when that cannot be read. `turned` is true when it has processed once.
    `at_exchange`: stops are orders there.
    """

    inherited: frozenset[int]
    known: frozenset[int] | None
    kept: tuple[OpenTrade, ...] | None
    ids: frozenset[int]
    turned: bool
    live: bool
    at_exchange: bool
    accepted: tuple[Risk, ...] = ()


def inherited(trades: Iterable[OpenTrade]) -> tuple[int, ...]:
    """The ids of those among open trades that must be there as long as nobody closes them."""
    return tuple(trade.id for trade in trades if trade.is_held)


def not_in_hand(facts: Facts) -> tuple[str, ...]:
    """Why a bot must not open trades yet; nothing when it has got all that are open in hand."""
    found = []
    if facts.live and not facts.at_exchange and Risk.STOP_IN_BOT not in facts.accepted:
        found.append(f"its stops live only inside the bot ({Risk.STOP_IN_BOT})")
    if facts.kept is None:
        return (*found, "its trades cannot be read")
    if not facts.kept and not facts.inherited:
        return tuple(found)
    if facts.known is None or not facts.turned:
        return (*found, "it has not looked after its trades yet")
    found += [
        f"trade {gone} is gone from its database" for gone in sorted(facts.inherited - facts.ids)
    ]
    for trade in facts.kept:
        if trade.id not in facts.known:
            found.append(f"{trade} is unknown to it")
        elif facts.at_exchange and not trade.stops and (trade.amount or trade.filled):
            doing = " while its order is in flight" if trade.orders else ""
            found.append(f"{trade} has no stop at the exchange{doing}")
    return tuple(found)
