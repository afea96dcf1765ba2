"""Whether the source keeps what the manifest promises. Read off the syntax tree, never run."""

import ast
import difflib
import json
from collections.abc import Iterator
from typing import Any

from pipelines.domain import source
from pipelines.domain.strategy import Strategy
from pipelines.domain.verdict import Finding

_METHODS_OF_OLD = {
    "populate_buy_trend": "populate_entry_trend",
    "populate_sell_trend": "populate_exit_trend",
    "custom_sell": "custom_exit",
    "check_buy_timeout": "check_entry_timeout",
    "check_sell_timeout": "check_exit_timeout",
}

_SPACES = (
    "buy",
    "sell",
    "enter",
    "exit",
    "protection",
    "roi",
    "stoploss",
    "trailing",
    "max_open_trades",
)
_PARAMETER_KEYS = ("strategy_name", "params", "ft_stratparam_v", "export_time")


def of_source(strategy: Strategy, tree: ast.Module, stake_currency: str) -> Iterator[Finding]:
    """Where `strategy.py` and its manifest disagree."""
    yield from freqai(strategy.name, tree)
    wanted = strategy.manifest.class_name
    if wanted not in source.classes(tree):
        yield _no_class(strategy, tree)
        return
    if wanted not in {node.name for node in source.strategy_classes(tree)}:
        yield Finding(
            what=f"{_place(strategy)}: class {wanted}",
            expected="derives from IStrategy",
            actual="derives from something else",
            hint="write 'class " + wanted + "(IStrategy):' with the import from freqtrade.strategy",
        )
    yield from _interface(strategy, tree)
    yield from _timeframe(strategy, tree)
    yield from _can_short(strategy, tree)
    yield from _reads(strategy, tree, stake_currency)


def _place(strategy: Strategy, line: int = 0) -> str:
    place = f"strategies/{strategy.name}/strategy.py"
    return f"{place}:{line}" if line else place


def _no_class(strategy: Strategy, tree: ast.Module) -> Finding:
    wanted, there = strategy.manifest.class_name, source.classes(tree)
    near = difflib.get_close_matches(wanted, there, n=1, cutoff=0.4)
    only = [node.name for node in source.strategy_classes(tree)]
    guess = (near or only or [""])[0]
    return Finding(
        what=f"{_place(strategy)}: class {wanted}",
        expected="the class that the manifest names",
        actual=f"there are {', '.join(there)}" if there else "there is no class",
        hint=f"did you mean 'class: {guess}'?" if guess else "see 'sluice docs strategy'",
    )


def _interface(strategy: Strategy, tree: ast.Module) -> Iterator[Finding]:
    found = source.attribute(tree, strategy.manifest.class_name, "INTERFACE_VERSION")
    if found is None or found.value != 3:
        shown = "nothing" if found is None else str(found.value)
        yield Finding(
            what=f"{_place(strategy, found.line if found else 0)}: INTERFACE_VERSION",
            expected="3",
            actual=shown,
            hint="write 'INTERFACE_VERSION = 3'; older ones have other method names",
        )
    yield from old_methods(strategy.name, tree)


def old_methods(name: str, tree: ast.Module) -> Iterator[Finding]:
    """Methods of freqtrade's second interface, which nobody calls any more."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name in _METHODS_OF_OLD:
            yield Finding(
                what=f"strategies/{name}/strategy.py:{node.lineno}: {node.name}",
                expected=_METHODS_OF_OLD[node.name],
                actual=node.name,
                hint="rename it; the columns 'buy' and 'sell' are 'enter_long' and 'exit_long' now",
            )


def _timeframe(strategy: Strategy, tree: ast.Module) -> Iterator[Finding]:
    found = source.attribute(tree, strategy.manifest.class_name, "timeframe")
    if found is not None and found.value != strategy.manifest.timeframe:
        yield Finding(
            what=f"{_place(strategy, found.line)}: timeframe",
            expected=strategy.manifest.timeframe,
            actual=str(found.value) if found.known else "something computed",
            hint="make the manifest and the class say the same",
        )


def _can_short(strategy: Strategy, tree: ast.Module) -> Iterator[Finding]:
    found = source.attribute(tree, strategy.manifest.class_name, "can_short")
    if found is None or found.value is False or strategy.manifest.trading_mode == "futures":
        return
    yield Finding(
        what=f"{_place(strategy, found.line)}: can_short",
        expected="False, for the manifest says trading_mode: spot",
        actual=str(found.value) if found.known else "something computed",
        hint="spot markets cannot be sold short",
    )


def _reads(strategy: Strategy, tree: ast.Module, stake_currency: str) -> Iterator[Finding]:
    manifest = strategy.manifest
    for read in source.reads(tree):
        pair = read.pair.replace("{stake}", stake_currency)
        if read.timeframe and read.timeframe not in manifest.timeframes:
            yield Finding(
                what=f"{_place(strategy, read.line)}: reads the timeframe {read.timeframe}",
                expected=f"one of {', '.join(manifest.timeframes)}",
                actual=read.timeframe,
                hint=f"add {read.timeframe} to 'informative' in strategy.yaml",
            )
        if "/" in pair and "{" not in pair and pair not in manifest.candle_pairs:
            yield Finding(
                what=f"{_place(strategy, read.line)}: reads the pair {pair}",
                expected="a pair of the manifest",
                actual=pair,
                hint=f"add {pair} to 'informative_pairs'; a strategy sees no others",
            )


def freqai(name: str, tree: ast.Module) -> Iterator[Finding]:
    """The first place where a strategy relies on FreqAI."""
    for node in ast.walk(tree):
        said = _name_of(node)
        if said.startswith(("freqai", "set_freqai_", "feature_engineering_", "freqtrade.freqai")):
            yield Finding(
                what=f"strategies/{name}/strategy.py:{getattr(node, 'lineno', 0)}: {said}",
                expected="signals that follow from candles and code alone",
                actual="FreqAI",
                hint="a model that trains itself on the way is not what was checked; not supported",
            )
            return


def _name_of(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.FunctionDef):
        return node.name
    return node.module or "" if isinstance(node, ast.ImportFrom) else ""


def of_parameters(strategy: Strategy) -> Iterator[Finding]:
    """What is wrong with `strategy.json`, which freqtrade reads beside `strategy.py`."""
    file = strategy.file("strategy.json")
    if file is None:
        return
    place = f"strategies/{strategy.name}/strategy.json"
    try:
        held: Any = json.loads(file.content)
    except (ValueError, RecursionError) as error:
        reason = str(error).splitlines()[0] if str(error) else "it is nested too deeply"
        yield Finding(what=f"{place}: is no JSON", actual=reason, hint="export it again")
        return
    if not isinstance(held, dict) or not isinstance(held.get("params"), dict):
        yield Finding(
            what=f"{place}: params", expected="keys and values", hint="see 'sluice docs strategy'"
        )
        return
    yield from _named(strategy, place, held)
    yield from _known(place, held)


def _named(strategy: Strategy, place: str, held: dict[str, Any]) -> Iterator[Finding]:
    wanted, named = strategy.manifest.class_name, held.get("strategy_name")
    if named != wanted:
        yield Finding(
            what=f"{place}: strategy_name",
            expected=wanted,
            actual=str(named),
            hint="freqtrade ignores or refuses the parameters of another strategy",
        )


def _known(place: str, held: dict[str, Any]) -> Iterator[Finding]:
    if "pairlists" in held or "pairlists" in held["params"]:
        yield Finding(
            what=f"{place}: pairlists",
            expected="the pairs of the manifest",
            actual="a pair list of its own",
            hint="pairs are fixed, so that what was checked is what is traded",
        )
    for key in held:
        if key not in (*_PARAMETER_KEYS, "pairlists"):
            yield Finding(
                what=f"{place}: {key}", expected=f"one of {', '.join(_PARAMETER_KEYS)}", actual=key
            )
    for space, values in held["params"].items():
        if space != "pairlists" and space not in _SPACES:
            yield Finding(
                what=f"{place}: params.{space}",
                expected=f"one of {', '.join(_SPACES)}",
                actual=space,
                hint="check the spelling: freqtrade would ignore it",
            )
        elif not isinstance(values, dict):
            yield Finding(what=f"{place}: params.{space}", expected="keys and values")
