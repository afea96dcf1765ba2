"""`sluice github`: what looks after the repository there."""

import click

from pipelines.cli import github_settings


@click.group()
def github() -> None:
    """The repository on GitHub, and the workflows in it."""


for command in (*github_settings.COMMANDS,):
    github.add_command(command)
