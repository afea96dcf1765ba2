"""`sluice github`: what workflows call, and what looks after the repository there."""

import click

from pipelines.cli import github_lint, github_settings, github_steps


@click.group()
def github() -> None:
    """The repository on GitHub, and the workflows in it."""


for command in (*github_lint.COMMANDS, *github_settings.COMMANDS, *github_steps.COMMANDS):
    github.add_command(command)
