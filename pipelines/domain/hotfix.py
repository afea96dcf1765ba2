"""A hotfix: a release that differs from another one in freqtrade or ccxt, and trades the same."""

import re
from collections.abc import Mapping

from pipelines.domain.document import Document, sha256
from pipelines.domain.release import Pins, PythonMinor
from pipelines.domain.statement import Packed
from pipelines.domain.strategy import Manifest, Strategy
from pipelines.domain.trades.trade import Trade, TradeLog

ENGINE = frozenset({"freqtrade", "freqtrade-client", "ccxt"})
"""The packages that a hotfix may change. The client is a part of freqtrade."""

_REQUIREMENT = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==")
_DIGITS = 8
"""Significant digits in which two versions of freqtrade have to agree on a price or an amount."""

_NO_VERSION = "0.0.0"


class _Remainder(Document):
    files: dict[str, str]
    manifest: Manifest
    packages: tuple[str, ...]
    python: PythonMinor


def remainder(strategy: Strategy, pins: Pins, lock: str) -> str:
    """Digest of all that a release is but its version, freqtrade and ccxt.

    `lock` is the text of the lock that its pins name.
    """
    own = f"{strategy.name}/strategy.yaml"
    every = (*strategy.files, *strategy.shared)
    return _Remainder(
        files={f.path: f.digest for f in sorted(every, key=lambda f: f.path) if f.path != own},
        manifest=strategy.manifest.model_copy(update={"version": _NO_VERSION}),
        packages=_packages(lock),
        python=pins.python,
    ).content_digest()


def _packages(lock: str) -> tuple[str, ...]:
    """Every requirement with its hashes. Comments only say who asked for it."""
    found: dict[str, list[str]] = {}
    name = ""
    for line in lock.splitlines():
        if line.strip().startswith("#"):
            continue
        if begins := _REQUIREMENT.match(line):
            name = begins[1]
        found.setdefault(name, []).append(line.strip().removesuffix("\\").strip())
    return tuple(" ".join(found[name]) for name in sorted(found) if name not in ENGINE)


def trades_digest(logs: Mapping[str, TradeLog]) -> str | None:
    """Digest of every trade of a backtest, by window; None without a single one.

    What follows from the fills, such as profit and balance, is not part of it.
    """
    if not any(log.trades for log in logs.values()):
        return None
    lines = []
    for window, log in sorted(logs.items()):
        lines.append(f"{window} {log.left_open}")
        lines += sorted(_told(trade) for trade in log.trades)
    return sha256("\n".join(lines).encode())


def _told(trade: Trade) -> str:
    fills = tuple((f.at, _number(f.price), _number(f.amount), f.entry) for f in trade.fills)
    figures = _number(trade.leverage), _number(trade.fee), _number(trade.funding)
    named = trade.pair, trade.short, trade.tag, trade.exit_reason
    return repr((trade.opened, trade.closed, named, figures, fills))


def _number(value: float) -> str:
    return f"{value:.{_DIGITS}g}"


def mends(new: Packed, old: Packed) -> bool:
    """True when one release is a hotfix of another, from what is signed about both.

    What a statement does not say is unknown, and that is no.
    """
    same_rest = new.remainder is not None and new.remainder == old.remainder
    mine, theirs = new.evidence, old.evidence
    same_grounds = (mine.data_digest, mine.thresholds_digest) == (
        theirs.data_digest,
        theirs.thresholds_digest,
    )
    same_trades = mine.trades_digest is not None and mine.trades_digest == theirs.trades_digest
    other_engine = new.release.pins != old.release.pins
    same_name = new.release.name == old.release.name
    return same_name and same_rest and same_grounds and same_trades and other_engine
