"""Commands that look after the machine: `doctor`."""

import click

from pipelines.cli.options import Options, with_json
from pipelines.errors import ExitCode


@click.group()
def doctor() -> None:
    """Find out whether this machine can be trusted with a task."""


@doctor.command()
@click.option("--install", is_flag=True, help="Install bubblewrap first, with the system's means.")
@with_json
@click.pass_obj
def isolation(options: Options, install: bool, as_json: bool) -> ExitCode:
    """Attack the isolation that strategy code is shut in with.

    A child tries what hostile strategy code would try: read a secret, reach the network, look into
    other processes, break each limit. Exit code 1 when anything got through, 3 without isolation.
    """
    from pipelines.workflow import isolation as workflow
    from pipelines.workflow import place, tell

    here = place.find(options.root, options.home)
    return tell.attacked(workflow.doctor(here, install=install), as_json=as_json)


COMMANDS = (doctor,)
