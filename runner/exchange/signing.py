"""Signed requests: who sent them, when, and that nobody changed them on the way.

As Binance describes it in "Request security" of its spot API.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from hashlib import sha256
from typing import TypeVar
from urllib.parse import parse_qsl

from runner.exchange.core.orders import Account, Permission
from runner.exchange.core.rejection import Rejection, illegal, missing
from runner.exchange.venue import Venue

E = TypeVar("E", bound=StrEnum)

_WINDOW, _LONGEST_WINDOW, _AHEAD = 5_000, 60_000, 1_000
_LONGEST_NUMBER = 40


@dataclass(frozen=True)
class Parameters:
    """The parameters of a request, from its query and its body."""

    values: Mapping[str, str]

    def text(self, name: str) -> str | None:
        """One of them; None when it was not sent, or empty."""
        return self.values.get(name) or None

    def needed(self, name: str) -> str:
        """One that has to be there.

        :raises Rejection: when it is not.
        """
        value = self.text(name)
        if value is None:
            raise missing(name)
        return value

    def whole(self, name: str) -> int | None:
        """A whole number, not negative.

        :raises Rejection: when it is something else.
        """
        value = self.text(name)
        if value is None:
            return None
        if not (value.isascii() and value.isdigit()) or len(value) > _LONGEST_NUMBER:
            raise illegal(name)
        return int(value)

    def number(self, name: str) -> Decimal | None:
        """A decimal number, not negative.

        :raises Rejection: when it is something else.
        """
        value = self.text(name)
        if value is None:
            return None
        plain = value.replace(".", "", 1)
        if not (plain.isascii() and plain.isdigit()) or len(value) > _LONGEST_NUMBER:
            raise illegal(name)
        try:
            return Decimal(value)
        except InvalidOperation:
            raise illegal(name) from None

    def word(self, name: str, words: type[E], refusal: tuple[int, str]) -> E | None:
        """One of some words; `refusal` is what Binance answers to others, code and message.

        :raises Rejection: when it is another word.
        """
        value = self.text(name)
        if value is None:
            return None
        try:
            return words(value)
        except ValueError:
            raise Rejection(*refusal) from None


def parameters(query: str, body: str = "") -> Parameters:
    """What a query and a form say. A name that stands twice is no good.

    :raises Rejection: when it cannot be read.
    """
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=50)
        pairs += parse_qsl(body, keep_blank_values=True, errors="strict", max_num_fields=50)
    except ValueError:
        raise Rejection(-1100, "Illegal characters found in a parameter.") from None
    values = dict(pairs)
    if len(values) < len(pairs):
        raise Rejection(-1101, "Duplicate values for a parameter detected.")
    return Parameters(values)


@dataclass(frozen=True)
class Sent:
    """What is signed of a request, who sent it, and from where."""

    key: str | None
    query: str
    body: str
    address: str


def signed(venue: Venue, sent: Sent, permission: Permission) -> Account:
    """Whose request this is.

    :raises Rejection: when the key, its permissions, the signature or the time is not right.
    """
    given = parameters(sent.query, sent.body)
    if not sent.key:
        raise Rejection(-2014, "API-key format invalid.", 401)
    account = venue.book.account_of(sent.key)
    if account is None or not _may(venue, account, sent.address, permission):
        raise Rejection(-2015, "Invalid API-key, IP, or permissions for action.", 401)
    at, signature = given.whole("timestamp"), given.needed("signature")
    if at is None:
        raise missing("timestamp")
    _check_time(at, given.whole("recvWindow"), venue.time_of(account.name))
    payload = _unsigned(sent.query) + _unsigned(sent.body)
    expected = hmac.new(account.secret.encode(), payload.encode(), sha256).hexdigest()
    if not hmac.compare_digest(expected.encode(), signature.lower().encode()):
        raise Rejection(-1022, "Signature for this request is not valid.")
    return account


def _may(venue: Venue, account: Account, address: str, permission: Permission) -> bool:
    revoked = venue.book.faults.find("key_revoked", venue.now, account.name)
    there = not account.addresses or address in account.addresses
    return there and revoked is None and permission in ("read", *account.permissions)


def _unsigned(text: str) -> str:
    return "&".join(part for part in text.split("&") if not part.startswith("signature="))


def _check_time(sent: int, window: int | None, now: int) -> None:
    if window is not None and window > _LONGEST_WINDOW:
        raise Rejection(-1131, "recvWindow must be less than 60000.")
    if sent >= now + _AHEAD:
        ahead = "Timestamp for this request was 1000ms ahead of the server's time."
        raise Rejection(-1021, ahead)
    if now - sent > (_WINDOW if window is None else window):
        raise Rejection(-1021, "Timestamp for this request is outside of the recvWindow.")
