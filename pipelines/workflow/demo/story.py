"""The story that the demo tells: a strategy on its whole way, and a worse one that is taken back.

Every step is a public command, printed before it runs. Nothing here depends on how it turns out.
"""

import signal
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pipelines.errors import ExitCode
from pipelines.reports import rails
from pipelines.workflow.demo import project
from pipelines.workflow.demo.chronicle import Chronicle, equity, runs
from pipelines.workflow.demo.programs import Programs
from pipelines.workflow.demo.project import TRAIN, Ground
from pipelines.workflow.demo.running import running
from pipelines.workflow.place import Place

STRATEGY = "bollinger_rsi"

START = datetime(2023, 1, 17, 14)  # noqa: DTZ001 - an exchange has no other time than UTC
"""Soon after it trades close, on the embedded market and on Binance's."""

_SAID = (ExitCode.DONE, ExitCode.SAID_NO)
"""A gate that says no has done its job; one that could not tell has not."""

_EITHER = (ExitCode.DONE, ExitCode.REFUSED)


@dataclass(frozen=True)
class Asked:
    """What the person asked for."""

    out: Path
    candles: Path | None
    jobs: int | None
    start: datetime = START


def demo(place: Place, asked: Asked) -> ExitCode:
    """Take a strategy through the train, and leave `timeline.json` and a page under `out`.

    :raises SluiceError: when a step does not do what it should; nothing goes on running then.
    """
    signal.signal(signal.SIGHUP, signal.default_int_handler)
    ground = project.clear(asked.out)
    with ExitStack() as stack:
        runtime = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sluice-")))
        candles = asked.candles.resolve() if asked.candles else None
        programs = ground.programs(runtime, candles)
        project.make(ground, place.root, programs)
        gate = _Gate(programs, _how(programs, asked.jobs))
        heading("1  The gate. On recorded candles it says no to everything that is shipped.")
        gate.all()
        heading("2  A lower door, for the demo only. What passes is labelled so, and signed.")
        gate.one()
        _keys(ground, programs)
        first = gate.packed()
        heading("3  An exchange that replays candles, and an agent that keeps bots.")
        stack.enter_context(running(ground, programs, asked.start))
        stands = programs.ask("sluice-exchange", "status", "--json").tree
        train = _Train(programs, Chronicle(programs, stands["now"]), ground)
        _travel(train, gate, first)
        programs.show("sluice", "status")
        programs.show("sluice", "ledger", "verify")
        told = train.chronicle.ends(str(candles or "embedded"), synthetic=stands["synthetic"])
    page = rails.write(told, ground.out)
    print(f"\n{told.hours} hours at the exchange, {told.seconds:.0f} s here; nothing runs any more")
    print(f"timeline: {ground.out / rails.TIMELINE}\npage:     {page}")
    return ExitCode.DONE


def _travel(train: "_Train", gate: "_Gate", first: str) -> None:
    heading("4  test: on paper. The agent verifies the release again before it starts anything.")
    train.deliver(first)
    train.soak(first, "sandbox")
    heading("5  sandbox: live, with little money. A signed tag lets it in, once.")
    train.promote_by_tag(first)
    heading("6  A change comes in, which the lower door does not mind, and follows through test.")
    gate.change()
    second = gate.packed()
    train.deliver(second)
    train.replace("test", second)
    train.soak(first, "prod")
    heading("7  prod: live. A person signs for it.")
    train.promote_by_signature(first)
    train.soak(second, "sandbox")
    heading("8  sandbox again: what money says about the change.")
    train.promote_by_tag(second)
    train.replace("sandbox", second)
    reason = train.lose("sandbox", second)
    heading("9  Back to the last release that was verified there.")
    train.roll_back("sandbox", first, reason)
    train.explain(second, "sandbox")
    train.explain(second, "prod")
    heading("10  prod goes on with the release that it has, and the exchange's books agree.")
    train.trade("prod", first)
    for environment in ("sandbox", "prod"):
        train.reconcile(environment)


def heading(text: str) -> None:
    """Print where the story is."""
    print(f"\n── {text}", flush=True)


def _how(programs: Programs, jobs: int | None) -> tuple[str, ...]:
    """Full isolation where the machine has it: what is shipped may do without."""
    workers = ("--jobs", str(jobs)) if jobs else ()
    tested = programs.ask("sluice", "doctor", "isolation", "--json", codes=tuple(ExitCode))
    if tested.code == ExitCode.DONE:
        return workers
    print("weak isolation, for the demo only: see 'sluice doctor isolation'")
    return (*workers, "--isolation", "weak")


def _keys(ground: Ground, programs: Programs) -> None:
    made = programs.ask("sluice", "keys", "new", "demo", "--json", quiet=False).tree
    key = ("-f", str(Path("..") / ground.approver.relative_to(ground.out)))
    programs.show("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", project.APPROVER, *key)
    project.trust(ground, programs, made["line"])


@dataclass(frozen=True)
class _Gate:
    """The gate, the real one and the demo's. `how` is how strategy code is shut in."""

    programs: Programs
    how: tuple[str, ...]

    def all(self) -> None:
        """Everything that is shipped, at the real door."""
        words = ("--out", "../report", *self.how)
        self.programs.show("sluice", "check", *words, codes=_SAID)

    def one(self) -> None:
        """The one that the demo follows, at the demo's door: it has to pass."""
        self.programs.show("sluice", "check", STRATEGY, "--train", TRAIN, *self.how)

    def change(self) -> None:
        """A change that is committed, and passes the demo's door."""
        self.programs.show("git", "apply", f"{TRAIN}/worse.patch")
        project.commit(self.programs, "Enter sooner, stop sooner")
        self.one()

    def packed(self) -> str:
        """The id of the release that comes of it."""
        words = ("--train", TRAIN, "--key", "demo", "--json")
        told = self.programs.ask("sluice", "pack", STRATEGY, *words, quiet=False).tree
        return str(told["release"])


@dataclass(frozen=True)
class _Train:
    """The commands of the train, each until it is done."""

    programs: Programs
    chronicle: Chronicle
    ground: Ground

    def deliver(self, release: str) -> None:
        self.programs.show("sluice", "deliver", release)
        self.chronicle.settled()

    def soak(self, release: str, environment: str) -> None:
        """Let time pass until only people keep it out of the next environment."""

        def over(_: object) -> bool:
            words = ("explain", release, environment, "--json")
            told = self.programs.ask("sluice", *words, codes=_EITHER).tree
            return all(reason["because"] == "approval" for reason in told["reasons"])

        self.chronicle.pass_until(f"{release} has soaked for {environment}", over)
        self.explain(release, environment)

    def explain(self, release: str, environment: str) -> None:
        self.programs.show("sluice", "explain", release, environment, codes=_EITHER)

    def promote_by_tag(self, release: str) -> None:
        tag = f"sandbox/{release}"
        self.programs.show("git", "tag", "--sign", "-m", "It may lose this much", tag)
        self.programs.show("sluice", "promote", release, "sandbox", "--tag", tag)
        self.chronicle.settled()

    def promote_by_signature(self, release: str) -> None:
        key = str(Path("..") / self.ground.approver.relative_to(self.ground.out))
        self.programs.show("sluice", "approve", release, "prod", "--key", key)
        self.programs.show("sluice", "promote", release, "prod")
        self.chronicle.settled()

    def replace(self, environment: str, release: str) -> None:
        """What ran there drains: let time pass until its trades are closed and this one runs."""
        self.chronicle.pass_until(
            f"{release} runs in {environment}", lambda now: runs(now, environment, release)
        )

    def trade(self, environment: str, release: str) -> None:
        """Let time pass until there is an order of its own at the exchange."""
        self.chronicle.pass_until(
            f"{release} has opened a trade in {environment}",
            lambda now: self.chronicle.has_traded(now, environment, release),
        )

    def reconcile(self, environment: str) -> None:
        """Hold every order, fee and balance against the exchange's book."""
        home = Path("..") / self.ground.home.relative_to(self.ground.out)
        database = home / "bots" / f"demo.{environment}" / STRATEGY / "live.sqlite"
        self.programs.show("sluice-exchange", "reconcile", environment, str(database))

    def lose(self, environment: str, release: str) -> str:
        """Let time pass until it closed a trade and has less than before; that in words."""
        before = equity(self.chronicle.settled(), environment)
        after = self.chronicle.pass_until(
            f"{release} has closed a trade in {environment}, and has less than it began with",
            lambda now: (
                self.chronicle.closed.get((environment, release), 0) > 0
                and equity(now, environment) < before
            ),
        )
        return f"from {before:.2f} to {equity(after, environment):.2f} USDT"

    def roll_back(self, environment: str, better: str, reason: str) -> None:
        self.programs.show("sluice", "rollback", environment, STRATEGY, "--reason", reason)
        self.replace(environment, better)
