"""How a secret looks where it turns up: as it is, escaped, in base64, in hex.

No form goes beyond a line, so that whoever reads lines misses nothing.
"""

import re
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass

SHORTEST = 8
"""Characters: what is shorter is ordinary text, and would be taken out of every other line."""

_NAMED = {
    **{one: re.escape(f"\\{one}".encode()) for one in "\"'/\\"},
    **dict(zip("\n\r\t\b\f", (rb"\\n", rb"\\r", rb"\\t", rb"\\b", rb"\\f"), strict=True)),
}
"""Characters that have an escape of their own."""

_ANY_BASE64 = rb"[A-Za-z0-9+/_-]?"
_BASE64 = {"+": rb"(?:[+-]|%2[bB])", "/": rb"(?:\\?/|_|%2[fF])"}
_WORDS = re.compile(r"[A-Za-z0-9]+")
_MOST_PER_CHARACTER = 16
"""A character beyond the first plane, as Python shows its four bytes."""


@dataclass(frozen=True)
class Disguise:
    """One form: `anchor` is in it in any case, `longest` is what it measures at most."""

    anchor: bytes
    pattern: re.Pattern[bytes]
    longest: int


def disguises(value: str) -> Iterator[Disguise]:
    """Every form of a value; of one with several lines, those of its lines, too."""
    for text in dict.fromkeys((value, *value.splitlines())):
        if len(text) >= SHORTEST:
            yield _escaped(text)
            yield from _encoded(text.encode())


def _escaped(text: str) -> Disguise:
    """As it is, or with single characters as JSON, URLs and Python write them."""
    pattern = b"".join(map(_character, text))
    return Disguise(_anchor(text), re.compile(pattern), _MOST_PER_CHARACTER * len(text))


def _character(one: str) -> bytes:
    raw = one.encode()
    if one.isascii() and one.isalnum():
        return raw  # nobody escapes these
    percent = b"".join(b"%%(?i:%02x)" % byte for byte in raw)
    bytewise = b"".join(rb"\\x(?i:%02x)" % byte for byte in raw)
    python = rb"\\(?:x|U000000)(?i:%02x)" if ord(one) < 256 else rb"\\U(?i:%08x)"
    units = one.encode("utf-16-be").hex()
    json = b"".join(rb"\\u(?i:%s)" % units[n : n + 4].encode() for n in range(0, len(units), 4))
    ways = [percent, json, bytewise, python % ord(one)]
    ways += [_NAMED[one]] if one in _NAMED else []
    ways += [] if one in "\r\n" else [re.escape(raw)]
    ways += [rb"\+"] if one == " " else []
    return b"(?:" + b"|".join(ways) + b")"


def _encoded(raw: bytes) -> Iterator[Disguise]:
    for text in (raw.hex(), raw.hex().upper()):
        yield Disguise(text.encode(), re.compile(text.encode()), len(text))
    for before in range(3):
        yield _base64(raw, before)


def _base64(raw: bytes, before: int) -> Disguise:
    """In the base64 of something longer, so many bytes (modulo 3) after its beginning.

    The first and the last character may hold bits of a neighbour: any will do there.
    """
    text = b64encode(bytes(before) + raw).decode().rstrip("=")
    shared_first, shared_last = before > 0, (before + len(raw)) % 3 > 0
    core = text[before + 1 if shared_first else 0 : len(text) - 1 if shared_last else None]
    pattern = b"".join(_BASE64.get(one, one.encode()) for one in core)
    first = _ANY_BASE64 if shared_first else b""
    last = _ANY_BASE64 if shared_last else b""
    return Disguise(_anchor(core), re.compile(first + pattern + last), 3 * len(core) + 2)


def _anchor(text: str) -> bytes:
    """The longest part that no form changes: looking for it first is many times faster."""
    return max(_WORDS.findall(text), key=len, default="").encode()
