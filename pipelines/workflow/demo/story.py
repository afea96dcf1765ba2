"""The story that the demo tells: a strategy on its whole way, and what goes wrong on it.

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
from pipelines.workflow.demo.chronicle import Chronicle
from pipelines.workflow.demo.programs import Programs
from pipelines.workflow.demo.project import STRATEGY, TRAIN, Ground
from pipelines.workflow.demo.running import running
from pipelines.workflow.demo.train import Train
from pipelines.workflow.place import Place

START = datetime(2023, 1, 17, 14)  # noqa: DTZ001 - an exchange has no other time than UTC
"""Soon after it trades close, on the embedded market and on Binance's."""

_SAID = (ExitCode.DONE, ExitCode.SAID_NO)
"""A gate that says no has done its job; one that could not tell has not."""


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
        train = Train(programs, Chronicle(programs, datetime.fromisoformat(stands["now"])), ground)
        _travel(train, gate, first)
        programs.show("sluice", "status")
        programs.show("sluice", "ledger", "verify")
        told = train.chronicle.ends(str(candles or "embedded"), synthetic=stands["synthetic"])
    page = rails.write(told, ground.out)
    print(f"\n{told.hours} hours at the exchange, {told.seconds:.0f} s here; nothing runs any more")
    print(f"timeline: {ground.out / rails.TIMELINE}\npage:     {page}")
    return ExitCode.DONE


def _travel(train: Train, gate: "_Gate", first: str) -> None:
    heading("4  test: on paper. The agent verifies the release again before it starts anything.")
    train.deliver(first)
    train.soak(first, "test", "sandbox")
    heading("5  sandbox: live, with little money. A signed tag lets it in, once.")
    train.promote_by_tag(first)
    train.lose_an_answer("sandbox")
    heading("6  A change comes in, which the lower door does not mind, and follows through test.")
    gate.change()
    second = gate.packed()
    train.deliver(second)
    train.replace("test", second)
    train.trade("test", second)
    heading("7  The answer to an entry gets lost: sandbox has bought, and its bot knows nothing.")
    train.import_orphan("sandbox", first)
    heading("8  Its bot is killed over an open trade.")
    train.crash("sandbox", first)
    train.soak(first, "sandbox", "prod")
    heading("9  prod: live. A person signs for it.")
    train.promote_by_signature(first)
    train.soak(second, "test", "sandbox")
    heading("10  sandbox again: the change does not keep to its stake, which paper did not show.")
    train.promote_by_tag(second)
    train.replace("sandbox", second)
    reason = train.halted("sandbox", second)
    heading("11  Back to the last release that was verified there, once the trades are closed.")
    train.roll_back("sandbox", second, first, reason)
    train.explain(second, "sandbox")
    train.explain(second, "prod")
    heading("12  prod goes on with the release that it has, and the exchange's books agree.")
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
