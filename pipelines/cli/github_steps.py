"""`sluice github …`: the steps of workflows, from what changed to what is promoted."""

from datetime import UTC, datetime
from pathlib import Path

import click

from pipelines.cli.options import FOLDER, Options
from pipelines.errors import ExitCode

_SINCE = click.option("--since", required=True, metavar="REV", help="What it is held against.")
_REF = click.option("--ref", envvar="GITHUB_REF", required=True, help="By default GITHUB_REF.")


@click.command()
@_SINCE
@click.pass_obj
def strategies(options: Options, since: str) -> ExitCode:
    """List the strategies that changed, as one line of JSON.

    In a workflow they are the step's outputs 'strategies' and 'any', for a matrix.
    """
    from pipelines.workflow import place
    from pipelines.workflow.github import changing

    here = place.find(options.root, options.home)
    return changing.tell(changing.strategies(here, since))


@click.command()
@click.option("--into", type=FOLDER, default=Path("out/candles"), show_default=True)
@click.pass_obj
def candles(options: Options, into: Path) -> ExitCode:
    """Fetch the recorded candles that data.lock pins, from SLUICE_DATA_URL.

    In a workflow, later steps have them as SLUICE_CANDLES.
    """
    from pipelines.workflow import place
    from pipelines.workflow.github import supplying

    here = place.find(options.root, options.home)
    return supplying.candles(here, into, datetime.now(UTC))


@click.command()
@click.argument("folder", type=FOLDER)
def report(folder: Path) -> ExitCode:
    """Show a report of 'sluice check --out FOLDER' as the job's summary, and on the lines."""
    from pipelines.workflow.github import reporting

    return reporting.report(folder)


@click.command()
@click.argument("needs")
def passed(needs: str) -> ExitCode:
    """Say whether every job before this one ended well.

    NEEDS is '${{ toJSON(needs) }}'. GitHub takes a required check that was passed over for one that
    passed; this is the check to require.
    """
    from pipelines.workflow.github import gating

    return gating.passed(needs)


@click.command()
@_REF
@click.option("--tag", "tagged", is_flag=True, help="It has to be a tag that promotes.")
@click.pass_obj
def gate(options: Options, ref: str, tagged: bool) -> ExitCode:
    """Refuse a run that was not started for main, or for a tag of main that promotes.

    The workflows have to keep to the policy, too. Exit code 4 with all reasons.
    """
    from pipelines.workflow import place
    from pipelines.workflow.github import gating

    here = place.find(options.root, options.home)
    click.echo(f"{gating.gate(here, ref, tagged=tagged)}: may go on")
    return ExitCode.DONE


@click.command()
@_SINCE
@click.option("--into", type=FOLDER, default=Path("out/releases"), show_default=True)
@click.pass_obj
def pack(options: Options, since: str, into: Path) -> ExitCode:
    """Pack the strategies that changed, signed with the key in SLUICE_SIGNING_KEY."""
    from pipelines.workflow import place
    from pipelines.workflow.github import releasing

    here = place.find(options.root, options.home)
    for tar in releasing.pack(here, since, into, datetime.now(UTC)):
        click.echo(f"wrote {tar}")
    return ExitCode.DONE


@click.command()
@click.argument("folder", type=FOLDER)
@click.pass_obj
def deliver(options: Options, folder: Path) -> ExitCode:
    """Hand every release in a folder to the agent."""
    from pipelines.workflow import place
    from pipelines.workflow.github import releasing

    return releasing.deliver(place.find(options.root, options.home), folder)


@click.command()
@click.argument("environment")
@_REF
@click.pass_obj
def promote(options: Options, environment: str, ref: str) -> ExitCode:
    """Ask for what a tag means in an environment.

    v1.2.3 is the whole train, my_strategy-v1.2.3 one strategy. A release is known by its digest,
    which follows from what is checked out; nothing is built. Every refusal stands in the summary.
    """
    from pipelines.workflow import place
    from pipelines.workflow.github import promoting

    return promoting.promote(place.find(options.root, options.home), ref, environment)


@click.command()
@click.argument("folder", type=FOLDER)
@click.pass_obj
def publish(options: Options, folder: Path) -> ExitCode:
    """Publish packed candles as assets of a release, with the token in GITHUB_TOKEN."""
    from pipelines.workflow import place
    from pipelines.workflow.github import supplying

    return supplying.publish(place.find(options.root, options.home), folder)


COMMANDS = (strategies, candles, report, passed, gate, pack, deliver, promote, publish)
