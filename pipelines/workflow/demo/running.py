"""What goes on in the background of the demo: the rehearsal exchange and the agent."""

import secrets as dice
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path

from pipelines.errors import CannotTell, ExitCode
from pipelines.workflow.demo.programs import Programs, end, undisturbed
from pipelines.workflow.demo.project import TRAIN, Ground

HOST = "demo"
"""The host in the demo's environments."""

_FUNDS = {"sandbox": 250, "prod": 10_000}
_READY_SECONDS = 120.0
_LOOK_SECONDS = 0.2


@contextmanager
def running(ground: Ground, programs: Programs, start: datetime) -> Iterator[None]:
    """An exchange with an account for each live environment, and an agent that knows the keys.

    However it ends, the agent, its bots and the exchange are gone afterwards.

    :raises CannotTell: when one of them does not come up.
    """
    keys = {name: (dice.token_hex(16), dice.token_hex(16)) for name in _FUNDS}
    accounts = [
        f"--account={name}:{key}:{secret}:USDT={_FUNDS[name]}:ip=127.0.0.1"
        for name, (key, secret) in keys.items()
    ]
    with ExitStack() as stack:
        serve = ("serve", "--clock", "stepped", "--start", start.isoformat())
        ready = ("--ready-file", str(ground.ready), "--journal", str(ground.journal))
        log = ground.out / "exchange.log"
        with undisturbed():
            exchange = programs.start(
                log,
                "sluice-exchange",
                *serve,
                *ready,
                *accounts,
                hidden=tuple(text for pair in keys.values() for text in pair),
            )
            stack.callback(_ended, exchange)
        _until(ground.ready.exists, exchange, log)
        for name, pair in keys.items():
            for what, value in zip(("exchange_key", "exchange_secret"), pair, strict=True):
                programs.show("sluice", "secrets", "set", name, what, given=value)
        stack.enter_context(_agent(ground, programs))
        yield


@contextmanager
def _agent(ground: Ground, programs: Programs) -> Iterator[None]:
    log = ground.out / "agent.log"
    with ExitStack() as stack:
        with undisturbed():
            words = ("--train", TRAIN, "--host", HOST, "run", "--tick", "3")
            agent = programs.start(log, "sluice-agent", *words)
            stack.callback(_down, programs, agent)
        _until(lambda: _answers(programs), agent, log)
        yield


def _answers(programs: Programs) -> bool:
    asked = programs.ask("sluice", "status", "--json", codes=tuple(ExitCode))
    return asked.code == ExitCode.DONE


def _until(there: Callable[[], bool], child: "subprocess.Popen[bytes]", log: Path) -> None:
    until = time.monotonic() + _READY_SECONDS
    while not there():
        if child.poll() is not None or time.monotonic() > until:
            said = log.read_text(errors="replace").strip().splitlines()[-5:]
            raise CannotTell("\n".join((f"{log}: it did not come up", *said)), "the log says more")
        time.sleep(_LOOK_SECONDS)


def _down(programs: Programs, agent: "subprocess.Popen[bytes]") -> None:
    # Bots outlive their agent, so they are ended by themselves.
    with undisturbed():
        end(agent)
        programs.ask("sluice-agent", "--train", TRAIN, "--host", HOST, "down")


def _ended(child: "subprocess.Popen[bytes]") -> None:
    with undisturbed():
        end(child)
