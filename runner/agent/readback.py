"""What really runs, held against what should: a bot trades only when all of it is equal. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pipelines.freqtrade.rest import Shown
from runner.bots.messages import Loaded


@dataclass(frozen=True)
class Expected:
    """What a bot of this release in this environment has to be. Digests are sha256 in hex.

    `files` are all files of the release by their paths, `strategy_file` the one that holds the
    strategy, `class_name` its class. `python` is the one with its packages. `key` is the digest of
    the exchange's key, empty for none.
    """

    bot: str
    class_name: str
    strategy_file: str
    files: Mapping[str, str]
    freqtrade: str
    python: str
    config: str
    initial_state: str
    dry_run: bool
    trading_mode: str
    exchange: str
    key: str
    database: str


def differences(expected: Expected, pid: int, loaded: Loaded, shown: Shown) -> tuple[str, ...]:
    """Everything in which a bot is not what it should be; nothing when it is.

    `pid` is the process that holds the bot's lock, `loaded` what the bot found in its own memory,
    `shown` what freqtrade says of itself: what both can tell, both have to.
    """
    return (*_process(expected, pid, loaded), *_files(expected, loaded), *_shown(expected, shown))


def _process(expected: Expected, pid: int, loaded: Loaded) -> Iterator[str]:
    yield from _unequal(
        {
            "process": (pid, loaded.pid),
            "strategy": (expected.class_name, loaded.strategy),
            "freqtrade": (expected.freqtrade, loaded.freqtrade),
            "packages": (expected.python, loaded.python),
            "configuration": (expected.config, loaded.config),
            "initial state": (expected.initial_state, _state(expected, loaded)),
            "dry_run": (expected.dry_run, loaded.dry_run),
            "trading mode": (expected.trading_mode, loaded.trading_mode),
            "exchange": (expected.exchange, loaded.exchange),
            "exchange key": (expected.key, loaded.key),
            "database": (expected.database, loaded.database),
            "strategy's source": (expected.files.get(expected.strategy_file), loaded.source),
        }
    )


def _state(expected: Expected, loaded: Loaded) -> str:
    # A pause is always allowed: the agent itself asks for it.
    return expected.initial_state if loaded.initial_state == "paused" else loaded.initial_state


def _files(expected: Expected, loaded: Loaded) -> Iterator[str]:
    if expected.strategy_file not in loaded.files:
        yield f"{expected.strategy_file}: should be what runs, but another file was loaded"
    for path, digest in sorted(loaded.files.items()):
        if path not in expected.files:
            yield f"{path}: was loaded, but the release does not have it"
        elif digest != expected.files[path]:
            yield f"{path}: is not as it is in the release"


def _shown(expected: Expected, shown: Shown) -> Iterator[str]:
    yield from _unequal(
        {
            "bot": (expected.bot, shown.bot_name),
            "strategy by REST": (expected.class_name, shown.strategy),
            "freqtrade by REST": (expected.freqtrade, shown.version),
            "dry_run by REST": (expected.dry_run, shown.dry_run),
            "trading mode by REST": (expected.trading_mode, shown.trading_mode),
            "exchange by REST": (expected.exchange, shown.exchange),
        }
    )


def _unequal(pairs: Mapping[str, tuple[object, object]]) -> Iterator[str]:
    for what, (should, does) in pairs.items():
        if should != does:
            yield f"{what}: should be {_told(should)}, is {_told(does)}"


def _told(value: object) -> str:
    text = str(value)
    # A digest is told by its beginning, as everywhere.
    return text[:8] if len(text) == 64 else text or "none"
