"""`sluice orphan`: what lies at the exchange and no bot knows."""

import click

from pipelines.cli.options import Options, with_json
from pipelines.errors import ExitCode


@click.group()
def orphan() -> None:
    """Positions and orders at the exchange that no bot knows.

    One comes to be when the exchange takes an order and its answer is lost on the way: freqtrade
    never hears of it, so nobody sells it. The agent finds it within two ticks, lets no more trades
    be opened there, and alerts. Then it is yours to say what becomes of it:

    \b
    sluice orphan list            which there are, and on which account
    sluice orphan import ID       its bot takes it over, with its stop and its exits
    sluice orphan close ID        it is sold at the market's price, straight at the exchange
    sluice resume ENV STRATEGY    trades may be opened again

    Coins of your own are no orphans once they are declared as 'holdings' of the environment.
    'sluice docs reconciliation' tells how they are found.
    """


@orphan.command("list")
@with_json
@click.pass_obj
def list_(options: Options, as_json: bool) -> ExitCode:
    """Show every orphan that nothing was done about yet."""
    from pipelines.workflow import orphan as workflow
    from pipelines.workflow import place

    told = workflow.listed(place.find(options.root, options.home))
    return workflow.tell(told, as_json=as_json)


@orphan.command("import")
@click.argument("orphan", metavar="ID")
@click.option(
    "--strategy", default="", help="Whose it shall be, where several bots trade its pair."
)
@with_json
@click.pass_obj
def import_(options: Options, orphan: str, strategy: str, as_json: bool) -> ExitCode:
    """Let a bot take it over.

    The bot is stopped for some seconds; its database is copied, and then looks as if the bot had
    been killed right after it placed the order. It finds out the rest when it starts, and puts the
    stop at the exchange. Entries stay halted until 'sluice resume'.
    """
    from pipelines.workflow import orphan as workflow
    from pipelines.workflow import place

    told = workflow.imported(place.find(options.root, options.home), orphan, strategy)
    return workflow.tell_settled(told, as_json=as_json)


@orphan.command("close")
@click.argument("orphan", metavar="ID")
@with_json
@click.pass_obj
def close(options: Options, orphan: str, as_json: bool) -> ExitCode:
    """Cancel its order, and sell what it bought at the market's price.

    That is done straight at the exchange, also while bots are down, and confirmed from there. What
    is too little to be sold is left and told. Asked for again, nothing is sold twice.
    """
    from pipelines.workflow import orphan as workflow
    from pipelines.workflow import place

    told = workflow.closed(place.find(options.root, options.home), orphan)
    return workflow.tell_settled(told, as_json=as_json)
