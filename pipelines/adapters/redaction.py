"""Takes secrets out of logs and streams: by value, in every disguise, and by pattern.

A stream may come in pieces of any size: what leaves is the same, and a secret that is split over
two pieces is found all the same. Nothing is kept back longer than to the end of its line.
"""

import logging
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from pipelines.adapters.disguises import Disguise, disguises
from pipelines.domain.secret import Secret

MARK = b"[redacted]"


@dataclass(frozen=True)
class _Opening:
    """What announces a secret that nobody told us.

    It is what follows while `inside` matches; with `whole`, the announcement belongs to it.
    """

    announced: re.Pattern[bytes]
    inside: re.Pattern[bytes]
    words: tuple[bytes, ...] = ()
    whole: bool = False


_STRONG = (
    rb"(?i:api[_-]?key|secret(?:[_-]?key)?|passw(?:or)?d|passphrase|private[_-]?key|signature"
    rb"|(?:ws|auth|access|refresh|bot)[_-]?token)"
)
_WEAK = rb"(?i:key|token|secret|password|authorization)"
_IS = rb"[ \t]{0,4}[:=][ \t]{0,4}"
_QUOTE = rb"\\?[\"']"
_STRONG_WORDS = (b"key", b"secret", b"passw", b"passphrase", b"signature", b"token")

_OPENINGS = (
    _Opening(
        re.compile(rb"(?i:authorization)(?:" + _QUOTE + rb")?" + _IS + rb"(?:" + _QUOTE
                   + rb")?(?i:bearer|basic|token|digest)[ ]{1,4}(?=[^\s\"'\\,;])"),
        re.compile(rb"[^\s\"'\\,;]*"),
        (b"authorization",),
    ),
    # "secret": "…"
    _Opening(
        re.compile(_STRONG + rb"(?:" + _QUOTE + rb")?" + _IS + _QUOTE + rb"(?=[^\"'\\\r\n])"),
        re.compile(rb"[^\"'\\\r\n]*"),
        _STRONG_WORDS,
    ),
    # &signature=…
    _Opening(
        re.compile(_STRONG + rb"=(?=[^\s\"'\\&,;)\]}])"),
        re.compile(rb"[^\s\"'\\&,;)\]}]*"),
        _STRONG_WORDS,
    ),
    # X-MBX-APIKEY: …, and what is called less clearly but looks like a key
    _Opening(
        re.compile(_WEAK + rb"(?:" + _QUOTE + rb")?" + _IS + rb"(?:" + _QUOTE
                   + rb")?(?=[A-Za-z0-9_+/=.%-]{16})"),
        re.compile(rb"[A-Za-z0-9_+/=.%-]*"),
        (b"key", b"token", b"secret", b"password", b"authorization"),
    ),
    # Telegram's tokens, in addresses too
    _Opening(
        re.compile(rb"(?<![0-9])[0-9]{6,12}(?::|%3[aA])(?=[A-Za-z0-9_-]{30})"),
        re.compile(rb"[A-Za-z0-9_-]*"),
        whole=True,
    ),
    # PEM, its lines as they are or escaped in one
    _Opening(
        re.compile(rb"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----"),
        re.compile(rb"[A-Za-z0-9+/=\s\\]*"),
        (b"private key",),
    ),
)  # fmt: skip

_LONGEST_OPENING = 128
_CONTEXT = 1
"""Bytes that are kept of what has left: patterns look so far back."""


@dataclass(frozen=True)
class _Span:
    """Bytes to take out; more of them may follow while `inside` matches."""

    begin: int
    end: int
    inside: re.Pattern[bytes] | None = None

    def grown(self, text: bytes) -> "_Span":
        if self.inside is None:
            return self
        found = self.inside.match(text, self.end)
        end = found.end() if found else self.end
        return replace(self, end=end, inside=self.inside if end == len(text) else None)

    def moved(self, by: int) -> "_Span":
        return replace(self, begin=self.begin - by, end=self.end - by)


class Redactor:
    """Knows the secrets that must not be seen."""

    def __init__(self, secrets: Iterable[Secret] = ()) -> None:
        self._known: dict[str, dict[str, tuple[Disguise, ...]]] = {}
        self._forms: tuple[Disguise, ...] = ()
        self.longest = _LONGEST_OPENING
        self.know(secrets)

    def know(self, secrets: Iterable[Secret], instead_of: str = "") -> None:
        """Know more secrets from now on, also in streams that have begun.

        With a name they take the place of those that were known by it: what changes with every
        start of a bot does not pile up.
        """
        before = self._known.get(instead_of, {})
        values = {secret.reveal() for secret in secrets}
        fresh = {value: before.get(value) or tuple(disguises(value)) for value in values}
        kept = fresh if instead_of else before | fresh
        if kept.keys() == before.keys():
            return
        self._known[instead_of] = kept
        every = {value: forms for known in self._known.values() for value, forms in known.items()}
        self._forms = tuple(form for forms in every.values() for form in forms)
        self.longest = max((form.longest for form in self._forms), default=0) + _LONGEST_OPENING

    def stream(self) -> "Stream":
        """For bytes that come in pieces."""
        return Stream(self)

    def text(self, text: str) -> str:
        """A text without secrets."""
        stream = self.stream()
        content = text.encode(errors="surrogateescape")
        return (stream.feed(content) + stream.close()).decode(errors="surrogateescape")

    def spans(self, text: bytes, first: int, limit: int) -> Iterator[_Span]:
        """Everything to take out that starts at `first` or later and before `limit`."""
        for form in self._forms:
            if text.find(form.anchor, first) >= 0:
                yield from (
                    _Span(*m.span()) for m in _overlapping(form.pattern, text, first, limit)
                )
        small = text[first:].lower()
        for opening in _OPENINGS:
            if not opening.words or any(word in small for word in opening.words):
                for found in _overlapping(opening.announced, text, first, limit):
                    begin = found.start() if opening.whole else found.end()
                    yield _Span(begin, found.end(), opening.inside)


def _overlapping(
    pattern: re.Pattern[bytes], text: bytes, first: int, limit: int
) -> Iterator[re.Match[bytes]]:
    found = pattern.search(text, first)
    while found and found.start() < limit:
        yield found
        found = pattern.search(text, found.start() + 1)


class Stream:
    """One stream on its way. What `feed` returns may be shown."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._text = b""
        self._at = 0
        self._spans: list[_Span] = []
        self._covered = -1

    def feed(self, piece: bytes) -> bytes:
        """What is certain now: whole lines, and of a long one what cannot become a secret."""
        self._text += piece
        line = self._text.rfind(b"\n") + 1
        return self._until(max(self._at, line, len(self._text) - self._redactor.longest))

    def close(self) -> bytes:
        """The rest."""
        return self._until(len(self._text))

    def _until(self, limit: int) -> bytes:
        if limit > self._at:
            self._spans += self._redactor.spans(self._text, self._at, limit)
        self._spans = sorted((s.grown(self._text) for s in self._spans), key=lambda s: s.begin)
        shown, at = [], self._at
        for span in self._spans:
            begin, end = max(span.begin, at), min(span.end, limit)
            if begin < end:
                # One mark for what overlaps or touches, also over the border of two pieces.
                shown += [self._text[at:begin], MARK if begin > self._covered else b""]
                at = self._covered = end
        shown.append(self._text[at:limit])
        self._forget(limit)
        return b"".join(shown)

    def _forget(self, limit: int) -> None:
        self._spans = [s for s in self._spans if s.end > limit or s.inside]
        gone = max(0, limit - _CONTEXT)
        self._text, self._at = self._text[gone:], limit - gone
        self._spans = [span.moved(gone) for span in self._spans]
        self._covered -= gone


class Redacting(logging.Formatter):
    """Formats as another formatter does, tracebacks included, and takes secrets out of it."""

    def __init__(self, inner: logging.Formatter, redactor: Redactor) -> None:
        super().__init__()
        self._inner, self._redactor = inner, redactor

    def format(self, record: logging.LogRecord) -> str:
        return self._redactor.text(self._inner.format(record))
