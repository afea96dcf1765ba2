"""What is put off is still there for whoever uses it. Each case runs in a process of its own."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.freqtrade

LEAN = "import sys\nfrom pipelines.freqtrade.lean import lean\nlean()\n"


def run(program: str) -> str:
    ended = subprocess.run(
        [sys.executable, "-c", LEAN + program], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


def test_freqtrade_comes_without_other_exchanges_and_without_statistics() -> None:
    program = """
import freqtrade.optimize.backtesting
print([name for name in sys.modules if name.startswith(("ccxt.kraken", "scipy.stats"))])
"""
    assert run(program) == "[]"


@pytest.mark.parametrize("package", ["ccxt", "ccxt.async_support", "ccxt.pro"])
def test_every_exchange_is_what_it_would_have_been(package: str) -> None:
    program = f"""
import importlib
package = importlib.import_module({package!r})
print(sum(getattr(package, name).__name__ != name for name in package.exchanges))
print(sorted(package._later ^ set(package.exchanges)))
"""
    assert run(program) == "0\n[]"


def test_an_exchange_that_another_one_imports_is_a_class_all_the_same() -> None:
    program = """
import ccxt
from ccxt.bequant import bequant
import ccxt.gate
print(ccxt.hitbtc.__name__, isinstance(ccxt.hitbtc, type), isinstance(ccxt.gate, type))
print(hasattr(ccxt, "no_such_exchange"), issubclass(bequant, ccxt.hitbtc))
"""
    assert run(program) == "hitbtc True True\nFalse True"


def test_statistics_are_there_when_they_are_used() -> None:
    program = """
from freqtrade.data import metrics
import scipy.stats, scipy
print(metrics.stats.norm.cdf(0), scipy.stats.norm.cdf(0), scipy.stats is metrics.stats)
"""
    assert run(program) == "0.5 0.5 False"
