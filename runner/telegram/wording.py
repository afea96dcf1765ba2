"""Alerts in the words of a message, in Telegram's HTML: short, for a phone held upright."""

import re
from collections.abc import Sequence
from html import escape, unescape

from pipelines.adapters.alerts import Alert, Severity

LONGEST = 3800
"""Characters of a message; Telegram takes 4096 of text, and we add a line."""

PIECE = 800
"""The same of a part: short enough also where every character has to be escaped."""

MANY = 4
"""From so many alerts on, each is told in one short line."""

_SHOWN = 8

PLAIN = "<pre>"
_TAG = re.compile(r"</?[a-z]+>")
_SHORT, _LONG = 160, 1500
_MARKS: dict[Severity, str] = {"money": "🔴", "warning": "🟠", "notice": "⚪"}
_ORDER: tuple[Severity, ...] = ("notice", "warning", "money")


def where(alert: Alert) -> str:
    """What an alert is about, in a few words."""
    return " ".join(part for part in (alert.environment, alert.strategy) if part) or "host"


def one(alert: Alert) -> str:
    """An alert that comes alone."""
    kind = f" · {alert.kind}" if alert.kind else ""
    head = f"{_MARKS[alert.severity]} <b>{said(where(alert))}</b>{kind}"
    return f"{head}\n{_told(alert, _LONG)}\n<i>{alert.at:%d %b %H:%M} · {alert.id}</i>"


def many(alerts: Sequence[Alert]) -> str:
    """Alerts that come together, in their order, none left out."""
    worst = max((each.severity for each in alerts), key=_ORDER.index)
    lines = [f"{_MARKS[worst]} <b>{len(alerts)} alerts</b>"]
    return "\n".join((*lines, *(line(each) for each in alerts)))


def line(alert: Alert) -> str:
    """An alert among others."""
    return f"{_MARKS[alert.severity]} <b>{said(where(alert))}</b> {_told(alert, _SHORT)}"


def groups(alerts: Sequence[Alert]) -> list[int]:
    """How many alerts in a row each message tells of: what fits."""
    sizes, room = [0], LONGEST
    for alert in alerts:
        needs = len(line(alert)) + 1
        if sizes[-1] and needs > room:
            sizes.append(0)
            room = LONGEST
        sizes[-1] += 1
        room -= needs
    return sizes if alerts else []


def again(alerts: Sequence[Alert]) -> str:
    """What nobody has acknowledged yet."""
    shown = [line(each) for each in alerts[:_SHOWN]]
    rest = len(alerts) - len(shown)
    more = [f"and {rest} more: /ack"] if rest else []
    return "\n".join(("🔴 <b>still nobody has acknowledged</b>", *shown, *more))


def pieces(text: str) -> list[str]:
    """A text that is too long, in parts that end with a line where they can."""
    found: list[str] = []
    while len(text) > PIECE:
        cut = text.rfind("\n", 1, PIECE)
        cut = cut if cut > 0 else PIECE
        found.append(text[:cut])
        text = text[cut:].lstrip("\n")
    return [*found, text]


def plain(text: str) -> list[str]:
    """A text that Telegram did not take as it was: without markup, in parts that are short."""
    bare = unescape(_TAG.sub("", text))
    return [f"{PLAIN}{said(piece)}</pre>" for piece in pieces(bare)]


def said(text: str) -> str:
    """Any text, so that Telegram takes none of it for markup."""
    return escape(text, quote=False)


def _told(alert: Alert, most: int) -> str:
    text = "; ".join(alert.text.splitlines())
    return said(text if len(text) <= most else f"{text[: most - 1]}…")
