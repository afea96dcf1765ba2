"""What a strategy's source settles about the prices of its orders, and what it leaves open.

freqtrade fills orders at prices that follow from the candles and from a few attributes, unless the
strategy defines a callback that prices them. Which callbacks it has is read off the syntax tree:
whatever the sources name in any way counts as defined.
"""

import ast
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from pipelines.domain.source import NotPython, attribute, parse
from pipelines.domain.strategy import Strategy

_PRICES_ENTRIES = ("custom_entry_price", "adjust_entry_price", "adjust_order_price")
_PRICES_EXITS = ("custom_exit_price", "adjust_exit_price", "adjust_order_price")
_SETS_STAKES = ("custom_stake_amount", "max_open_trades", "stake_amount", "wallets")
_ADJUSTS = ("position_adjustment_enable", "adjust_trade_position")


@dataclass(frozen=True)
class Pricing:
    """How a strategy may have its orders priced.

    `stop` is the share of the average entry price that may be lost, `roi` the profit that ends a
    trade after so many minutes, ascending; None where the source does not settle it. `trail` is
    how close, as a share, a trailing stop may follow the highest price, None where nothing trails,
    and `offset` the profit from which on it comes that close.
    """

    free_entries: bool = True
    free_exits: bool = True
    free_stakes: bool = True
    adjusts: bool = True
    stop: float | None = None
    trail: float | None = None
    offset: float = 0.0
    roi: tuple[tuple[int, float], ...] | None = None


def pricing(strategy: Strategy) -> Pricing:
    """What the sources of a strategy settle; everything is open where one cannot be read."""
    files = (*strategy.files, *strategy.shared)
    try:
        trees = {f.path: parse(f.content) for f in files if f.path.endswith(".py")}
    except NotPython:
        return Pricing()
    # A test may name whatever it likes: freqtrade does not load it.
    loaded = [tree for path, tree in trees.items() if not path.split("/")[-1].startswith("test_")]
    named = Counter(name for tree in loaded for name in _names(tree))
    # Exported parameters change attributes behind the source's back.
    exported = b"".join(f.content for f in files if f.path.endswith(".json"))
    own = trees.get(f"{strategy.name}/strategy.py")
    if own is None:
        return Pricing()
    settled = _Settled(own, strategy.manifest.class_name, named, exported)
    stop, trail, offset = settled.stops()
    return Pricing(
        free_entries=any(named[name] for name in _PRICES_ENTRIES),
        free_exits=any(named[name] for name in _PRICES_EXITS),
        free_stakes=any(named[name] for name in (*_SETS_STAKES, *_ADJUSTS))
        or b"max_open_trades" in exported,
        adjusts=any(named[name] for name in _ADJUSTS),
        stop=stop,
        trail=trail,
        offset=offset,
        roi=settled.roi(),
    )


def _names(tree: ast.Module) -> Iterator[str]:
    """Every name in a file, however it is used; texts too, since `setattr` takes them."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.FunctionDef(name=name):
                yield name
            case ast.keyword(arg=str(name)) | ast.Constant(value=str(name)):
                yield name


@dataclass(frozen=True)
class _Settled:
    """Attributes of one class. Each is settled when the class gives it once, as a constant."""

    tree: ast.Module
    class_name: str
    named: Counter[str]
    exported: bytes

    def _value(self, name: str, otherwise: object = None) -> object:
        """Its constant, `otherwise` where nobody names it, None where it may be anything."""
        if name.encode() in self.exported or self.named[name] > 1:
            return None
        if not self.named[name]:
            return otherwise
        found = attribute(self.tree, self.class_name, name)
        return found.value if found and found.known else None

    def _number(self, name: str, otherwise: float | None = None) -> float | None:
        value = self._value(name, otherwise)
        return float(value) if isinstance(value, int | float) else None

    def stops(self) -> tuple[float | None, float | None, float]:
        """The stop, how close it may follow, and the profit from which on it does."""
        stop = self._number("stoploss")
        if stop is None or self.named["custom_stoploss"] or self.named["use_custom_stoploss"]:
            return None, None, 0.0
        stop = abs(stop)
        if b"trailing" in self.exported:
            return None, None, 0.0
        if not self.named["trailing_stop"] or self._value("trailing_stop") is False:
            return stop, None, 0.0
        positive = self._number("trailing_stop_positive", stop)
        offset = self._number("trailing_stop_positive_offset", 0.0)
        if positive is None or offset is None:
            return None, None, 0.0
        return stop, min(stop, abs(positive)), offset

    def roi(self) -> tuple[tuple[int, float], ...] | None:
        """The table of `minimal_roi`, ascending by minutes."""
        table = self._value("minimal_roi")
        named = self.named["custom_roi"] or self.named["use_custom_roi"]
        if not isinstance(table, dict) or named or b'"roi"' in self.exported:
            return None
        try:
            return tuple(sorted((int(key), float(value)) for key, value in table.items()))
        except (TypeError, ValueError):
            return None
