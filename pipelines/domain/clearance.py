"""Is a key fit for a bot that trades with money? Judged from what the exchange says of it."""

from collections.abc import Iterator
from dataclasses import dataclass

from pipelines.domain.candidate import Because, Reason
from pipelines.domain.candles import TradingMode
from pipelines.domain.promotion import Kind, Promotion, Risk
from pipelines.domain.record import Track


@dataclass(frozen=True)
class Rights:
    """What an exchange says that a key may do.

    `moves` are rights to move money away, as the exchange calls them. `bound` says that the key
    can be used from a list of addresses only.
    """

    moves: tuple[str, ...]
    spot: bool
    futures: bool
    bound: bool


@dataclass(frozen=True)
class NotAccepted:
    """The exchange says no to the key itself: it does not exist, is revoked, or another's."""

    said: str


@dataclass(frozen=True)
class Unread:
    """Nobody knows what the key may do. `never` says that the exchange cannot be asked."""

    why: str
    never: bool = False


Answer = Rights | NotAccepted | Unread


@dataclass(frozen=True)
class Key:
    """A key as people know it: whose it is, where, and what they have signed for.

    `signs` is the command that signs for more, `asks` the one that asks for it then.
    """

    scope: str
    exchange: str
    trading_mode: TradingMode
    accepts: tuple[Risk, ...]
    signs: str
    asks: str

    def __str__(self) -> str:
        return f"the key of {self.scope} at {self.exchange}"


def objections(key: Key, answer: Answer) -> tuple[Reason, ...]:
    """Everything that speaks against starting a bot with this key."""
    match answer:
        case Rights():
            return tuple(_rights(key, answer))
        case NotAccepted(said):
            hint = (
                f"is it revoked, another account's, or not for this machine's address? "
                f"'sluice secrets set {key.scope} exchange_key', then exchange_secret"
            )
            return (Reason(Because.KEY, f"{key} is not accepted: {said}", hint),)
        case Unread(why, never):
            if never and Risk.RESTRICTIONS_UNREAD in key.accepts:
                return ()
            hint = f"{key.exchange} is asked again in the next round"
            if never:
                hint = (
                    "look there yourself that it cannot withdraw, then sign for it: "
                    f"'{key.signs} --accept {Risk.RESTRICTIONS_UNREAD}', then '{key.asks}'"
                )
            text = f"what {key} may do could not be read: {why}"
            return (Reason(Because.KEY_UNREAD, text, hint),)


def grounds(key: Key, answer: Answer) -> tuple[Reason, ...]:
    """What speaks for the key."""
    if not isinstance(answer, Rights) or objections(key, answer):
        return ()
    where = "from a list of addresses only" if answer.bound else "from any address, as signed for"
    return (Reason(Because.KEY, f"{key} moves no money away, and can be used {where}"),)


def signed_for(track: Track, promotion: Promotion) -> tuple[Risk, ...]:
    """The risks that people signed for. A rollback takes none, and what it brings back had some."""
    if promotion.kind is not Kind.ROLLBACK:
        return promotion.accepts
    before = (stay.promotion for stay in reversed(track.stays) if stay.digest == promotion.digest)
    asked = (each for each in before if each.kind is Kind.PROMOTE)
    return next((each.accepts for each in asked), ())


def _rights(key: Key, rights: Rights) -> Iterator[Reason]:
    if rights.moves:
        hint = f"take the right from it at {key.exchange}: a bot never moves money away"
        told = ", ".join(rights.moves)
        yield Reason(Because.KEY, f"{key} may move money away: {told}", hint)
    allowed = rights.futures if key.trading_mode == "futures" else rights.spot
    if not allowed:
        hint = f"allow it at {key.exchange}, or make another key"
        yield Reason(Because.KEY, f"{key} may not trade {key.trading_mode}", hint)
    if not rights.bound and Risk.NO_IP_LIST not in key.accepts:
        hint = (
            f"give it a list of addresses at {key.exchange}, or sign for it: "
            f"'{key.signs} --accept {Risk.NO_IP_LIST}', then '{key.asks}'"
        )
        yield Reason(Because.KEY_OPEN, f"{key} can be used from any address", hint)
