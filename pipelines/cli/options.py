"""Options that several commands share."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import click

TRAINS = ("environments", "environments/demo")
"""Folders of environments, as `pipelines.workflow.place` names them."""

F = TypeVar("F", bound=Callable[..., object])

FOLDER = click.Path(file_okay=False, path_type=Path)
"""The type of an argument that names a folder."""

FILE = click.Path(dir_okay=False, path_type=Path)
"""The type of an argument that names a file."""


@dataclass(frozen=True)
class Options:
    """What stands before the command."""

    root: Path | None
    home: Path | None


def with_candles(command: F) -> F:
    """`--candles`, or the variable `SLUICE_CANDLES`."""
    return click.option(
        "--candles",
        type=FOLDER,
        envvar="SLUICE_CANDLES",
        help="Recorded candles (SLUICE_CANDLES). Without: the embedded market, which is synthetic.",
    )(command)


def with_json(command: F) -> F:
    """`--json`: one line on standard output for machines."""
    return click.option("--json", "as_json", is_flag=True, help="One line for machines.")(command)


def with_train(command: F) -> F:
    """`--train`: which environments are meant."""
    return click.option(
        "--train",
        type=click.Choice(TRAINS),
        default=TRAINS[0],
        help="Whose door and keys are meant; what passes at the demo's is for the demo only.",
    )(command)


def with_trust(command: F) -> F:
    """`--trust`: whose signatures count."""
    return click.option(
        "--trust", type=FILE, help="Keys that count, if not the train's trust.yaml."
    )(command)


def with_isolation(command: F) -> F:
    """`--isolation`: how strategy code is shut in."""
    return click.option(
        "--isolation",
        type=click.Choice(["full", "weak"]),
        default="full",
        help="How strategy code is shut in; 'weak' admits nothing beyond the demo.",
    )(command)


def with_jobs(command: F) -> F:
    """`--jobs`: by default one child for each processor."""
    return click.option(
        "--jobs",
        type=click.IntRange(1),
        metavar="N",
        help="Backtests at once; by default one for each processor.",
    )(command)
