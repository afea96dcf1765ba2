"""`sluice github lint`: the policy over the workflows."""

from pathlib import Path

import click

from pipelines.cli.options import FOLDER, Options, with_json
from pipelines.errors import ExitCode


@click.command()
@click.argument("folder", type=FOLDER, metavar="[DIR]", required=False)
@with_json
@click.pass_obj
def lint(options: Options, folder: Path | None, as_json: bool) -> ExitCode:
    """Hold workflows against the policy of 'sluice docs github'.

    DIR is .github/workflows of the project, unless another is named. Exit code 1 with file, line,
    job, step and rule of everything that is not allowed.
    """
    from pipelines.workflow import place
    from pipelines.workflow.github import linting

    here = place.find(options.root, options.home)
    return linting.tell(linting.lint(here, folder), here.root, as_json=as_json)


COMMANDS = (lint,)
