"""A train with releases that no gate was asked about, and its agent; stock bots beside it.

Both trade on paper on one rehearsal exchange that runs in real time, with one strategy that does
nothing: what differs is only who keeps the bots.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from pipelines.adapters import agent, packing, pins, plugins, signing
from pipelines.adapters.agent import History
from pipelines.adapters.ledger import Ledger
from pipelines.adapters.releases import ReleaseStore
from pipelines.adapters.signing import SigningKey
from pipelines.domain.document import sha256
from pipelines.domain.entry import Verified
from pipelines.domain.evidence import Isolation
from pipelines.domain.promotion import Kind, Promotion
from pipelines.domain.release import Release, release_of
from pipelines.domain.statement import EvidenceSummary, Packed, release_statement
from pipelines.domain.verdict import Status
from pipelines.freqtrade.rest import Rest
from runner.agent.house import House

ROOT = Path(__file__).resolve().parent.parent
TRAIN = "environments/demo"
PATIENCE_SECONDS = 240
LOOK_SECONDS = 0.05

MANIFEST = """\
class: {name}
version: {version}
owner: benchmark
summary: made for measuring
pairs: [BTC/USDT, ETH/USDT, SOL/USDT]
timeframe: 1h
trading_mode: spot
handover: {handover}
"""
STRATEGY = """\
from freqtrade.strategy import IStrategy


class Idle(IStrategy):
    timeframe = "1h"
    stoploss = -0.1
    startup_candle_count = 20

    def populate_indicators(self, dataframe, metadata):
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        return dataframe
"""


def until(is_so: Callable[[], Any], often: float = LOOK_SECONDS) -> None:
    """Wait until something is so, looking every so many seconds."""
    over = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        if time.monotonic() > over:
            raise RuntimeError("it took too long")
        time.sleep(often)


@dataclass
class Fleet:
    """A project with a train, its home, and the agent that keeps its bots."""

    folder: Path
    ready_file: Path
    key: SigningKey = field(init=False)
    process: "subprocess.Popen[bytes] | None" = field(default=None, init=False)

    def __post_init__(self) -> None:
        shutil.copytree(ROOT / "environments", self.project / "environments")
        (self.project / "strategies").mkdir()
        self.key = signing.create(self.folder / "demo.pem")
        line = f"keys:\n  demo-1: {{role: demo, kind: ed25519, key: {self.key.public}}}\n"
        (self.project / TRAIN / "trust.yaml").write_text(line)

    @property
    def project(self) -> Path:
        return self.folder / "project"

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @contextmanager
    def running(self) -> Iterator[None]:
        """The agent; it and every bot have ended afterwards."""
        argv = [sys.executable, "-m", "runner.agent", "--root", str(self.project)]
        argv += ["--home", str(self.home), "--host", "demo", "--train", TRAIN]
        argv += ["--exchange", str(self.ready_file)]
        self.home.mkdir(exist_ok=True)
        with (self.folder / "agent.log").open("wb") as log:
            self.process = subprocess.Popen([*argv, "run"], stdout=log, stderr=log)
        try:
            until((self.home / agent.WHERE).exists)
            yield
        finally:
            self.process.terminate()
            self.process.wait(60)
            subprocess.run([*argv, "down"], check=True, capture_output=True)

    def release(
        self, name: str, version: str, code: str = STRATEGY, handover: str = "drain"
    ) -> Release:
        """A release in the project's store, as `sluice pack` leaves it there."""
        manifest = MANIFEST.format(name=_class(code), version=version, handover=handover)
        folder = self.project / "strategies" / name
        folder.mkdir(exist_ok=True)
        (folder / "strategy.yaml").write_text(manifest)
        (folder / "strategy.py").write_text(code)
        (folder / f"test_{name}.py").write_text("def test_it(): ...\n")
        (folder / "README.md").write_text(f"# {name}\n")
        strategy = plugins.read(self.project, name)
        release = release_of(strategy, pins.read(self.project, ROOT))
        nothing = "0" * 64
        evidence = EvidenceSummary(
            digest=nothing,
            data_digest=nothing,
            data_name="embedded",
            thresholds_digest=nothing,
            status=Status.PASSED,
            complete=True,
            isolation=Isolation.WEAK,
            synthetic=True,
        )
        tar, now = packing.pack(release, strategy), datetime.now(UTC)
        packed = Packed(release=release, label="demo", evidence=evidence, taken_at=now)
        payload = release_statement(packed, sha256(tar)).canonical()
        envelope = signing.sealed(payload, (self.key.sign(payload),))
        ReleaseStore(self.home).save(release, tar, envelope)
        return release

    def sluice(self, *words: str) -> None:
        """`sluice …`, as a person types it."""
        argv = [sys.executable, "-m", "pipelines.cli", "--root", str(self.project)]
        argv += ["--home", str(self.home), *words]
        subprocess.run(argv, check=True, capture_output=True)

    def verified(self) -> int:
        """How often a bot was read back and found to be what it should be."""
        ledger = Ledger.examine(House(self.home).ledger, House(self.home).anchor)
        try:
            return sum(isinstance(line.entry, Verified) for line in ledger.read().lines)
        finally:
            ledger.close()

    def seconds(self, *words: str, times: int = 1) -> float:
        """From typing a command until as many bots were read back after it."""
        before, began = self.verified(), time.monotonic()
        self.sluice(*words)
        until(lambda: self.verified() >= before + times)
        return time.monotonic() - began

    def want(self, environment: str, release: Release, *, wait: bool = True) -> None:
        """Write into the ledger that a release is wanted there; wait until it was read back."""
        before = self.verified()
        ledger = Ledger.open(House(self.home).ledger, House(self.home).anchor)
        try:
            ledger.append(
                Promotion(
                    kind=Kind.PROMOTE,
                    environment=environment,
                    strategy=release.name,
                    release=str(release.id),
                    digest=release.digest,
                    by="a benchmark",
                    at=datetime.now(UTC),
                )
            )
        finally:
            ledger.close()
        self.round()
        if wait:
            until(lambda: self.verified() > before)

    def round(self) -> None:
        """Let the agent do one round: it does one after it has answered somebody."""
        agent.ask(self.home, "history", History(environment="", strategy="", limit=1))


@dataclass
class Stock:
    """A stock `freqtrade trade` of a folder of its own, kept by hand."""

    folder: Path
    settings: dict[str, Any]
    port: int
    code: str = STRATEGY
    process: "subprocess.Popen[bytes] | None" = None

    def __post_init__(self) -> None:
        (self.folder / "user_data").mkdir(parents=True)
        (self.folder / "strategy.py").write_text(self.code)
        server = {"enabled": True, "listen_ip_address": "127.0.0.1", "listen_port": self.port}
        own = {"username": "hand", "password": "hand", "jwt_secret_key": "a" * 32, "ws_token": "b"}
        (self.folder / "config.json").write_text(
            json.dumps(self.settings | {"api_server": server | own, "strategy": _class(self.code)})
        )

    @property
    def rest(self) -> Rest:
        """Its API."""
        return Rest(f"http://127.0.0.1:{self.port}", "hand", "hand")

    def start(self, is_up: Callable[[], bool] | None = None) -> None:
        """Start it, and wait until it is up: until it says that it runs this strategy."""
        argv = [str(Path(sys.executable).with_name("freqtrade")), "trade", "-c", "config.json"]
        argv += ["--userdir", "user_data"]
        log = (self.folder / "log").open("ab")
        with log:
            self.process = subprocess.Popen(
                argv, cwd=self.folder, env=os.environ | {"TZ": "UTC"}, stdout=log, stderr=log
            )
        until(is_up or self._runs)

    def stop(self) -> None:
        """SIGTERM, and wait until it is gone."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(60)
            self.process = None

    def _runs(self) -> bool:
        if self.process is None or self.process.poll() is not None:
            raise RuntimeError((self.folder / "log").read_text()[-3000:])
        url = f"http://127.0.0.1:{self.port}/api/v1/show_config"
        try:
            told = httpx.get(url, auth=("hand", "hand"), timeout=5, trust_env=False).json()
        except (httpx.HTTPError, ValueError):
            return False
        return bool(told.get("state") == "running" and told.get("strategy") == _class(self.code))


def _class(code: str) -> str:
    return code.partition("class ")[2].partition("(")[0]


def settings(ready_file: Path, key: str = "", secret: str = "") -> dict[str, Any]:
    """What a person would configure for a bot at this exchange; on paper without a key."""
    argv = [sys.executable, "-m", "runner.exchange", "config", "--json", "--key", key]
    argv += ["--secret", secret, "--ready-file", str(ready_file)]
    printed = json.loads(subprocess.run(argv, cwd=ROOT, capture_output=True, check=True).stdout)
    printed["exchange"]["pair_whitelist"] = ["BTC/USDT", "ETH/USDT", "SOL/USDT"]
    return printed | {
        "dry_run": not key,
        "initial_state": "running",
        "stake_currency": "USDT",
        "stake_amount": 100,
        "max_open_trades": 3,
        "strategy_path": ".",
        "pairlists": [{"method": "StaticPairList"}],
        "entry_pricing": {"price_side": "same", "use_order_book": True, "order_book_top": 1},
        "exit_pricing": {"price_side": "same", "use_order_book": True, "order_book_top": 1},
    }
