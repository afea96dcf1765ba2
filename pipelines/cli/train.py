"""Commands of the release train: what is wanted where, who agrees, and how everything stands."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import click

from pipelines.cli.options import FILE, Options, with_json
from pipelines.errors import ExitCode

_STEP = click.option("--step", type=click.IntRange(1), default=1, help="Of the stake ramp, from 1.")
_REASON = click.option("--reason", default="", help="Why; it stands in the ledger.")


@click.command()
@click.argument("release", metavar="FILE|ID|DIGEST")
@with_json
@click.pass_obj
def deliver(options: Options, release: str, as_json: bool) -> ExitCode:
    """Hand a release to the agent.

    It verifies the release again. Where its signature alone lets it in (`approval: merge`), it
    is promoted at once.
    """
    from pipelines.workflow import place, tell_train, train

    here = place.find(options.root, options.home)
    return tell_train.delivered(train.deliver(here, release), as_json=as_json)


@click.command()
@click.argument("release", metavar="ID|DIGEST")
@click.argument("environment")
@_STEP
@click.option("--tag", default="", help="A signed tag named ENVIRONMENT/ID that allows it.")
@_REASON
@with_json
@click.pass_obj
def promote(
    options: Options,
    release: str,
    environment: str,
    step: int,
    tag: str,
    reason: str,
    as_json: bool,
) -> ExitCode:
    """Ask for a release in an environment.

    Refused with every reason at once, exit code 4. `sluice explain RELEASE ENVIRONMENT` tells
    the same without asking for anything.
    """
    from pipelines.workflow import place, tell_train, train

    here = place.find(options.root, options.home)
    told = train.promote(here, release, environment, step, tag, reason)
    return tell_train.promoted(told, as_json=as_json)


@click.command()
@click.argument("release", metavar="ID|DIGEST")
@click.argument("environment")
@_STEP
@click.option("--key", type=FILE, required=True, help="The SSH key to sign with.")
@click.option("--hours", type=click.IntRange(1), default=168, show_default=True, help="It counts.")
@click.option("--accept", multiple=True, help="A risk that you sign for; docs promotion has them.")
@click.pass_obj
def approve(
    options: Options,
    release: str,
    environment: str,
    step: int,
    key: Path,
    hours: int,
    accept: tuple[str, ...],
) -> ExitCode:
    """Sign that a release may enter an environment next.

    What is signed names the release that runs there now and the number of the promotion, so it
    is good for this once.
    """
    from pipelines.workflow import place, tell_train, train

    here = place.find(options.root, options.home)
    lasts = timedelta(hours=hours)
    signed = train.approve(here, release, environment, step, key, lasts, accept)
    return tell_train.approved(signed)


_ONE = (click.argument("environment"), click.argument("strategy"))
_ALL = (click.argument("environment"), click.argument("strategy", default="*"))
_EVERYWHERE = (
    click.argument("environment", default="*", metavar="[ENVIRONMENT]"),
    click.argument("strategy", default="*", metavar="[STRATEGY]"),
)
"""What a command is about: one strategy, all of an environment, or all of everything."""

_About = tuple[Callable[[Callable[..., ExitCode]], Callable[..., ExitCode]], ...]


def _telling(verb: str, help_: str, about: _About) -> click.Command:
    environment, strategy = about

    @click.command(verb, help=help_)
    @environment
    @strategy
    @_REASON
    @with_json
    @click.pass_obj
    def command(
        options: Options, environment: str, strategy: str, reason: str, as_json: bool
    ) -> ExitCode:
        from pipelines.workflow import place, tell_train, train

        here = place.find(options.root, options.home)
        told = train.tell(here, verb, environment, strategy, reason)
        return tell_train.told(verb, told, as_json=as_json)

    return command


_TELLING = (
    _telling("rollback", "Go back to the last release that was verified there.", _ALL),
    _telling("retire", "Want nothing there any more.", _ONE),
    _telling("hold", "Let no release in until 'unhold'.", _ALL),
    _telling("unhold", "Let releases in again.", _ALL),
)


_HALTING = (
    _telling(
        "halt",
        """Open no more trades, everywhere or where it is said.

        Entries that wait are cancelled; stops and exits stay, and stay looked after. It lasts until
        'resume', whatever is started again. When something looks wrong this comes first: it can
        do no harm. 'flatten' sells.
        """,
        _EVERYWHERE,
    ),
    _telling(
        "resume",
        """Open trades again, everywhere or where it is said.

        It lifts what people halted and what a protection did. Losses and orders are counted anew
        from here; 'sluice docs protections' tells when a protection trips once more.
        """,
        _EVERYWHERE,
    ),
)


@click.command()
@click.argument("environment")
@click.argument("strategy", default="*", metavar="[STRATEGY]")
@_REASON
@with_json
@click.pass_obj
def flatten(
    options: Options, environment: str, strategy: str, reason: str, as_json: bool
) -> ExitCode:
    """Halt, and sell everything that bots hold at the market's price.

    Waits until the exchange itself says that nothing is left, and names what could not be
    closed, with exit code 4. The agent goes on trying until 'resume'. A bot that does not
    answer is ended, and its trades are sold straight at the exchange. When no agent runs,
    'sluice-agent flatten' does the same.
    """
    from pipelines.workflow import place, tell_train, train

    here = place.find(options.root, options.home)
    told = train.flatten(here, environment, strategy, reason)
    return tell_train.flattened(told, as_json=as_json)


@click.command()
@click.argument("environment")
@click.argument("strategy", default="*", metavar="[STRATEGY]")
@with_json
@click.pass_obj
def restart(options: Options, environment: str, strategy: str, as_json: bool) -> ExitCode:
    """End bots that hang, so that the agent starts them again.

    That takes it 10 seconds. Positions and the stops at the exchange stay; a bot that comes back
    reads its secrets anew, and opens no trades before it has the open ones in hand.
    """
    from pipelines.workflow import place, tell_train, train

    here = place.find(options.root, options.home)
    told = train.tell(here, "restart", environment, strategy, "")
    return tell_train.told("restart", told, as_json=as_json)


@click.command()
@with_json
@click.pass_obj
def status(options: Options, as_json: bool) -> ExitCode:
    """Show what is wanted in each environment of this host, and what runs."""
    from pipelines.workflow import place, tell_train, train

    return tell_train.status(train.status(place.find(options.root, options.home)), as_json=as_json)


@click.command()
@click.argument("environment", default="")
@click.argument("strategy", default="")
@with_json
@click.pass_obj
def health(options: Options, environment: str, strategy: str, as_json: bool) -> ExitCode:
    """Say which bots can manage their orders, and what keeps the others from it.

    Exit code 1 when something is wrong, 3 when something could not be evaluated, or no bot is
    there. 'sluice docs health' says what each check asks.
    """
    from pipelines.workflow import health as workflow
    from pipelines.workflow import place, tell_health

    here = place.find(options.root, options.home)
    return tell_health.health(workflow.health(here, environment, strategy), as_json=as_json)


@click.command()
@click.argument("environment", default="")
@click.argument("strategy", default="")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
@with_json
@click.pass_obj
def history(
    options: Options, environment: str, strategy: str, limit: int, as_json: bool
) -> ExitCode:
    """Retell the ledger, the newest last."""
    from pipelines.workflow import place, tell_train, train

    here = place.find(options.root, options.home)
    return tell_train.history(train.history(here, environment, strategy, limit), as_json=as_json)


@click.command()
@click.argument("environment", default="")
@click.argument("strategy", default="")
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True)
@with_json
@click.pass_obj
def alerts(
    options: Options, environment: str, strategy: str, limit: int, as_json: bool
) -> ExitCode:
    """Show what a human has to know, the newest last.

    'money' is something at risk until somebody looks. It needs no agent: alerts lie in its home.
    """
    from pipelines.workflow import alerts as workflow
    from pipelines.workflow import place

    here = place.find(options.root, options.home)
    told = workflow.alerted(here, environment, strategy, limit)
    return workflow.tell(told, as_json=as_json)


_DANGER = (*_HALTING, flatten, restart)

COMMANDS = (deliver, promote, approve, *_TELLING, *_DANGER, status, health, alerts, history)
