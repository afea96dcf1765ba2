"""Commands of danger that work when no agent runs: halt, resume, flatten."""

import getpass
from pathlib import Path
from typing import Any, Protocol

import click

from pipelines.adapters.agent import Asked
from pipelines.errors import Refused
from runner.agent.tick import LEASE, Agent
from runner.agent.verbs import Verbs


class Opened(Protocol):
    """An agent for as long as nobody else is one."""

    def __enter__(self) -> Agent: ...

    def __exit__(self, *_: object) -> bool | None: ...


class Opening(Protocol):
    """What stands before the command."""

    root: Path

    def agent(self) -> Opened:
        """The agent of this home; the only one."""


def _alone(opening: Opening, verb: str, args: dict[str, Any]) -> Any:
    """Do what is asked as the agent would, when none runs."""
    with opening.agent() as agent:
        agent.ledger.take(agent.seat.holder, agent.clock(), LEASE)
        return Verbs(agent, opening.root).answer(Asked(verb=verb, args=args), getpass.getuser())


def _halting(verb: str, help_: str) -> click.Command:
    @click.command(verb, help=help_)
    @click.argument("environment", default="*", metavar="[ENVIRONMENT]")
    @click.argument("strategy", default="*", metavar="[STRATEGY]")
    @click.option("--reason", default="", help="Why; it stands in the ledger.")
    @click.pass_obj
    def command(opening: Opening, environment: str, strategy: str, reason: str) -> None:
        about = {"environment": environment, "strategy": strategy, "reason": reason}
        told = _alone(opening, verb, about)
        for entry in told if isinstance(told, list) else [told]:
            click.echo(f"{verb} {entry['environment']} {entry['strategy']}")

    return command


@click.command()
@click.argument("environment")
@click.argument("strategy", default="*", metavar="[STRATEGY]")
@click.option("--reason", default="", help="Why; it stands in the ledger.")
@click.pass_obj
def flatten(opening: Opening, environment: str, strategy: str, reason: str) -> None:
    """Sell everything that bots hold, when no agent runs; 'sluice flatten' asks one that does.

    Bots that answer exit by themselves, the others are ended and gone around. What the exchange
    says is left is told, with exit code 4; the next agent goes on trying until 'resume'.
    """
    about: dict[str, Any] = {"environment": environment, "strategy": strategy, "reason": reason}
    left, every = [], _alone(opening, "flatten", about)
    for told in every:
        where = f"{told['environment']} {told['strategy']}"
        left += [f"{where}: {text}" for text in told["left"]]
        click.echo(f"{where}: {'could not be closed' if told['left'] else 'nothing is left'}")
    if not every:
        click.echo("there is no bot, and none ever traded there")
    if left:
        raise Refused("\n".join(left), "see 'sluice docs stopping'")


COMMANDS = (
    _halting("halt", "Open no more trades, when no agent runs; 'sluice halt' asks one that does."),
    _halting("resume", "Lift halts, when no agent runs: the next one lets bots open trades again."),
    flatten,
)
