"""`sluice github plan`, `apply`, `audit`: what the repository at GitHub is set to."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipelines.cli.options import FILE, Options, with_json
from pipelines.errors import ExitCode

if TYPE_CHECKING:
    from pipelines.workflow.github.reaching import Asked


def with_repository(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options that say whose settings are meant, and how to get there."""
    for option in (
        click.option("--repository", default="", metavar="OWNER/NAME", help="By default origin's."),
        click.option("--api", default="", metavar="URL", help="Another server than the file's."),
        click.option("--token-file", type=FILE, help="Only you may be able to read it."),
        click.option(
            "--patience",
            type=click.FloatRange(0, 7200),
            default=120,
            show_default=True,
            help="The most seconds to wait for GitHub's limits.",
        ),
    ):
        command = option(command)
    return command


@click.command()
@with_repository
@with_json
@click.pass_obj
def plan(options: Options, /, as_json: bool, **asked: Any) -> ExitCode:
    """Show what would change of GitHub's settings, and who enforces what. Nothing is changed.

    What they should be is in environments/github.yaml: 'sluice docs github-settings'. The token is
    read from GH_TOKEN or GITHUB_TOKEN, or a file, and is never shown.

    Exit code 3 when something could not be read: it is named, and 'apply' leaves it alone.
    """
    from pipelines.workflow import place
    from pipelines.workflow.github import plan as workflow
    from pipelines.workflow.github import shown

    here = place.find(options.root, options.home)
    return shown.planned(workflow.plan(here, _asked(asked)), as_json=as_json)


@click.command()
@with_repository
@click.option(
    "--plan", "digest", default="", metavar="DIGEST", help="Only if it is still this one."
)
@with_json
@click.pass_obj
def apply(options: Options, /, digest: str, as_json: bool, **asked: Any) -> ExitCode:
    """Do what the plan says, and look whether it is so.

    Done again, it does what is left. What only a person can do, such as to set a secret, is told.
    """
    from pipelines.workflow import place
    from pipelines.workflow.github import apply as workflow
    from pipelines.workflow.github import shown

    here = place.find(options.root, options.home)
    done = workflow.apply(here, _asked(asked), digest, shown.step)
    return shown.applied(done, as_json=as_json)


@click.command()
@with_repository
@with_json
@click.pass_obj
def audit(options: Options, /, as_json: bool, **asked: Any) -> ExitCode:
    """Tell whether everything is as it should be.

    Exit code 1 on drift, 3 when something could not be told, 0 when everything was read and is so.
    """
    from pipelines.workflow import place
    from pipelines.workflow.github import audit as workflow
    from pipelines.workflow.github import shown

    here = place.find(options.root, options.home)
    return shown.audited(workflow.audit(here, _asked(asked)), as_json=as_json)


def _asked(said: dict[str, Any]) -> "Asked":
    from pipelines.workflow.github.reaching import Asked

    token_file: Path | None = said["token_file"]
    return Asked(said["repository"], said["api"], token_file, said["patience"])


COMMANDS = (plan, apply, audit)
