"""A train of its own: project, home, rehearsal exchange, and a real agent with real bots."""

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from pipelines.adapters import agent, packing, pins, plugins, signing
from pipelines.adapters.agent import Status, StrategyStatus
from pipelines.adapters.ledger import Ledger
from pipelines.adapters.releases import ReleaseStore
from pipelines.adapters.secrets import SecretStore
from pipelines.adapters.signing import SigningKey
from pipelines.domain.document import sha256
from pipelines.domain.evidence import Isolation
from pipelines.domain.promotion import Kind, Promotion, Risk
from pipelines.domain.release import Release, release_of
from pipelines.domain.secret import Scope, Secret, SecretName
from pipelines.domain.statement import EvidenceSummary, Label, Packed, release_statement
from pipelines.domain.verdict import Status as Said
from pipelines.errors import CannotTell
from pipelines.workflow.place import Place
from runner.agent.alerts import Alert, Alerts
from runner.agent.house import House
from runner.agent.locks import Lock
from tests.exchange.running import Running
from tests.exchange.test_live_bot import BEAT

PATIENCE_SECONDS = 240
"""Until a test gives up waiting: importing freqtrade takes long on a busy machine."""

FIRST_TURN_SECONDS = 10
"""Until a bot that runs has come to the end of its first turn: before nobody calls it healthy."""

MANIFEST = """\
class: Beat
version: {version}
owner: us
summary: buys in one hour and sells in another
pairs: [BTC/USDT, ETH/USDT]
timeframe: 1h
trading_mode: spot
handover: {handover}
"""


@dataclass
class Train:
    """A demo train. `key` signs releases, `approver` is a person's ssh key, if there is one."""

    project: Path
    home: Path
    exchange: Running
    key: SigningKey
    approver: Path | None = None
    ledger: str = ""
    process: "subprocess.Popen[bytes] | None" = field(default=None, init=False)

    @property
    def house(self) -> House:
        return House(self.home)

    @property
    def place(self) -> Place:
        return Place(self.project, self.home)

    @property
    def arguments(self) -> list[str]:
        named = ["--root", str(self.project), "--home", str(self.home), "--host", "demo"]
        named += ["--train", "environments/demo", "--exchange", str(self.exchange.ready_file)]
        return [*named, "--ledger", self.ledger] if self.ledger else named

    def start(self) -> None:
        """Start the agent: between what it is asked it rests, unless a bot is being started."""
        self.process = self.agent("run", "--tick", "3600")
        until = time.monotonic() + PATIENCE_SECONDS
        while not (self.home / agent.WHERE).exists() or self.whereabouts != self.process.pid:
            assert self.process.poll() is None, self.log
            assert time.monotonic() < until, self.log
            time.sleep(0.05)

    def agent(self, *command: str) -> "subprocess.Popen[bytes]":
        argv = [sys.executable, "-m", "runner.agent", *self.arguments, *command]
        self.home.mkdir(exist_ok=True)
        with (self.home / "agent.log").open("ab") as log:
            return subprocess.Popen(argv, cwd=self.project, stdout=log, stderr=log)

    @property
    def whereabouts(self) -> int:
        return int(json.loads((self.home / agent.WHERE).read_bytes())["pid"])

    @property
    def log(self) -> str:
        return (self.home / "agent.log").read_text()

    def kill(self) -> None:
        """kill -9: bots go on."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """SIGTERM: bots go on."""
        assert self.process is not None
        self.process.terminate()
        assert self.process.wait(60) == 0, self.log

    def close(self) -> None:
        """End the agent and every bot."""
        if self.process is not None and self.process.poll() is None:
            self.stop()
        for path in (self.home / "locks").glob("*.*"):
            self.end_bot(Lock(path))

    def end_bot(self, lock: Lock) -> None:
        """kill -9 whoever holds a lock."""

        def gone() -> bool:
            try:
                return not lock.signal(signal.SIGKILL)
            except CannotTell:
                # It is dying: its files are closed one after the other.
                return False

        self.until(gone, 60)

    def round(self) -> Status:
        """How everything stands after one whole round of the agent."""
        agent.ask(self.home, "status")
        told = agent.ask(self.home, "status")
        return Status.model_validate(told, strict=False)

    def strategy(self, environment: str, name: str = "beat") -> StrategyStatus:
        """One strategy after a round."""
        (there,) = (each for each in self.round().environments if each.name == environment)
        found = [each for each in there.strategies if each.name == name]
        assert len(found) == 1, f"{environment} has {there.strategies}"
        return found[0]

    def until(self, is_so: Callable[[], Any], seconds: float = PATIENCE_SECONDS) -> Any:
        """What a look says, once it is something."""
        until = time.monotonic() + seconds
        while not (found := is_so()):
            assert time.monotonic() < until, f"not within {seconds} s\n{self.told()}"
            time.sleep(0.1)
        return found

    def until_phase(self, environment: str, phase: str) -> StrategyStatus:
        """A strategy, once its bot is so far."""

        def there() -> StrategyStatus | None:
            found = self.strategy(environment)
            return found if found.phase == phase else None

        found: StrategyStatus = self.until(there)
        return self._turned(environment, found) if phase == "running" else found

    def until_running(self, environment: str, release: Release) -> StrategyStatus:
        """A strategy, once its bot trades and is exactly this release."""

        def there() -> StrategyStatus | None:
            found = self.strategy(environment)
            is_it = found.running == str(release.id) and found.verified
            return found if is_it and found.phase == "running" else None

        return self._turned(environment, self.until(there))

    def _turned(self, environment: str, found: StrategyStatus) -> StrategyStatus:
        """A strategy, once its bot has come to the end of a turn, if it does so soon."""
        until = time.monotonic() + FIRST_TURN_SECONDS
        while not found.healthy and time.monotonic() < until:
            found = self.strategy(environment)
        return found

    def step(self, hours: int) -> None:
        """Hours go by; after each the bots have processed, and the agent has looked."""
        for _ in range(hours):
            self.exchange.step(hours=1)
            self.round()

    def told(self) -> str:
        """Everything that was printed, for whoever wonders why a test failed."""
        logs = [self.home / "agent.log", self.home / "preloaded.log"]
        logs += sorted((self.home / "bots").glob("*/*/log"))
        lines = [f"{path}:\n{path.read_text()[-3000:]}" for path in logs if path.exists()]
        return "\n".join(lines)

    def sluice(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`sluice …` as a person calls it."""
        argv = [sys.executable, "-m", "pipelines.cli", "--root", str(self.project)]
        argv += ["--home", str(self.home), *arguments]
        return subprocess.run(argv, capture_output=True, text=True, check=False)

    def pid(self, environment: str, name: str = "beat") -> int:
        """The process of a bot that runs."""
        holder = self.house.lock(environment, name).holder()
        assert holder is not None
        return holder.pid

    def alerts(self, severity: str = "") -> list[Alert]:
        every = Alerts(self.house.alerts).every()
        return [alert for alert in every if severity in ("", alert.severity)]

    def entries(self) -> list[dict[str, Any]]:
        """Every entry of the ledger, and the chain holds."""
        ledger = Ledger.examine(self.house.ledger, self.house.anchor)
        try:
            assert ledger.verify().broken is None
            lines = ledger.read().lines
        finally:
            ledger.close()
        return [line.entry.model_dump(mode="json") for line in lines]

    def counted(self) -> dict[str, int]:
        """How many entries of each kind the ledger has."""
        kinds = [entry["entry"] for entry in self.entries()]
        return {kind: kinds.count(kind) for kind in kinds}

    def release(self, version: str = "1.0.0", code: str = BEAT, **how: Any) -> Release:
        """A release that lies in the home's store, signed, as `sluice pack` leaves it there."""
        release, tar, dsse = made(self.project, self.key, version, code, **how)
        ReleaseStore(self.home).save(release, tar, signing.opened(dsse, "statement")[0])
        return release

    def declare(self, environment: str, **keys: Any) -> None:
        """Change what an environment of this train declares; from the next round on it counts."""
        path = self.project / "environments" / "demo" / f"{environment}.yaml"
        path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | keys, sort_keys=False))

    def reboot(self) -> None:
        """Everything dies, and what does not outlive a reboot is gone."""
        self.kill()
        for path in (self.home / "locks").glob("*.*"):
            self.end_bot(Lock(path))
        shutil.rmtree(self.house.runtime)

    def database(self, environment: str, seat: str = "beat") -> Path:
        """A bot's trades."""
        (found,) = (self.home / "bots" / f"demo.{environment}" / seat).glob("*.sqlite")
        return found

    def want(
        self,
        environment: str,
        release: Release,
        kind: Kind = Kind.PROMOTE,
        accepts: tuple[Risk, ...] = (),
    ) -> None:
        """Write into the ledger that a release is wanted, whatever speaks against it."""
        promotion = Promotion(
            kind=kind,
            environment=environment,
            strategy=release.name,
            release=str(release.id),
            digest=release.digest,
            by="a test",
            accepts=accepts,
            at=self.exchange.now,
        )
        ledger = Ledger.open(self.house.ledger, self.house.anchor)
        try:
            ledger.append(promotion)
        finally:
            ledger.close()

    def secret(
        self, environment: str, key: str = "key", secret: str = "secret", account: str = ""
    ) -> None:
        """Keep what opens an account, by default the environment's."""
        scope, now = Scope(environment, account or environment), datetime.now(UTC)
        SecretStore(self.home).put(scope, SecretName.EXCHANGE_KEY, Secret(key), now)
        SecretStore(self.home).put(scope, SecretName.EXCHANGE_SECRET, Secret(secret), now)


def made(
    project: Path,
    key: SigningKey,
    version: str = "1.0.0",
    code: str = BEAT,
    *,
    label: Label | None = "demo",
    taken_at: datetime | None = None,
    signed_by: SigningKey | None = None,
    handover: str = "drain",
    remainder: str | None = None,
    trades_digest: str | None = None,
    manifest: str = MANIFEST,
    **pinned: str,
) -> tuple[Release, bytes, bytes]:
    """A release of `beat` without the gate: its tar, and what is signed about it.

    `pinned` are pins that are other than this checkout's.
    """
    folder = project / "strategies" / "beat"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "strategy.yaml").write_text(manifest.format(version=version, handover=handover))
    (folder / "strategy.py").write_text(code)
    (folder / "test_beat.py").write_text("def test_it(): ...\n")
    (folder / "README.md").write_text("# beat\n")
    strategy = plugins.read(project, "beat")
    own = pins.read(project, Path(packing.__file__).parents[2])
    release = release_of(strategy, own.model_copy(update=dict(pinned)))
    tar, nothing = packing.pack(release, strategy), "0" * 64
    evidence = EvidenceSummary(
        digest=nothing,
        data_digest=nothing,
        data_name="embedded",
        thresholds_digest=nothing,
        status=Said.PASSED,
        complete=True,
        isolation=Isolation.WEAK,
        synthetic=True,
        trades_digest=trades_digest,
    )
    at = taken_at or datetime.now(UTC)
    packed = Packed(
        release=release, label=label, evidence=evidence, taken_at=at, remainder=remainder
    )
    payload = release_statement(packed, sha256(tar)).canonical()
    envelope = signing.sealed(payload, ((signed_by or key).sign(payload),))
    return release, tar, signing.written(envelope)


def laid(root: Path, folder: Path, exchange: Running, approver: Path | None = None) -> Train:
    """A train in `folder`: this checkout's environments, keys that are trusted, no strategies."""
    project = folder / "project"
    shutil.copytree(root / "environments", project / "environments")
    (project / "strategies").mkdir()
    train = Train(project, folder / "home", exchange, signing.create(folder / "demo.pem"), approver)
    lines = f"keys:\n  demo-1: {{role: demo, kind: ed25519, key: {train.key.public}}}\n"
    if approver:
        public = " ".join(approver.with_suffix(".pub").read_text().split()[:2])
        where = "[demo/sandbox, demo/prod]"
        lines += f'  ann: {{role: approver, kind: ssh, key: "{public}", environments: {where}}}\n'
    (project / "environments" / "demo" / "trust.yaml").write_text(lines)
    return train
