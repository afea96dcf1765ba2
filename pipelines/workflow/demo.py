"""`sluice demo`: the main job, done with the public commands alone."""

import json
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipelines.errors import CannotTell, ExitCode
from pipelines.workflow.docs import CHECKOUT
from pipelines.workflow.place import Place

HOME = "state"

LIVE = "bollinger_rsi"
"""The shipped strategy that is rehearsed live, and from when."""

_START = "2023-03-05"
_TRADES = 3
_KEY, _SECRET = "demo-key", "demo-secret"  # of an account that only exists while the demo runs
_READY_SECONDS = 120


def demo(place: Place, out: Path, candles: Path | None, jobs: int | None) -> ExitCode:
    """Check every shipped strategy, rehearse one live, and leave the report under `out`."""
    market = ["--candles", str(candles)] if candles else []
    workers = ["--jobs", str(jobs)] if jobs else []
    report = out / "report"
    sluice = [sys.executable, "-m", "pipelines.cli"]
    sluice += ["--root", str(place.root), "--home", str(out / HOME)]
    said = _run(sluice, "check", *market, *workers, *_isolation(sluice), "--out", str(report))
    # A gate that says no has done its job; only one that could not tell has not.
    if said not in (ExitCode.DONE, ExitCode.SAID_NO):
        return said
    said = _rehearse(place, out, market)
    if candles is None:
        print("\nthe candles were synthetic: what passed here admits nothing beyond this demo")
        print("on real candles: sluice demo --candles FOLDER")
    return said


def _rehearse(place: Place, out: Path, market: list[str]) -> ExitCode:
    """Let one of them trade live on the rehearsal exchange, and hold it to the books there."""
    print(f"\n{LIVE} trades live, with orders and money of a rehearsal exchange on this machine:")
    ready, settings = out / "exchange.json", out / "live.json"
    settings.write_text(json.dumps(_LIVE_SETTINGS, indent=2) + "\n", encoding="utf-8")
    ready.unlink(missing_ok=True)
    account = f"demo:{_KEY}:{_SECRET}:USDT=1000"
    where = ["--root", str(place.root), "--home", str(out / HOME)]
    serve = ["serve", *market, *where, "--clock", "stepped", "--start", _START]
    with _serving([*serve, "--account", account, "--ready-file", str(ready)], ready):
        rehearse = ["rehearse", "--ready-file", str(ready), "--config", str(settings)]
        rehearse += ["--strategy-path", str(CHECKOUT / "strategies" / LIVE)]
        rehearse += ["--folder", str(out / "live"), "--until-closed", str(_TRADES)]
        return _run(_exchange(), *rehearse, "--key", _KEY, "--secret", _SECRET)


_LIVE_SETTINGS = {
    "exchange": {
        "name": "binance",
        "pair_whitelist": ["BTC/USDT", "ETH/USDT", "SOL/USDT"],
        # As many candles as its indicators need at once.
        "_ft_has_params": {"ohlcv_candle_limit": 260},
    },
    "stake_currency": "USDT",
    "stake_amount": 300,
    "max_open_trades": 3,
    "strategy": "BollingerRsi",
    "pairlists": [{"method": "StaticPairList"}],
    "entry_pricing": {"price_side": "other", "use_order_book": True, "order_book_top": 1},
    "exit_pricing": {"price_side": "other", "use_order_book": True, "order_book_top": 1},
}


@contextmanager
def _serving(arguments: list[str], ready: Path) -> Iterator[None]:
    """A rehearsal exchange, for as long as this lasts.

    :raises CannotTell: when it does not come up; it says why itself.
    """
    argv = [*_exchange(), *arguments]
    print(f"$ sluice-exchange {shlex.join(arguments)}", flush=True)
    with subprocess.Popen(argv) as exchange:
        try:
            until = time.monotonic() + _READY_SECONDS
            while not ready.exists():
                if exchange.poll() is not None or time.monotonic() > until:
                    raise CannotTell("the rehearsal exchange did not start")
                time.sleep(0.1)
            yield
        finally:
            exchange.terminate()


def _exchange() -> list[str]:
    """The program beside our own Python: one on PATH may be another's."""
    return [str(Path(sys.executable).with_name("sluice-exchange"))]


def _run(program: list[str], *command: str) -> ExitCode:
    name = Path(program[0]).name if len(program) == 1 else "sluice"
    print(f"$ {name} {shlex.join(command)}", flush=True)
    return ExitCode(subprocess.run([*program, *command], check=False).returncode)


def _isolation(sluice: list[str]) -> list[str]:
    """Full isolation where the machine has it: the strategies that are shipped may do without."""
    asked = [*sluice, "doctor", "isolation", "--json"]
    ended = subprocess.run(asked, capture_output=True, text=True, check=False)
    if ended.returncode == ExitCode.DONE:
        return []
    print("weak isolation, for the demo only: see 'sluice doctor isolation'")
    return ["--isolation", "weak"]
