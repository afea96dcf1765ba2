"""`sluice-exchange rehearse` and `reconcile`: parse, compare, print."""

import sys
from datetime import datetime, timedelta
from pathlib import Path

import click

from pipelines.errors import CannotTell, ExitCode
from pipelines.reports.plain import plain
from runner.exchange import remote
from runner.exchange.commands import with_json, with_ready_file
from runner.rehearsal import rehearsing
from runner.rehearsal.rehearsing import Progress

_FILE = click.Path(dir_okay=False, exists=True, path_type=Path)
_FOLDER = click.Path(file_okay=False, path_type=Path)
_SILENCE = timedelta(days=1)


@click.command()
@with_ready_file
@click.option("--key", required=True, help="The key of the account that trades.")
@click.option("--secret", required=True, help="Its secret.")
@click.option(
    "--config",
    "configs",
    type=_FILE,
    multiple=True,
    required=True,
    help="A configuration of freqtrade; later ones win. That it is live here is added.",
)
@click.option("--strategy", default="", help="The class; else what a configuration says.")
@click.option("--strategy-path", type=_FOLDER, help="The folder that it is in.")
@click.option("--folder", type=_FOLDER, required=True, help="Where freqtrade lives meanwhile.")
@click.option("--until-closed", type=click.IntRange(1), default=3, show_default=True)
@click.option("--hours", type=click.IntRange(1), default=720, show_default=True, help="At most.")
@with_json
def rehearse(
    ready_file: Path,
    key: str,
    secret: str,
    configs: tuple[Path, ...],
    strategy: str,
    strategy_path: Path | None,
    folder: Path,
    until_closed: int,
    hours: int,
    as_json: bool,
) -> ExitCode:
    """Let a live bot trade in steps until some trades have closed, and reconcile.

    \b
    Exit code 0: every order, fee and balance is equal to the exchange's book.
    Exit code 1: something is not; 3: too few trades have closed, or something broke.

    It runs strategy code without isolation: only for strategies that you trust.
    """
    from rich.console import Console

    from runner.rehearsal import telling

    asked = rehearsing.Rehearsal(
        ready=remote.located(ready_file),
        key=key,
        secret=secret,
        configs=configs,
        strategy=strategy,
        strategy_path=strategy_path,
        folder=folder,
        until_closed=until_closed,
        longest=timedelta(hours=hours),
    )
    rehearsed = rehearsing.rehearse(asked, _Teller())
    if as_json:
        click.echo(telling.told(rehearsed).model_dump_json())
    else:
        telling.show(rehearsed, Console(file=sys.stdout, width=telling.WIDTH))
    if rehearsed.differences:
        return ExitCode.SAID_NO
    closed = len(rehearsed.kept.closed)
    if closed < until_closed:
        raise CannotTell(
            f"{closed} of {until_closed} trades have closed by {rehearsed.ended:%Y-%m-%d %H:%M}",
            "give it more --hours, or another --start to the exchange",
        )
    return ExitCode.DONE


@click.command()
@with_ready_file
@click.argument("account")
@click.argument("database", type=_FILE)
@with_json
def reconcile(ready_file: Path, account: str, database: Path, as_json: bool) -> ExitCode:
    """Hold a live bot's database against the exchange's book of its account.

    \b
    Exit code 0: every order, fee and balance is equal, to the last unit.
    Exit code 1: something is not, and all of it is printed.

    The account has to have been this bot's alone.
    """
    from rich.console import Console

    from runner.rehearsal import telling

    rehearsed = rehearsing.compared(remote.located(ready_file), account, database)
    if as_json:
        click.echo(telling.told(rehearsed).model_dump_json())
    else:
        telling.show(rehearsed, Console(file=sys.stdout, width=telling.WIDTH))
    return ExitCode.SAID_NO if rehearsed.differences else ExitCode.DONE


class _Teller:
    """Tells when something happened, and once a day that it goes on."""

    def __init__(self) -> None:
        self._said = ""
        self._at: datetime | None = None

    def __call__(self, new: Progress) -> None:
        trouble = f"; freqtrade will try again: {plain(new.trouble)}" if new.trouble else ""
        said = f"{new.opened} open, {new.closed} closed{trouble}"
        if said == self._said and self._at and new.now - self._at < _SILENCE:
            return
        click.echo(f"{new.now:%Y-%m-%d %H:%M}  {said}", err=True)
        self._said, self._at = said, new.now
