"""`sluice-agent`: parse, open, run."""

import logging
import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

import click

from pipelines import __version__
from pipelines.adapters.ledger import Ledger
from pipelines.adapters.redaction import Redacting, Redactor
from pipelines.adapters.secrets import SecretStore
from pipelines.errors import BadInput, CannotTell, ExitCode, Refused, SluiceError
from runner.agent import alone, keeping, settling, watching
from runner.agent.alerts import Alerts
from runner.agent.crew import Crew
from runner.agent.door import open_door
from runner.agent.down import down as end_all
from runner.agent.fencing import holder
from runner.agent.house import House
from runner.agent.launcher import Launcher
from runner.agent.locks import Lock
from runner.agent.messenger import Messenger
from runner.agent.preparing import Rehearsal
from runner.agent.rounds import rounded, told_of_host
from runner.agent.seat import Seat
from runner.agent.tick import Agent
from runner.agent.verbs import Verbs
from runner.bots.messages import Follow
from runner.exchange import remote
from runner.exchange.settings import freqtrade_settings

logger = logging.getLogger(__name__)

__all__ = ["cli", "main", "rounded"]

TICK_SECONDS = 10.0
_BUSY_SECONDS = 0.5
_LINE = "%(asctime)s %(levelname)s %(message)s"
_HIDDEN = Redactor()
"""What this process must never print: it grows with every secret that it meets."""

_FILE = click.Path(dir_okay=False, path_type=Path)
_FOLDER = click.Path(file_okay=False, path_type=Path)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 96})
@click.version_option(__version__, prog_name="sluice-agent")
@click.option("--root", type=_FOLDER, envvar="SLUICE_ROOT", default=Path(), help="The project.")
@click.option("--home", type=_FOLDER, envvar="SLUICE_HOME", help="Where state is kept.")
@click.option(
    "--train", envvar="SLUICE_TRAIN", default="environments", help="Its folder in the project."
)
@click.option("--host", envvar="SLUICE_HOST", help="The one that is meant; else this machine's.")
@click.option("--ledger", envvar="SLUICE_LEDGER", help="Its URL; else a file in the home folder.")
@click.option(
    "--exchange",
    type=_FILE,
    envvar="SLUICE_EXCHANGE",
    help="A rehearsal exchange's ready file: its clock is the agent's, and its bots follow it.",
)
@click.pass_context
def cli(
    context: click.Context,
    root: Path,
    home: Path | None,
    train: str,
    host: str | None,
    ledger: str | None,
    exchange: Path | None,
) -> None:
    """Keeps the bots of a host as the ledger wants them.

    \b
    sluice-agent run                       until SIGTERM; bots go on without it
    sluice-agent once                      one round, until nothing is being started any more
    sluice-agent plan                      says what a round would do
    sluice-agent down                      ends every bot, when no agent runs
    sluice-agent backup FILE               all that is needed elsewhere, for 'restore'
    sluice-agent flatten ENV               sells everything there, when no agent runs
    """
    house = House((home or _state()).resolve())
    seat = Seat(root.resolve() / train, host or socket.gethostname(), holder(house))
    context.obj = _Opening(house, seat, root.resolve(), ledger or house.ledger, exchange)


class _Opening:
    """What an agent is made of."""

    def __init__(
        self, house: House, seat: Seat, root: Path, ledger: str, exchange: Path | None
    ) -> None:
        self.house, self.seat, self.root = house, seat, root
        self.ledger, self._exchange = ledger, exchange

    def messenger(self) -> Messenger:
        """Who keeps the process that talks with Telegram."""
        return Messenger(self.seat, self.house.home)

    @contextmanager
    def agent(self) -> Iterator[Agent]:
        """The agent of this home; the only one.

        :raises CannotTell: when another one runs with it.
        """
        self.house.home.mkdir(parents=True, exist_ok=True)
        held = Lock(self.house.home / "locks" / "agent").take()
        if held is None:
            raise CannotTell(f"{self.house.home}: another agent runs with this home")
        home = self.house.home
        _HIDDEN.know(SecretStore(home).known())
        launcher = Launcher(bots=home, log=home / "preloaded.log", hidden=_HIDDEN)
        try:
            ledger, rehearsal, clock = self._opened()
            crew = Crew(self.house, launcher, rehearsal, _HIDDEN)
            yield Agent(self.seat, ledger, crew, Alerts(self.house.alerts, _HIDDEN), clock)
        finally:
            launcher.close()
            os.close(held)

    def _opened(self) -> "tuple[Ledger, Rehearsal | None, _Clock]":
        try:
            return Ledger.open(self.ledger, self.house.anchor), *self._time()
        except SluiceError as error:
            alerts, text = Alerts(self.house.alerts), f"the agent cannot run: {error.message}"
            # Whatever starts it again and again is not to fill the disk with one and the same.
            if [each.text for each in alerts.every()[-1:]] != [text]:
                told_of_host(alerts, text)
            raise

    def now(self) -> datetime:
        """The agent's time."""
        return self._time()[1]()

    def _time(self) -> tuple[Rehearsal | None, "_Clock"]:
        if self._exchange is None:
            return None, _Clock(None)
        path = self._exchange
        ready = remote.located(path)
        settings = freqtrade_settings(ready.api_url, "", "")["exchange"]
        stepped = remote.ask(ready, "status").clock == "stepped"
        where = Follow(control_url=ready.control_url, control_token=ready.control_token)
        return Rehearsal(settings, where if stepped else None), _Clock(path)


class _Clock:
    """The system's time, or that of a rehearsal exchange."""

    def __init__(self, exchange: Path | None) -> None:
        self._exchange = exchange

    def __call__(self) -> datetime:
        if self._exchange is None:
            return datetime.now(UTC)
        return remote.ask(remote.located(self._exchange), "status").now


@cli.command()
@click.option("--tick", type=click.FloatRange(0.1), default=TICK_SECONDS, show_default=True)
@watching.options
@click.pass_obj
def run(opening: _Opening, tick: float, metrics_port: int | None, heartbeat: str | None) -> None:
    """Run until SIGTERM. Bots go on without the agent, and it finds them again."""
    stopping, heart = False, watching.heart(heartbeat, _HIDDEN)

    def stop(*_: object) -> None:
        nonlocal stopping
        stopping = True

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    with opening.agent() as agent, opening.messenger() as messenger:
        door = open_door(opening.house.home, _HIDDEN, messenger.pid)
        verbs = Verbs(agent, opening.root)
        watching.metrics(agent, metrics_port)
        try:
            while not stopping:
                messenger.keep()
                busy = rounded(agent, heart.beat if heart else None)
                door.serve(verbs.answer, _BUSY_SECONDS if busy else tick, lambda: stopping)
        finally:
            door.close()


@cli.command()
@click.option("--rounds", type=click.IntRange(1), default=600, help="At most so many.")
@click.pass_obj
def once(opening: _Opening, rounds: int) -> None:
    """Do what is to be done now, until every bot that was started is read back.

    What cannot be done is told by the exit code.
    """
    with opening.agent() as agent:
        door = open_door(opening.house.home, _HIDDEN)
        try:
            for _ in range(rounds):
                agent.tick()
                if not agent.is_busy(agent.declared(), agent.clock()):
                    break
                door.serve(Verbs(agent, opening.root).answer, _BUSY_SECONDS)
        finally:
            door.close()
        _refuse_what_was_not_done(agent)


@cli.command()
@click.pass_obj
def plan(opening: _Opening) -> None:
    """Say what a round would do, and do nothing."""
    with opening.agent() as agent:
        for action in agent.planned():
            click.echo(action)


@cli.command()
@click.pass_obj
def down(opening: _Opening) -> None:
    """End every bot of this home, which go on without an agent otherwise.

    They open no more trades first. Open trades stay open, with the stops that rest at the
    exchange; the next 'run' starts the same bots again. While an agent runs nothing is ended.
    """
    for name in end_all(opening.house):
        click.echo(f"ended {name}")


for command in (*keeping.COMMANDS, *alone.COMMANDS, settling.install):
    cli.add_command(command)


def _refuse_what_was_not_done(agent: Agent) -> None:
    told = [f"{'.'.join(key)}: {line}" for key, lines in agent.refused.items() for line in lines]
    if told:
        raise Refused("\n".join(told), "'sluice status' shows how everything stands")


def _state() -> Path:
    named = os.environ.get("XDG_STATE_HOME")
    return (Path(named) if named else Path.home() / ".local" / "state") / "sluice"


def main() -> None:
    """Run a command and leave with its exit code. The only place that catches."""
    lines = logging.StreamHandler()
    lines.setFormatter(Redacting(logging.Formatter(_LINE), _HIDDEN))
    logging.basicConfig(level=logging.INFO, handlers=[lines])
    sys.excepthook = _fell
    logging.getLogger("httpx").setLevel(logging.WARNING)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    try:
        cli.main(prog_name="sluice-agent", standalone_mode=False)
    except SluiceError as error:
        code = _complain(error)
    except click.ClickException as error:
        code = _complain(BadInput(error.format_message()))
    except (KeyboardInterrupt, click.Abort):
        code = ExitCode.INTERRUPTED
    else:
        code = ExitCode.DONE
    sys.exit(int(code))


def _complain(error: SluiceError) -> ExitCode:
    for line in _HIDDEN.text(error.message).splitlines():
        click.echo(f"error: {line}", err=True)
    if error.hint:
        click.echo(f"hint: {_HIDDEN.text(error.hint)}", err=True)
    return error.code


def _fell(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """What nobody caught is told like everything else."""
    logger.critical("The agent fell.", exc_info=(kind, error, trace))
