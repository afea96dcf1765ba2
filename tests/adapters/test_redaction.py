"""No secret leaves, however it is written and however the stream is cut; nothing else is taken."""

import base64
import io
import json
import logging
import urllib.parse
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.adapters.redaction import MARK, Redacting, Redactor
from pipelines.domain.secret import Secret

KEY = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A"
ODD = "a/b+c\"d\\e é\U0001f600&f=g'h"
LINES = "first line of it\nsecond line/of it"
TOKEN = "123456789:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw1"
MARKED = MARK.decode()


def redactor(*values: str) -> Redactor:
    return Redactor(map(Secret, values))


def base64_at(offset: int, encode: Callable[[bytes], bytes]) -> Callable[[str], str]:
    return lambda value: encode(b"xyz"[:offset] + value.encode() + b"tail").decode()


WRITTEN: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "as JSON": json.dumps,
    "as JSON with every character": lambda v: json.dumps(v, ensure_ascii=False),
    "as JSON with slashes escaped": lambda v: json.dumps(v).replace("/", "\\/"),
    "as JSON in capitals": lambda v: "".join(f"\\u{ord(c):04X}" if c in "/+" else c for c in v),
    "in a URL": lambda v: urllib.parse.quote(v, safe=""),
    "in a URL, small": lambda v: urllib.parse.quote(v, safe="").replace("%2F", "%2f"),
    "in a path": urllib.parse.quote,
    "in a form": urllib.parse.quote_plus,
    "as Python shows it": repr,
    "as Python shows its bytes": lambda v: repr(v.encode()),
    "in hex": lambda v: v.encode().hex(),
    "in hex, capitals": lambda v: v.encode().hex().upper(),
    **{f"in base64 at {n}": base64_at(n, base64.b64encode) for n in range(3)},
    **{f"in base64 of URLs at {n}": base64_at(n, base64.urlsafe_b64encode) for n in range(3)},
    "in base64 in a URL": lambda v: urllib.parse.quote(
        base64.b64encode(v.encode()).decode(), safe=""
    ),
    "in base64 in JSON": lambda v: base64.b64encode(v.encode()).decode().replace("/", "\\/"),
}


@pytest.mark.parametrize("value", [KEY, ODD, "with spaces in it", "éééééééé"], ids=ascii)
@pytest.mark.parametrize("written", WRITTEN)
def test_a_secret_is_found(written: str, value: str) -> None:
    shown = WRITTEN[written](value)
    told = redactor(value).text(f"before >{shown}< after")
    assert MARKED in told
    assert told.startswith("before >")
    assert told.endswith("< after")
    assert all(part not in told for part in pieces(shown))


def pieces(shown: str) -> set[str]:
    """What would still give a secret away: six characters of what was written in a row."""
    inner = shown.strip("\"'b")
    middle = inner[4 : len(inner) - 8]
    return {middle[n : n + 6] for n in range(len(middle) - 5)}


@pytest.mark.parametrize("written", WRITTEN)
def test_of_a_secret_with_several_lines_none_is_left(written: str) -> None:
    told = redactor(LINES).text(f">{WRITTEN[written](LINES)}<")
    assert "line" not in told
    assert MARKED in told


def test_bits_of_a_secret_at_the_ends_of_base64_go_with_it() -> None:
    for offset in range(3):
        text = base64.b64encode(b"xyz"[:offset] + KEY.encode() + b"t").decode()
        told = redactor(KEY).text(text)
        left = told.split(MARKED)
        assert len(left[0]) <= offset + 1
        assert len(left[1]) <= 4


SHORT = ["", "a", "1234567", "secret", "key"]


@pytest.mark.parametrize("value", SHORT)
def test_short_values_are_ordinary_text(value: str) -> None:
    text = f"a secret key of 1234567 is ordinary: {value} {value.encode().hex()}"
    assert redactor(value).text(text) == text


ORDINARY = [
    "2026-01-02 03:04:05,678 - freqtrade.worker - INFO - Bot heartbeat. PID=12345, state='RUNNING'",
    "error: prod: exchange_key, exchange_secret: no such secret is kept here",
    "hint: 'sluice secrets list' says what is",
    "the password: is asked for at the terminal",
    "key path: environments/prod.yaml: portfolio.max_open_trades",
    "release trend_breakout@1.4.0+3f9c2a1b",
    "digest 7872110515fe6260b748c6dff355a38d72eafb804264c1e7d34936d1c38dfdfa is complete",
    "-----BEGIN PUBLIC KEY-----",
    "-----BEGIN CERTIFICATE-----\nMIIBIjANBgkqhkiG9w0BAQEF\n-----END CERTIFICATE-----",
    "ratio 12:34, port 127.0.0.1:8080, pair BTC/USDT:USDT",
    "12345678:short",
    "authorization failed",
    "token",
    "",
    "\n\n",
    "\ufffd \x00 \udc80",
]


@pytest.mark.parametrize("text", ORDINARY, ids=range(len(ORDINARY)))
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert redactor(KEY, ODD, TOKEN).text(text) == text


PEM = "-----BEGIN EC PRIVATE KEY-----\n" + "MHcCAQEEIB/abc+def0123456789=\n" * 3
PATTERNS = {
    "telegram": (f"https://api.telegram.org/bot{TOKEN}/getMe", TOKEN[10:]),
    "telegram in a URL": (f"bot{TOKEN.replace(':', '%3A')}/getMe", TOKEN[10:]),
    "a bearer": (f"Authorization: Bearer {KEY[:10]}.x", KEY[:10]),
    "a bearer in JSON": (json.dumps({"authorization": f"bearer {KEY[:10]}"}), KEY[:10]),
    "basic": ("authorization: Basic QWxhZGRpbjpvcGVu==", "QWxhZGRpbjpvcGVu"),
    "a bare one": (f"Authorization: {KEY}", KEY),
    "binance's header": (f"X-MBX-APIKEY: {KEY}", KEY),
    "binance's header in a dict": (f"{{'X-MBX-APIKEY': '{KEY}'}}", KEY),
    "a signature": (f"/api/v3/order?symbol=BTCUSDT&signature={'ab12' * 16}&x=1", "ab12"),
    "key in a configuration": (json.dumps({"exchange": {"key": KEY, "name": "binance"}}), KEY),
    "secret in a configuration": (json.dumps({"secret": "hunter2 hunter2"}), "hunter2"),
    "jwt_secret_key": (json.dumps({"jwt_secret_key": "some thing"}), "some thing"),
    "ws_token": ("'ws_token': 'abc'", "abc"),
    "apiKey": ("apiKey: 'abc', secret: 'def'", "abc"),
    "a password in a variable": ("PASSWORD=hunter2 next", "hunter2"),
    "JSON in JSON": (json.dumps(json.dumps({"password": "hunter2"})), "hunter2"),
    "a PEM": (f"{PEM}-----END EC PRIVATE KEY-----\nafter", "abc+def"),
    "a PEM on one line": (json.dumps(PEM) + " after", "abc+def"),
    "a PEM that is cut off": (PEM[:-9], "abc+def"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "hidden"), PATTERNS.values(), ids=PATTERNS)
def test_what_looks_like_a_secret_is_taken_out(text: str, hidden: str) -> None:
    assert hidden in text
    told = redactor().text(text)
    assert hidden not in told
    assert MARKED in told
    assert len(told.replace(MARKED, "")) > 4


def test_what_stands_around_stays() -> None:
    told = redactor().text(f'{{"key": "{KEY}", "name": "binance", "secret": "x y", "a": 1}}')
    assert json.loads(told) == {"key": MARKED, "name": "binance", "secret": MARKED, "a": 1}
    told = redactor().text(f"/order?symbol=BTC&signature={'0' * 64}&recvWindow=1 200")
    assert told == f"/order?symbol=BTC&signature={MARKED}&recvWindow=1 200"
    told = redactor().text(f"{PEM}-----END EC PRIVATE KEY-----\nafter")
    assert told.endswith("-----END EC PRIVATE KEY-----\nafter")


def test_what_overlaps_is_taken_out_as_a_whole() -> None:
    known = redactor("abcdefghijkl", "ghijklmnopqr", "ghijklmnopqrstuvwx")
    told = known.text("-abcdefghijklmnopqrstuvwx-")
    assert told == f"-{MARKED}-"


# Streams

NOISE = st.sampled_from(
    [*ORDINARY, *(text for text, _ in PATTERNS.values()), "\n", "\r\n", " ", "=", "x", '"', "\\",
     "key=", "secret: ", "Authorization: Bearer ", "-----BEGIN PRIVATE KEY-----", "1234567:"]
)  # fmt: skip
SECRETS = st.builds(
    lambda write, value: WRITTEN[write](value),
    st.sampled_from(sorted(WRITTEN)),
    st.sampled_from([KEY, ODD, LINES]),
)
TEXTS = st.lists(st.one_of(SECRETS, NOISE, st.text(max_size=20)), max_size=8).map("".join)
KNOWN = redactor(KEY, ODD, LINES)


@settings(deadline=None)
@given(TEXTS, st.data())
def test_any_cut_of_a_stream_gives_the_same_text(text: str, data: st.DataObject) -> None:
    whole = text.encode(errors="surrogateescape")
    expected = KNOWN.text(text).encode(errors="surrogateescape")
    cuts = st.lists(st.integers(0, len(whole)), max_size=20).map(sorted)
    at = [0, *data.draw(cuts), len(whole)]
    stream = KNOWN.stream()
    told = [stream.feed(whole[first:last]) for first, last in pairwise(at)]
    assert b"".join([*told, stream.close()]) == expected
    for value in (KEY, ODD, *LINES.splitlines()):
        assert value.encode() not in expected
        assert base64.b64encode(value.encode())[:-4] not in expected
        assert value.encode().hex().encode() not in expected.lower()


@settings(deadline=None)
@given(TEXTS)
def test_byte_by_byte_is_the_same_too_and_never_shows_a_secret_on_the_way(text: str) -> None:
    whole, shown = text.encode(errors="surrogateescape"), b""
    stream = KNOWN.stream()
    for at in range(len(whole)):
        shown += stream.feed(whole[at : at + 1])
    assert shown + stream.close() == KNOWN.text(text).encode(errors="surrogateescape")


@settings(deadline=None)
@given(st.text(max_size=200))
def test_what_was_redacted_stays_as_it_is(text: str) -> None:
    once = KNOWN.text(text)
    assert KNOWN.text(once) == once


VALUES = st.text(st.characters(codec="utf-8", exclude_characters="\n\r"), min_size=8, max_size=80)


@settings(deadline=None)
@given(VALUES, st.sampled_from(sorted(WRITTEN)))
def test_any_value_is_found_in_any_form(value: str, written: str) -> None:
    told = redactor(value).text(f"before >{WRITTEN[written](value)}< after")
    assert MARKED in told
    assert WRITTEN[written](value) not in told


def test_a_secret_in_a_line_without_end_is_found_wherever_it_is_cut() -> None:
    whole = b"x" * 5000 + KEY.encode() + b"y" * 5000
    for size in (1, 7, 64, 4096, 9999):
        stream = KNOWN.stream()
        told = [stream.feed(whole[at : at + size]) for at in range(0, len(whole), size)]
        assert b"".join([*told, stream.close()]) == b"x" * 5000 + MARK + b"y" * 5000


def test_whole_lines_leave_at_once_and_a_long_one_in_time() -> None:
    stream = KNOWN.stream()
    assert stream.feed(b"a line\nthe beginning of") == b"a line\n"
    assert stream.feed(b" one\n") == b"the beginning of one\n"
    shown = sum(len(stream.feed(b"x" * 1000)) for _ in range(100))
    assert shown > 100_000 - KNOWN.longest - 1000
    assert len(stream._text) <= KNOWN.longest + 1000
    stream.close()


def test_logs_hold_no_secret_not_even_in_a_traceback() -> None:
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    plain = logging.Formatter("%(levelname)s %(message)s")
    handler.setFormatter(Redacting(plain, KNOWN))
    logger = logging.Logger("test")
    logger.addHandler(handler)
    logger.info("key is %s", KEY)
    try:
        int(KEY)
    except ValueError:
        logger.exception("failed with %r", ODD)
    said = written.getvalue()
    assert said.startswith(f"INFO key is {MARKED}\nERROR failed with '{MARKED}'\nTraceback")
    assert f"ValueError: invalid literal for int() with base 10: '{MARKED}'" in said
    assert KEY not in said
