"""What is done with the train in the demo: its commands, each until it is done."""

import time
from dataclasses import dataclass
from pathlib import Path

from pipelines.errors import CannotTell, ExitCode
from pipelines.workflow.demo.chronicle import (
    HOUR,
    MINUTE,
    Chronicle,
    equity,
    runs,
    standing,
    trades,
)
from pipelines.workflow.demo.programs import Programs
from pipelines.workflow.demo.project import STRATEGY, Ground

_EITHER = (ExitCode.DONE, ExitCode.REFUSED)


@dataclass(frozen=True)
class Train:
    """A train whose exchange goes on when it is told to."""

    programs: Programs
    chronicle: Chronicle
    ground: Ground

    def deliver(self, release: str) -> None:
        self.programs.show("sluice", "deliver", release)
        self.chronicle.settled()

    def soak(self, release: str, upstream: str, environment: str) -> None:
        """Let time pass until only people keep it out of the next environment."""

        def over(_: object) -> bool:
            # No soak is over without a trade, so nobody is asked before there is one.
            if not self.chronicle.closed.get((upstream, release)):
                return False
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

    def lose_an_answer(self, environment: str) -> None:
        """The exchange will take the next entry there, and its answer will be lost."""
        words = ("--account", environment, "--side", "buy")
        self.programs.show("sluice-exchange", "fault", "lost_answer", *words)

    def import_orphan(self, environment: str, release: str) -> None:
        """Let time pass until the agent has found what no bot knows, and give it to its bot."""
        self.chronicle.pass_until(
            f"the agent finds an orphan in {environment}, and halts {release}",
            lambda _: self.chronicle.halt(environment) is not None,
            HOUR,
        )
        self.programs.show("sluice", "orphan", "list")
        (orphan,) = self.programs.ask("sluice", "orphan", "list", "--json").tree
        self.programs.show("sluice", "orphan", "import", orphan["orphan"])
        self.resume(environment, release, "its bot looks after the trade now")

    def resume(self, environment: str, release: str, reason: str) -> None:
        """Let it open trades again; it does so once it has all that are open in hand."""
        self.programs.show("sluice", "resume", environment, STRATEGY, "--reason", reason)
        self.chronicle.pass_until(
            f"{release} trades in {environment} again",
            lambda now: trades(now, environment, release),
            MINUTE,
        )

    def crash(self, environment: str, release: str) -> None:
        """Kill its bot, and let time pass until another process has its trades."""
        before = standing(self.chronicle.settled(), environment)
        if before.pid is None:
            raise CannotTell(f"no bot runs in {environment}", "see agent.log")
        here, there = time.monotonic(), self.chronicle.now
        self.programs.kill(before.pid)
        self.chronicle.note(before, "killed", f"kill -9, open trades: {before.open_trades}")
        after = standing(
            self.chronicle.pass_until(
                f"another process has the trades of {release} in hand",
                lambda now: (
                    trades(now, environment, release)
                    and standing(now, environment).pid not in (None, before.pid)
                ),
                MINUTE,
            ),
            environment,
        )
        minutes, seconds = (self.chronicle.now - there).seconds // 60, time.monotonic() - here
        text = f"after {minutes} min, {seconds:.0f} s here, open trades: {after.open_trades}"
        self.chronicle.note(after, "healed", text)

    def halted(self, environment: str, release: str) -> str:
        """Let time pass until a protection has halted it; which one, in its words."""
        self.chronicle.pass_until(
            f"a protection halts {release} in {environment}",
            lambda _: self.chronicle.halt(environment) is not None,
            HOUR,
        )
        return self.chronicle.halt(environment) or ""

    def roll_back(self, environment: str, worse: str, better: str, reason: str) -> None:
        """Go back; what runs drains. Then let the one that is better open trades again."""
        began = next(each for each in self.chronicle.samples if runs(each, environment, worse))
        before = equity(began, environment)
        self.programs.show("sluice", "rollback", environment, STRATEGY, "--reason", reason)
        self.replace(environment, better)
        after = equity(self.chronicle.samples[-1], environment)
        self.resume(environment, better, f"the change went from {before:.2f} to {after:.2f} USDT")
