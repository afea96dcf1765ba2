"""The command line: parse, call one workflow, print, return the exit code."""

import os
import signal
import sys
from pathlib import Path
from types import FrameType

import click

from pipelines import __version__
from pipelines.cli import (
    bot,
    data,
    doctor,
    gate,
    github,
    ledger,
    orphan,
    project,
    release,
    secrets,
    train,
)
from pipelines.cli.options import FOLDER, Options
from pipelines.errors import BadInput, ExitCode, SluiceError


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 96})
@click.version_option(__version__, prog_name="sluice")
@click.option("--root", type=FOLDER, help="The project, if not the one around this folder.")
@click.option("--home", type=FOLDER, help="Where evidence and caches are kept (SLUICE_HOME).")
@click.pass_context
def cli(context: click.Context, root: Path | None, home: Path | None) -> None:
    """Promotes freqtrade strategies from a pull request to real money, gate by gate.

    \b
    A first strategy:  sluice new my_strategy
                       sluice check my_strategy
    All pages:         sluice docs

    Exit codes: 0 passed or done, 1 the gate said no, 2 bad input, 3 could not tell, 4 refused.
    """
    context.obj = Options(root, home)


for command in (
    *gate.COMMANDS,
    data.data,
    *release.COMMANDS,
    *train.COMMANDS,
    *bot.COMMANDS,
    github.github,
    ledger.ledger,
    orphan.orphan,
    secrets.secrets,
    github.github,
    *doctor.COMMANDS,
    *project.COMMANDS,
):
    cli.add_command(command)


def main() -> None:
    """Run a command and leave with its exit code. The only place that catches."""
    signal.signal(signal.SIGTERM, _stop)
    try:
        code = cli.main(prog_name="sluice", standalone_mode=False)
    except SluiceError as error:
        code = _say(error)
    except click.UsageError as error:
        message = error.format_message()
        where = f"see '{error.ctx.command_path} --help'" if error.ctx else ""
        code = _say(BadInput(message[:1].lower() + message[1:].rstrip("."), where))
    except click.ClickException as error:
        code = _say(BadInput(error.format_message()))
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted: nothing was left half done", err=True)
        code = ExitCode.INTERRUPTED
    except BrokenPipeError:
        # The reader went away (`| head`); Python would complain once more while leaving.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = ExitCode.DONE
    sys.exit(int(code or 0))


def _stop(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _say(error: SluiceError) -> ExitCode:
    for message, hint in error.told():
        for line in message.splitlines():
            click.echo(f"{click.style('error:', fg='red', bold=True)} {line}", err=True)
        if hint:
            click.echo(f"{click.style('hint:', bold=True)} {hint}", err=True)
    return error.code
