"""`sluice secrets`: set, list, remove, rotate, seal. No value is ever an argument or shown."""

import json
import sys
from datetime import UTC, datetime

import click

from pipelines.cli.options import Options, with_json
from pipelines.errors import ExitCode


@click.group()
def secrets() -> None:
    """What bots are given: keys of exchanges, tokens. Encrypted at rest, never shown.

    \b
    sluice secrets set prod exchange_key          asks for the value, or reads it from a pipe
    sluice secrets list                           what is kept, and what is missing
    """


@secrets.command("set")
@click.argument("where", metavar="ENV[/ACCOUNT]")
@click.argument("name")
@click.pass_obj
def set_(options: Options, where: str, name: str) -> ExitCode:
    """Keep a secret of an environment, or of one exchange account in it.

    The value comes on standard input; at a terminal it is asked for and not shown.
    """
    from pipelines.workflow import place
    from pipelines.workflow import secrets as workflow

    here = place.find(options.root, options.home)
    scope, known = workflow.asked(here, where, name)
    workflow.put(here, scope, known, workflow.value(_read(f"{scope} {known}")), datetime.now(UTC))
    click.echo(f"{scope}: {known} is kept")
    return ExitCode.DONE


@secrets.command("list")
@click.argument("environment", metavar="[ENV]", required=False)
@with_json
@click.pass_obj
def list_(options: Options, environment: str | None, as_json: bool) -> ExitCode:
    """Say what is kept, what is missing, and what nobody needs; never a value.

    Exit code 1 when a secret is missing.
    """
    from pipelines.workflow import place
    from pipelines.workflow import secrets as workflow

    shown = workflow.listed(place.find(options.root, options.home), environment)
    if as_json:
        rows = [
            {
                "scope": str(one.scope),
                "name": one.name,
                "since": one.since.isoformat() if one.since else None,
                "named": one.named,
            }
            for one in shown
        ]
        click.echo(json.dumps({"secrets": rows}))
    for one in shown:
        since = f"since {one.since:%Y-%m-%d %H:%M} UTC" if one.since else "missing"
        nobody = "" if one.named else ", needed by nobody: remove it"
        click.echo(f"{one.scope!s:<20} {one.name:<18} {since}{nobody}", err=as_json)
    return ExitCode.DONE if all(one.since for one in shown) else ExitCode.SAID_NO


@secrets.command()
@click.argument("where", metavar="ENV[/ACCOUNT]")
@click.argument("name")
@click.pass_obj
def remove(options: Options, where: str, name: str) -> ExitCode:
    """Forget a secret."""
    from pipelines.workflow import place
    from pipelines.workflow import secrets as workflow

    scope = workflow.remove(place.find(options.root, options.home), where, name)
    click.echo(f"{scope}: {name} is forgotten")
    return ExitCode.DONE


@secrets.command()
@click.argument("environment", metavar="ENV")
@click.pass_obj
def rotate(options: Options, environment: str) -> ExitCode:
    """Encrypt all secrets of an environment with a new key.

    The values stay the same: what may have been read has to be changed at the exchange, too.
    """
    from pipelines.workflow import place
    from pipelines.workflow import secrets as workflow

    count = workflow.rotate(place.find(options.root, options.home), environment)
    click.echo(f"{environment}: encrypted anew with a new key: {count}")
    return ExitCode.DONE


@secrets.command()
@click.argument("where", metavar="ENV[/ACCOUNT]")
@click.argument("name")
@click.option("--to", "host", required=True, metavar="KEY", help="The public key of the host.")
@click.pass_obj
def seal(options: Options, where: str, name: str, host: str) -> ExitCode:
    """Print a secret so that only one host can read it.

    Whoever carries the text, GitHub for example, learns whose secret it is and nothing else.
    """
    from pipelines.workflow import place
    from pipelines.workflow import secrets as workflow

    scope, known = workflow.asked(place.find(options.root, options.home), where, name)
    sealed = workflow.seal(scope, known, workflow.value(_read(f"{scope} {known}")), host)
    click.echo(sealed, nl=False)
    return ExitCode.DONE


@secrets.command("host-key")
@click.pass_obj
def host_key(options: Options) -> ExitCode:
    """Print the public key of this host, for 'sluice secrets seal --to'."""
    from pipelines.workflow import place
    from pipelines.workflow import secrets as workflow

    click.echo(workflow.host_key(place.find(options.root, options.home)))
    return ExitCode.DONE


def _read(title: str) -> bytes:
    if not sys.stdin.isatty():
        return sys.stdin.buffer.read()
    answer: str = click.prompt(f"{title} (is not shown)", hide_input=True, err=True)
    return answer.encode()
