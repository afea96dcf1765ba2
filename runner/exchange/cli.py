"""`sluice-exchange`: parse, call, print."""

import json
import os
import sys
from datetime import datetime
from pathlib import Path

import click

from pipelines import __version__
from pipelines.domain.candles import TradingMode
from pipelines.errors import BadInput, ExitCode, SluiceError
from runner.exchange import faketime, remote
from runner.exchange.clock import FASTEST
from runner.exchange.commands import (
    ACCOUNT,
    account,
    ask,
    fault,
    parsed_account,
    with_json,
    with_ready_file,
)
from runner.exchange.core.terms import Terms
from runner.exchange.costs import with_terms
from runner.exchange.messages import Ready, State, Step
from runner.exchange.settings import Market, freqtrade_settings
from runner.rehearsal.command import reconcile, rehearse

_FILE = click.Path(dir_okay=False, path_type=Path)
_FOLDER = click.Path(file_okay=False, path_type=Path)
_MOMENT = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ"])

_MODES: dict[str, tuple[TradingMode, ...]] = {
    "spot": ("spot",),
    "futures": ("futures",),
    "both": ("spot", "futures"),
}


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 96})
@click.version_option(__version__, prog_name="sluice-exchange")
def cli() -> None:
    """A rehearsal exchange: Binance's API on loopback, replaying candles.

    \b
    Serve:   sluice-exchange serve --start 2023-01-02 --clock stepped \\
                 --ready-file ready.json --account alice:key:secret:USDT=1000
    Connect: sluice-exchange config --ready-file ready.json --key key --secret secret
    Go on:   sluice-exchange step --ready-file ready.json --seconds 3600
    """


@cli.command()
@click.option("--candles", type=_FOLDER, envvar="SLUICE_CANDLES", help="Recorded candles.")
@click.option(
    "--market",
    type=click.Choice(["spot", "futures", "both"]),
    default="spot",
    show_default=True,
    help="What is traded there.",
)
@click.option("--markets", type=_FILE, help="A recorded exchangeInfo, or ccxt's markets.")
@click.option("--start", type=_MOMENT, help="Where the replay begins (UTC).")
@click.option(
    "--clock",
    type=click.Choice(["real", "stepped"]),
    default="real",
    show_default=True,
    help="Runs by itself, or only with 'step'.",
)
@click.option(
    "--speed",
    type=click.IntRange(1, FASTEST),
    default=1,
    metavar="N",
    help="N seconds pass in one; bots need libfaketime.",
)
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="0: any that is free.")
@click.option("--control-port", type=click.IntRange(0, 65535), default=0)
@click.option("--ready-file", type=_FILE, help="Where to write the addresses and the token.")
@click.option("--journal", type=_FILE, help="SQLite file; goes on where it left off.")
@click.option("--account", "accounts", multiple=True, metavar=ACCOUNT)
@click.option(
    "--weight-limit",
    type=click.IntRange(1),
    help="Weight of requests that an IP may use in a minute: 6000, on futures 2400; "
    "a stepped clock refuses nobody.",
)
@with_terms
@click.option("--unsafe-listen", metavar="ADDRESS", help="Serve others than this machine.")
@click.option("--root", type=_FOLDER, envvar="SLUICE_ROOT", help="The project with data.lock.")
@click.option("--home", type=_FOLDER, envvar="SLUICE_HOME", help="Where caches are kept.")
def serve(
    candles: Path | None,
    market: str,
    markets: Path | None,
    start: datetime | None,
    clock: str,
    speed: int,
    port: int,
    control_port: int,
    ready_file: Path | None,
    journal: Path | None,
    accounts: tuple[str, ...],
    weight_limit: int | None,
    terms: Terms,
    unsafe_listen: str | None,
    root: Path | None,
    home: Path | None,
) -> None:
    """Serve until it is told to stop."""
    from runner.exchange import server

    if clock == "stepped" and speed > 1:
        raise BadInput("--speed: a stepped clock has none", "leave out --clock stepped")
    asked = server.Serving(
        root=root or _project(),
        home=home or _state_folder(),
        candles=candles,
        markets=markets,
        start=start,
        speed=0 if clock == "stepped" else _possible(speed),
        port=port,
        control_port=control_port,
        listen=unsafe_listen or server.LOOPBACK,
        journal=journal,
        ready_file=ready_file,
        weight_limit=weight_limit,
        terms=terms,
        accounts=tuple(parsed_account(text) for text in accounts),
        modes=_MODES[market],
    )
    server.serve(asked, _say_ready)


def _possible(speed: int) -> int:
    """The speed that bots of this machine can follow."""
    if speed > 1 and faketime.library() is None:
        missing = f"{faketime.PACKAGE} is missing here, so the clock runs in real time"
        click.echo(f"{missing}: sudo apt-get install {faketime.PACKAGE}", err=True)
        return 1
    return speed


def _say_ready(ready: Ready, now: datetime, room: int) -> None:
    from runner.exchange.listening import MANY

    click.echo(f"serving {ready.api_url}, control {ready.control_url}", err=True)
    click.echo(f"it is {now:%Y-%m-%d %H:%M:%S} UTC there", err=True)
    if room < MANY:
        click.echo(
            f"only {room} connections at once: the system lets no more files be open", err=True
        )


@cli.command()
@with_ready_file
@click.option("--key", default="", help="The account's key; live trading needs it.")
@click.option("--secret", default="", help="The account's secret.")
@click.option("--market", type=click.Choice(["spot", "futures"]), default="spot")
@with_json
def config(ready_file: Path, key: str, secret: str, market: Market, as_json: bool) -> None:
    """Print the settings with which a stock freqtrade trades here."""
    ready = remote.located(ready_file)
    speed = remote.ask(ready, "status").speed
    settings = freqtrade_settings(ready.api_url, key, secret, speed, market)
    click.echo(json.dumps(settings, indent=None if as_json else 2))


@cli.command()
@with_ready_file
@click.option("--to", type=_MOMENT, help="Until this moment (UTC).")
@click.option("--seconds", type=click.IntRange(1), help="On by so many seconds.")
@click.option("--times", type=click.IntRange(1), default=1, help="So often, one after the other.")
@with_json
def step(
    ready_file: Path, to: datetime | None, seconds: int | None, times: int, as_json: bool
) -> None:
    """Move a stepped clock on, and the market with it. Bots that follow process every step."""
    asked = Step(to=to, seconds=seconds)

    def steps(ready: Ready) -> State:
        return [remote.ask(ready, "step", asked) for _ in range(times)][-1]

    ask(ready_file, as_json, steps)


@cli.command()
@with_ready_file
@with_json
def status(ready_file: Path, as_json: bool) -> None:
    """Say what time it is there, and what the accounts hold."""
    ask(ready_file, as_json, lambda ready: remote.ask(ready, "status"))


cli.add_command(account)
cli.add_command(fault)
cli.add_command(rehearse)
cli.add_command(reconcile)


def _project() -> Path:
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "environments" / "data.lock").is_file():
            return folder
    raise BadInput(
        f"{here}: no project here: environments/data.lock is missing",
        "go to your checkout, or name it with --root",
    )


def _state_folder() -> Path:
    named = os.environ.get("XDG_STATE_HOME")
    return (Path(named) if named else Path.home() / ".local" / "state") / "sluice"


def main(command: click.Command = cli, name: str = "sluice-exchange") -> None:
    """Run a command and leave with its exit code. The only place that catches."""
    try:
        said = command.main(prog_name=name, standalone_mode=False)
    except SluiceError as error:
        code = _complain(error)
    except click.UsageError as error:
        where = f"see '{error.ctx.command_path} --help'" if error.ctx else ""
        message = error.format_message()
        code = _complain(BadInput(message[:1].lower() + message[1:].rstrip("."), where))
    except click.ClickException as error:
        code = _complain(BadInput(error.format_message()))
    except (KeyboardInterrupt, click.Abort):
        code = ExitCode.INTERRUPTED
    else:
        code = said if isinstance(said, ExitCode) else ExitCode.DONE
    sys.exit(int(code))


def _complain(error: SluiceError) -> ExitCode:
    for line in error.message.splitlines():
        click.echo(f"{click.style('error:', fg='red', bold=True)} {line}", err=True)
    if error.hint:
        click.echo(f"{click.style('hint:', bold=True)} {error.hint}", err=True)
    return error.code
