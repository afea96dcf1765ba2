"""`sluice ledger`: the record of everything that was wanted and seen."""

import click

from pipelines.cli.options import Options, with_json
from pipelines.errors import ExitCode


@click.group()
def ledger() -> None:
    """The ledger: every promotion and observation, appended and never edited."""


@ledger.command()
@click.option("--url", envvar="SLUICE_LEDGER", help="Another ledger than the one below the home.")
@click.option("--head", metavar="COUNT:DIGEST", help="A head that you wrote down.")
@with_json
@click.pass_obj
def verify(options: Options, url: str | None, head: str | None, as_json: bool) -> ExitCode:
    """Recompute the chain and name the first entry that is not what was written.

    Exit code 1 when the chain is broken, 3 when nobody can say whether its end is missing.
    """
    from pipelines.workflow import ledger as workflow
    from pipelines.workflow import place

    home = place.find(options.root, options.home).home
    return workflow.tell(workflow.verify(home, url, head), as_json=as_json)
