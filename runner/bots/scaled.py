"""A stock freqtrade on the time of a scaled exchange: `python -m runner.bots.scaled`.

Its clock starts at what the exchange's says when the process becomes freqtrade, and runs as fast.
It is behind by what that takes, and never ahead: what is late is served, what is early is refused.
"""

import os
import sys
from pathlib import Path
from typing import NoReturn

import click

from pipelines.errors import CannotTell, Problem
from runner.exchange import cli, faketime, remote
from runner.exchange.messages import Ready


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--exchange",
    "ready_file",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="SLUICE_EXCHANGE",
    required=True,
    help="The file that 'sluice-exchange serve' wrote (SLUICE_EXCHANGE).",
)
@click.argument("arguments", nargs=-1, required=True, type=click.UNPROCESSED)
def scaled(ready_file: Path, arguments: tuple[str, ...]) -> None:
    """Become freqtrade, on the exchange's time: `-- trade -c config.json`."""
    become(remote.located(ready_file), [sys.executable, "-m", "freqtrade", *arguments])


def become(ready: Ready, argv: list[str]) -> NoReturn:
    """Become another program, which sees the exchange's time.

    :raises BadInput: when time stands still there.
    :raises CannotTell: when libfaketime is missing, or nobody answers.
    """
    preload = faketime.library()
    if preload is None:
        hint = f"sudo apt-get install {faketime.PACKAGE}"
        raise CannotTell(f"{faketime.PACKAGE} is missing: nothing else shows other time", hint)
    there = remote.ask(ready, "status")
    # From here on every millisecond counts `speed` times.
    if not there.speed:
        hint = "runner.bots.stepped lives in steps; or serve without --clock stepped"
        raise Problem(ready.control_url, "its clock is stepped, and a stock bot's runs", hint=hint)
    os.execve(argv[0], argv, faketime.environment(os.environ, preload, there.now, there.speed))


if __name__ == "__main__":
    cli.main(scaled, "python -m runner.bots.scaled")
