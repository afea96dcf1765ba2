"""`import-bot`: a freqtrade that runs already becomes a bot of an environment."""

from datetime import UTC, datetime
from pathlib import Path

import click

from pipelines.cli.options import FILE, FOLDER, Options, with_json, with_train
from pipelines.errors import ExitCode


@click.command("import-bot")
@click.argument("folder", type=FOLDER, metavar="DIR")
@click.argument("environment")
@click.option("--config", "configs", type=FILE, multiple=True, help="As freqtrade is told; again.")
@click.option("--strategy", default="", metavar="CLASS", help="If no configuration names it.")
@click.option("--database", type=FILE, help="If it lies elsewhere than the configuration says.")
@click.option("--secrets", is_flag=True, help="Keep those in the configuration, encrypted.")
@click.option("--release", default="", help="Takes over what is open: an id or a digest.")
@click.option("--owner", default="", help="Who answers for it; by default git's user.name.")
@with_train
@with_json
@click.pass_obj
def import_bot(
    options: Options,
    folder: Path,
    environment: str,
    configs: tuple[Path, ...],
    strategy: str,
    database: Path | None,
    secrets: bool,
    release: str,
    owner: str,
    train: str,
    as_json: bool,
) -> ExitCode:
    """Take over a freqtrade that you run: its strategy, its configuration, its trades.

    DIR is the folder that it was started in, or its user_data. End the bot first: while anybody
    uses its database, and while its API answers, nothing is taken over.

    \b
    sluice import-bot ~/freqtrade test
    sluice import-bot ~/freqtrade sandbox --config config.json --config private.json --secrets
    sluice import-bot ~/freqtrade sandbox --release beat@1.0.0+3f9c2a1b

    The strategy becomes a plugin, as 'sluice import' makes it. Of every setting it is said where
    it belongs from now on; no file of an environment is changed. The database is copied to where
    the environment's bot looks for it: one that was traded on paper only where trading is on
    paper, one with money only where it is with money. What freqtrade had stays as it was.

    Then: sluice check, pack, deliver, promote. The agent has to run. While trades are open, do that
    first, up to this environment: --release names what takes them over, and promotes it.
    """
    from pipelines.workflow import import_bot as workflow
    from pipelines.workflow import place, tell_bot

    here = place.find(options.root, options.home, train)
    given = workflow.Given(
        folder, environment, configs, strategy, database, owner, secrets, release
    )
    return tell_bot.told(workflow.import_bot(here, given, datetime.now(UTC)), as_json=as_json)


COMMANDS = (import_bot,)
