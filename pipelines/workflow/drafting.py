"""Drafts of plugins, made from the syntax tree of strategies that exist already."""

import ast
import json
import re
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from pipelines.adapters import plugins
from pipelines.adapters.ruff import Ruff
from pipelines.domain import source as code
from pipelines.domain.candles import TIMEFRAMES
from pipelines.domain.strategy import Manifest, Pair, SourceFile, Strategy
from pipelines.domain.verdict import Finding
from pipelines.errors import CannotTell
from pipelines.workflow.planting import PAIRS

_PAIR = TypeAdapter(Pair)


@dataclass(frozen=True)
class PassedOver:
    """Something that looked like a strategy and did not become a plugin."""

    source: Path
    class_name: str
    reason: str
    hint: str = ""


@dataclass(frozen=True)
class Draft:
    """A plugin in the making. `obstacles` are not known yet when it is drafted."""

    strategy: Strategy
    source: Path
    guesses: tuple[str, ...]
    obstacles: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class Wanted:
    """What was asked for: where to look, and what to put into the manifests."""

    source: Path
    pairs: tuple[str, ...]
    owner: str


def drafted(
    wanted: Wanted, path: Path, content: bytes, tree: ast.Module, node: ast.ClassDef
) -> Draft | PassedOver:
    """The plugin that a class becomes, or why it becomes none."""
    guesses = list[str]()
    config = _config(wanted.source, path)
    timeframe = _timeframe(tree, node.name, guesses)
    if timeframe not in TIMEFRAMES:
        return PassedOver(
            path, node.name, f"its timeframe is {timeframe}", f"there are {', '.join(TIMEFRAMES)}"
        )
    short = code.attribute(tree, node.name, "can_short")
    mode = "futures" if short is not None and short.value is not False else "spot"
    if mode == "futures":
        guesses.append("trading_mode: futures, because the class says can_short")
    name = plugins.suggested(snake_case(node.name))
    values = {
        "class": node.name,
        "version": "1.0.0",
        "owner": wanted.owner,
        "summary": _summary(node, path),
        "pairs": _pairs(wanted, tree, mode, config, guesses),
        "timeframe": timeframe,
        "informative": _informative(tree, timeframe),
        "trading_mode": mode,
        "handover": "drain",
    }
    guesses.append("handover: drain, the careful one: each version closes the trades it opened")
    files = _source_files(path, content, name, node.name, guesses)
    try:
        manifest = Manifest.model_validate_json(json.dumps(values))
    except ValidationError as error:
        reason = error.errors()[0]["msg"]
        return PassedOver(path, node.name, f"no manifest can be made of it: {reason}")
    return Draft(Strategy(name, manifest, files), path, tuple(guesses))


def snake_case(class_name: str) -> str:
    """`TrendBreakout` becomes `trend_breakout`, `RSIStrategy` becomes `rsi_strategy`."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", class_name)
    return parted.lower()


def _timeframe(tree: ast.Module, class_name: str, guesses: list[str]) -> str:
    for name in ("timeframe", "ticker_interval"):
        found = code.attribute(tree, class_name, name)
        if found is not None and isinstance(found.value, str):
            return found.value
    guesses.append("timeframe: 1h, because the class does not write one out")
    return "1h"


def _informative(tree: ast.Module, timeframe: str) -> list[str]:
    read = {each.timeframe for each in code.reads(tree)} - {timeframe, ""}
    return sorted(read & set(TIMEFRAMES), key=lambda each: TIMEFRAMES[each])


def _summary(node: ast.ClassDef, path: Path) -> str:
    said = (ast.get_docstring(node) or "").strip().splitlines()
    return (said[0].strip() if said and said[0].strip() else f"Imported from {path.name}")[:200]


def _pairs(
    wanted: Wanted,
    tree: ast.Module,
    mode: str,
    config: tuple[Path, tuple[str, ...]] | None,
    guesses: list[str],
) -> list[str]:
    if wanted.pairs:
        pairs = wanted.pairs
    elif config:
        pairs = config[1]
        guesses.append(f"pairs: those of {config[0].name}")
    else:
        pairs = PAIRS
        guesses.append("pairs: those of the embedded market, because no config.json names any")
    read = [each.pair.replace("{stake}", "USDT") for each in code.reads(tree) if each.pair]
    every = list(dict.fromkeys([*pairs, *(pair for pair in read if _is_pair(pair))]))
    if mode == "futures":
        every = [p if ":" in p else f"{p}:{p.split('/')[1]}" for p in every]
    return list(dict.fromkeys(every))


def _is_pair(text: object) -> bool:
    try:
        _PAIR.validate_python(text, strict=True)
    except ValidationError:
        return False
    return True


def _config(source: Path, path: Path) -> tuple[Path, tuple[str, ...]] | None:
    """The nearest `config.json` that lists pairs: beside the strategy or up to the source's top."""
    for folder in (path.parent, *path.parents[1:3], source):
        file = folder / "config.json"
        try:
            held = json.loads(file.read_bytes())
            pairs = tuple(p for p in held["exchange"]["pair_whitelist"] if _is_pair(p))
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            continue
        if pairs:
            return file, pairs
    return None


def _source_files(
    path: Path, content: bytes, name: str, class_name: str, guesses: list[str]
) -> tuple[SourceFile, ...]:
    try:
        source = Ruff().format(content)
    except CannotTell:
        source = content
        guesses.append("the code is not formatted, because ruff could not do it")
    files = [SourceFile(f"{name}/strategy.py", source)]
    parameters = path.with_suffix(".json")
    if parameters.is_file() and not parameters.is_symlink():
        held = parameters.read_bytes()
        if _is_of(held, class_name):
            files.append(SourceFile(f"{name}/strategy.json", held))
            guesses.append(f"parameters: {parameters.name}, which is called strategy.json now")
        else:
            guesses.append(f"{parameters.name} was left out: it is not of class {class_name}")
    return tuple(files)


def _is_of(content: bytes, class_name: str) -> bool:
    try:
        held = json.loads(content)
    except (ValueError, RecursionError):
        return False
    return isinstance(held, dict) and held.get("strategy_name") == class_name
