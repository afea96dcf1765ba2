"""Commands about the project itself: `test`, `docs`."""

import click

from pipelines.cli.options import Options
from pipelines.errors import ExitCode


@click.command(context_settings={"ignore_unknown_options": True})
@click.option("--fast", is_flag=True, help="Without freqtrade, browser and installations.")
@click.option("--install", is_flag=True, help="Install first what tests need, as CI does.")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[PYTEST ARGUMENT]...")
@click.pass_obj
def test(options: Options, fast: bool, install: bool, arguments: tuple[str, ...]) -> int:
    """Run Sluice's own test suite. What a machine lacks is told in a table at the end."""
    from pipelines.workflow import place, testing

    run = testing.as_ci_does if install else testing.test
    return run(place.find(options.root, options.home).root, arguments, fast)


@click.command()
@click.argument("topic", required=False)
def docs(topic: str | None) -> ExitCode:
    """Read a page of the documentation; without TOPIC, the list of pages."""
    from pipelines.workflow import docs as workflow

    click.echo(workflow.page(workflow.CHECKOUT, topic) if topic else workflow.contents())
    return ExitCode.DONE


COMMANDS = (test, docs)
