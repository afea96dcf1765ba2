"""What a bot really runs, as it finds it in its own memory, written down for whoever started it.

Read after freqtrade has made its bot, and again after each reload: the source that was executed,
the parameters that are in force, the configuration that was read.
"""

import hashlib
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import freqtrade.worker
from freqtrade import __version__
from freqtrade.freqtradebot import FreqtradeBot

from runner.bots.messages import Loaded


def report(to: Path) -> None:
    """Let the freqtrade that will run in this process say what it has loaded."""
    worker = cast(Any, freqtrade.worker.Worker)
    initialise: Callable[..., None] = worker._init  # noqa: SLF001

    def then_report(self: Any, *given: Any) -> None:
        initialise(self, *given)
        _write(to, loaded(self.freqtrade))

    worker._init = then_report  # noqa: SLF001


def loaded(bot: FreqtradeBot) -> Loaded:
    """What this bot runs."""
    config = cast(dict[str, Any], bot.config)
    strategy = cast(Any, bot.strategy)
    # freqtrade adds `internals` to a configuration that has none; a pause changes the state only.
    read = {k: v for k, v in config["original_config"].items() if (k, v) != ("internals", {})}
    state = str(read.pop("initial_state", ""))
    # What it signs with: freqtrade forgets the key in its own configuration.
    key = str(cast(Any, bot.exchange)._api.apiKey or "")  # noqa: SLF001
    return Loaded(
        pid=os.getpid(),
        freqtrade=__version__,
        python=sys.executable,
        strategy=type(strategy).__name__,
        files=_files(Path(strategy.__file__)),
        source=_digest(strategy.__source__.encode()),
        parameters=_digest(_canonical(_parameters(strategy))),
        config=_digest(_canonical(read)),
        initial_state=state,
        dry_run=bool(config["dry_run"]),
        trading_mode=str(config["trading_mode"]),
        exchange=str(config["exchange"]["name"]),
        key=_digest(key.encode()) if key else "",
        database=str(config["db_url"]),
    )


def _files(strategy: Path) -> dict[str, str]:
    """The files of the release that were read, by their paths below the plugins' folder."""
    strategy = strategy.resolve()
    plugins, parameters = strategy.parent.parent, strategy.with_suffix(".json")
    origins = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
    paths = {Path(origin).resolve() for origin in origins if origin} | {strategy}
    if parameters.exists():
        paths.add(parameters)
    own = sorted(path for path in paths if path.is_relative_to(plugins))
    return {str(path.relative_to(plugins)): _digest(path.read_bytes()) for path in own}


def _parameters(strategy: Any) -> dict[str, Any]:
    """What decides how it trades and could come from a file beside the strategy."""
    found = {name: value.value for name, value in strategy.enumerate_parameters()}
    names = ("stoploss", "minimal_roi", "trailing_stop", "trailing_stop_positive")
    more = ("trailing_stop_positive_offset", "trailing_only_offset_is_reached", "timeframe")
    return found | {name: getattr(strategy, name) for name in (*names, *more)}


def _canonical(tree: Any) -> bytes:
    return json.dumps(tree, sort_keys=True, separators=(",", ":"), default=str).encode()


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _write(path: Path, what: Loaded) -> None:
    """As a whole or not at all. On a full disk the bot goes on, and stays unverified."""
    making = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        making.write_text(what.model_dump_json() + "\n", encoding="utf-8")
        making.replace(path)
    except OSError:
        making.unlink(missing_ok=True)
