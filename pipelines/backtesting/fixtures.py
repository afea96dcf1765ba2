"""Fixtures for the tests of strategies: `strategy`, `candles` and `signals`.

This module is a pytest plugin (entry point `sluice`), so it is loaded by every pytest of this
environment. It imports nothing heavy until one of its fixtures is used, and its fixtures work only
in tests that lie in a plugin's folder, beside `strategy.yaml`.
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pandas import DataFrame

    from pipelines.backtesting.built import CandleBuilder
    from pipelines.backtesting.plugin import Plugin
    from pipelines.backtesting.signals import Signals

UNDER_TEST = pytest.StashKey["Plugin"]()
"""Where the unit check's child names the plugin for tests that don't lie in its folder."""


def plugin_of(request: pytest.FixtureRequest) -> "Plugin":
    """The plugin that the asking test is about."""
    __tracebackhide__ = True
    named = request.config.stash.get(UNDER_TEST, None)
    if named is not None:
        return named
    folder = request.path.parent
    if not (folder / "strategy.yaml").is_file():
        pytest.fail(
            f"the fixture '{request.fixturename}' is for tests of a strategy, "
            f"and there is no strategy.yaml beside {request.path.name}",
            pytrace=False,
        )
    return _plugin_in(folder)


@cache
def _plugin_in(folder: Path) -> "Plugin":
    from pipelines.backtesting.plugin import Plugin

    return Plugin.found_in(folder)


@pytest.fixture
def strategy(request: pytest.FixtureRequest) -> Any:
    """A fresh object of the strategy under test, its parameters loaded."""
    return plugin_of(request).strategy()


@pytest.fixture
def candles(request: pytest.FixtureRequest) -> "CandleBuilder":
    """Builds candles at the strategy's timeframe."""
    plugin = plugin_of(request)
    from pipelines.backtesting.built import CandleBuilder

    return CandleBuilder(plugin.manifest.timeframe)


@pytest.fixture
def signals(request: pytest.FixtureRequest, strategy: Any) -> Callable[..., "Signals"]:
    """`signals(frame, pair=None)`: what the test's strategy says about candles.

    Longer timeframes are made from the same frame, for every pair of the manifest. Without a pair
    it is the manifest's first.
    """
    plugin = plugin_of(request)
    from pipelines.backtesting.market import built
    from pipelines.backtesting.signals import Signals

    def ask(frame: "DataFrame", pair: str | None = None) -> "Signals":
        market = built(plugin.manifest, frame, pair or plugin.manifest.pairs[0])
        return Signals(plugin.signals(strategy, market))

    return ask
